// What is always in sight: panic, the patch, latency, voices, counters, and whether struck is there at all.

const element = (id) => document.getElementById(id);
// How the tempo is known, with a sign beside the word: a colour alone would not do.
const CLOCKS = { own: "own", locked: "\u25cf locked", waiting: "\u25cb waiting", dropout: "\u26a0 lost", off: "off" };
const value = (id) => element(id).querySelector("dd");

export class Head {
  #connection;
  #patch = "";
  #names = [];

  constructor(connection) {
    this.#connection = connection;
    element("panic").addEventListener("click", () => connection.send("/struck/panic"));
    element("previous").addEventListener("click", () => this.#step(-1));
    element("next").addEventListener("click", () => this.#step(1));
    element("patches").addEventListener("change", (event) => this.#load(event.target.value));
    connection.addEventListener("frame", ({ detail }) => this.#frame(detail));
    connection.addEventListener("status", ({ detail }) => this.#status(detail));
  }

  say(text) {
    const notice = element("notice");
    if (notice.textContent !== text) notice.textContent = text;
    notice.classList.toggle("empty", !text);
  }

  #load(name) {
    this.#connection.send("/struck/patch", ["s", name]);
  }

  #step(by) {
    const count = this.#names.length;
    if (count) this.#load(this.#names[(this.#names.indexOf(this.#patch) + by + count) % count]);
  }

  #show(name) {
    this.#patch = name;
    const list = element("patches");
    const names = this.#names.includes(name) ? this.#names : [name, ...this.#names];
    if (list.dataset.names !== names.join()) {
      list.dataset.names = names.join();
      list.replaceChildren(...names.map((one) => new Option(one, one)));
    }
    if (document.activeElement !== list || list.value !== name) list.value = name;
  }

  #frame(frame) {
    const voices = String(frame.voices);
    if (value("voices").textContent !== voices) value("voices").textContent = voices;
    for (const [address, name] of frame.changes ?? []) if (address === "/struck/patch") this.#show(name);
  }

  #status(status) {
    this.#names = status.patches;
    this.#show(status.patch);
    const { total_seconds: total, ...parts } = status.latency;
    value("latency").textContent = `${(1000 * total).toFixed(0)} ms`;
    element("latency").title = Object.entries(parts)
      .map(([part, seconds]) => `${part.replace("_seconds", "").replaceAll("_", " ")} ${(1000 * seconds).toFixed(1)} ms`)
      .join("\n");
    const { bpm, state, leader } = status.tempo;
    const how = (CLOCKS[state] ?? state) + (leader && leader !== "clock" ? ` (${leader})` : "");
    value("tempo").textContent = bpm ? `${bpm.toFixed(1)} ${how}` : how;
    const counters = Object.entries(status.counters).map(([name, count]) => `${name.replaceAll("_", " ")} ${count}`);
    const list = element("counters");
    if (list.dataset.text !== counters.join()) {
      list.dataset.text = counters.join();
      list.replaceChildren(
        ...counters.map((text) => {
          const item = document.createElement("li");
          item.textContent = text;
          return item;
        }),
      );
      list.hidden = !counters.length;
    }
  }
}
