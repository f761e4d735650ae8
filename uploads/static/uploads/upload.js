// Uploads the chosen or dropped files, a few at a time, and shows the progress of each.
// Without this script the form uploads one file.

const MAX_UPLOADS = 3;

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
  input.value = ""; // so that the same file can be chosen again
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
    const key = newKey();
    row.querySelector(".retry").addEventListener("click", () => queue(file, row, key));
    list.append(row);
    queue(file, row, key);
  }
}

// A retry has the same key: if only the response was lost, the file is there and not sent twice.
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function queue(file, row, key) {
  row.classList.remove("failed");
  row.querySelector(".reason").textContent = "";
  row.querySelector(".state").textContent = form.dataset.waiting;
  row.querySelector("progress").value = 0;
  show(row, { progress: true, cancel: true });
  const error = !file.size ? form.dataset.empty
    : file.size > Number(form.dataset.max) ? form.dataset.tooLarge : "";
  if (error) return fail(row, error, false);
  const job = { file, row, key };
  row.querySelector(".cancel").onclick = () => {
    waiting.splice(waiting.indexOf(job), 1);
    fail(row, form.dataset.canceled);
  };
  waiting.push(job);
  next();
}

function next() {
  while (running < MAX_UPLOADS && waiting.length) {
    running += 1;
    send(waiting.shift());
  }
}

function send({ file, row, key }) {
  const request = new XMLHttpRequest();
  const body = new FormData(form);
  body.set("file", file);
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json");
  request.setRequestHeader("Idempotency-Key", key);
  request.responseType = "json";
  request.upload.onprogress = ({ loaded, total }) => {
    const percent = Math.floor((100 * loaded) / total);
    row.querySelector("progress").value = percent;
    row.querySelector(".state").textContent = `${percent} %`;
  };
  row.querySelector(".cancel").onclick = () => request.abort();
  request.onload = () => {
    if (request.status === 201) finish(row, request.response);
    else fail(row, errorText(request.response), request.status === 429 || request.status >= 500);
  };
  request.onerror = () => fail(row, form.dataset.lost);
  request.onabort = () => fail(row, form.dataset.canceled);
  request.onloadend = () => {
    running -= 1;
    next();
  };
  request.send(body);
}

// The server has the file, and sends its row from now on.
function finish(row, { id }) {
  const pending = document.createElement("input");
  Object.assign(pending, { type: "hidden", name: "pending", value: `${id}:` });
  row.id = `file-${id}`;
  row.append(pending);
  row.querySelector(".state").textContent = "100 %";
  show(row, {});
  htmx.trigger("#poll", "poll");
}

function fail(row, reason, retry = true) {
  row.classList.add("failed");
  row.querySelector(".reason").textContent = reason;
  row.querySelector(".state").textContent = "";
  show(row, { retry });
}

function show(row, { progress = false, cancel = false, retry = false }) {
  row.querySelector("progress").hidden = !progress;
  row.querySelector(".cancel").hidden = !cancel;
  row.querySelector(".retry").hidden = !retry;
}

// The error in a response of the API: {"detail": "…"}, or {"file": ["…"]}.
function errorText(response) {
  return Object.values(response ?? {}).flat().join(" ") || form.dataset.rejected;
}
