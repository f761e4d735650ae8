// Reads the demonstration page once a second while it is looked at, and shows its counters.

const INTERVAL = 1000;
const MOST_READS = 300; // then it waits for "Go on": a forgotten tab counts no further
const HEALTH_INTERVAL = 15_000;
const language = document.documentElement.lang;
const numbers = new Intl.NumberFormat(language);

function live(demo) {
  const button = demo.querySelector("button");
  const [reads, state] = demo.querySelectorAll(".demo-foot span");
  const first = new Map();
  let done = 0;
  let left = MOST_READS;

  function show({ contents }) {
    for (const { id, counter } of contents) {
      for (const row of demo.querySelectorAll(`[data-content="${id}"]`)) {
        if (!first.has(id)) first.set(id, counter);
        const shown = row.querySelector(".counter");
        if (Number(shown.value) === counter) continue;
        shown.value = counter;
        shown.textContent = numbers.format(counter);
        shown.classList.remove("moved");
        void shown.offsetWidth; // starts the animation again
        shown.classList.add("moved");
        const gained = counter - first.get(id);
        row.querySelector(".gained").textContent = gained > 0 ? `+${numbers.format(gained)}` : "";
      }
    }
  }

  async function read() {
    if (left <= 0 || document.hidden) return;
    const started = performance.now();
    try {
      const response = await fetch(demo.dataset.page, {
        headers: { Accept: "application/json" },
        cache: "no-store",
        signal: AbortSignal.timeout(5000),
      });
      if (!response.ok) throw new Error(response.status);
      show(await response.json());
      left -= 1;
      done += 1;
      const milliseconds = numbers.format(Math.max(1, Math.round(performance.now() - started)));
      reads.textContent = `${reads.dataset.reads} ${numbers.format(done)} · ${milliseconds} ${reads.dataset.milliseconds}`;
      if (state.textContent !== "") state.textContent = "";
      if (left <= 0) label();
    } catch {
      state.textContent = state.dataset.failed;
    }
  }

  function label() {
    button.textContent = left > 0 ? button.dataset.pause : button.dataset.go;
    if (left <= 0) state.textContent = state.dataset.stopped;
  }

  async function run() {
    while (left > 0) {
      await read();
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    }
    running = false;
  }

  let running = true;
  button.addEventListener("click", () => {
    left = left > 0 ? 0 : MOST_READS;
    if (left > 0) state.textContent = "";
    label();
    if (left > 0 && !running) {
      running = true;
      run();
    }
  });
  button.hidden = false;
  label();
  run();
}

async function health(line) {
  const text = line.querySelector("span");
  let shown;
  let isOk = false;
  try {
    const response = await fetch(line.dataset.readyz, { signal: AbortSignal.timeout(10_000) });
    const { detail = "" } = await response.json();
    isOk = response.ok;
    shown = isOk ? text.dataset.ok : `${text.dataset.missing} ${detail.replace(/^missing: /, "")}`;
  } catch {
    shown = text.dataset.away;
  }
  line.classList.toggle("ok", isOk);
  line.classList.toggle("bad", !isOk);
  if (text.textContent !== shown) text.textContent = shown;
  setTimeout(health, HEALTH_INTERVAL, line);
}

const demo = document.querySelector("[data-page]");
if (demo) live(demo);
health(document.querySelector("[data-readyz]"));
