// Sends the chosen or dropped files, a few at a time, and shows how far each is.
// Without this script the form sends one file.

const AT_ONCE = 3;

const form = document.querySelector("#upload");
const input = document.querySelector("#choose");
const list = document.querySelector("#files");
const waiting = [];
let running = 0;

document.documentElement.classList.add("js");
input.multiple = true;
input.required = false;
input.addEventListener("change", () => {
  add(input.files);
  input.value = ""; // the same file may be chosen again
});

for (const type of ["dragenter", "dragover"]) {
  document.addEventListener(type, (event) => {
    event.preventDefault();
    form.classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) form.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  form.classList.remove("over");
  add(event.dataTransfer.files);
});
window.addEventListener("beforeunload", (event) => {
  if (running) event.preventDefault();
});

function add(files) {
  for (const file of files) {
    const row = document.querySelector("#sending").content.firstElementChild.cloneNode(true);
    row.querySelector(".name").textContent = file.name;
    row.querySelector("progress").setAttribute("aria-label", file.name);
    row.querySelector(".again").addEventListener("click", () => queue(file, row));
    list.append(row);
    queue(file, row);
  }
}

function queue(file, row) {
  row.classList.remove("failed");
  row.querySelector(".reason").textContent = "";
  row.querySelector(".state").textContent = form.dataset.waiting;
  row.querySelector("progress").value = 0;
  show(row, { progress: true, cancel: true });
  const wrong = !file.size ? form.dataset.empty
    : file.size > Number(form.dataset.max) ? form.dataset.tooLarge : "";
  if (wrong) return fail(row, wrong, false);
  const job = { file, row };
  row.querySelector(".cancel").onclick = () => {
    waiting.splice(waiting.indexOf(job), 1);
    fail(row, form.dataset.canceled);
  };
  waiting.push(job);
  next();
}

function next() {
  while (running < AT_ONCE && waiting.length) {
    running += 1;
    send(waiting.shift());
  }
}

function send({ file, row }) {
  const request = new XMLHttpRequest();
  const body = new FormData(form);
  body.set("file", file);
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  request.upload.onprogress = ({ loaded, total }) => {
    const percent = Math.floor((100 * loaded) / total);
    row.querySelector("progress").value = percent;
    row.querySelector(".state").textContent = `${percent} %`;
  };
  row.querySelector(".cancel").onclick = () => request.abort();
  request.onload = () => {
    if (request.status === 201) arrive(row, request.response);
    else fail(row, reason(request.response), request.status === 429 || request.status >= 500);
  };
  request.onerror = () => fail(row, form.dataset.lost);
  request.onabort = () => fail(row, form.dataset.canceled);
  request.onloadend = () => {
    running -= 1;
    next();
  };
  request.send(body);
}

// The file is there: its row comes from the server from now on.
function arrive(row, { id }) {
  const pending = document.createElement("input");
  Object.assign(pending, { type: "hidden", name: "pending", value: `${id}:` });
  row.id = `file-${id}`;
  row.append(pending);
  row.querySelector(".state").textContent = "100 %";
  show(row, {});
  htmx.trigger("#watch", "look");
}

function fail(row, why, again = true) {
  row.classList.add("failed");
  row.querySelector(".reason").textContent = why;
  row.querySelector(".state").textContent = "";
  show(row, { again });
}

function show(row, { progress = false, cancel = false, again = false }) {
  row.querySelector("progress").hidden = !progress;
  row.querySelector(".cancel").hidden = !cancel;
  row.querySelector(".again").hidden = !again;
}

// What the API says: {"detail": "…"}, or {"file": ["…"]}.
function reason(answer) {
  return Object.values(answer ?? {}).flat().join(" ") || form.dataset.refused;
}
