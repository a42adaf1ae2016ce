// Levels of input and output: a bar for the RMS, a line for the peak, a word where it is too loud.

const FLOOR = -60;
const place = (db) => Math.max(0, Math.min(1, 1 - db / FLOOR));

class Meter {
  constructor(name) {
    this.name = name;
    this.element = document.createElement("div");
    this.element.className = "meter";
    this.element.setAttribute("role", "meter");
    this.element.setAttribute("aria-label", `${name} level`);
    this.element.setAttribute("aria-valuemin", FLOOR);
    this.element.setAttribute("aria-valuemax", 0);
    const label = document.createElement("span");
    label.textContent = name;
    const track = document.createElement("div");
    track.className = "track";
    this.bar = document.createElement("div");
    this.bar.className = "bar";
    this.peak = document.createElement("div");
    this.peak.className = "peak";
    track.append(this.bar, this.peak);
    this.text = document.createElement("span");
    this.text.className = "level";
    this.element.append(label, track, this.text);
    this.told = 0;
  }

  show(rms, peak, now) {
    this.bar.style.transform = `scaleX(${place(rms).toFixed(4)})`;
    this.peak.style.left = `${(100 * place(peak)).toFixed(2)}%`;
    this.element.classList.toggle("loud", peak > -1);
    if (now - this.told < 250) return;
    this.told = now;
    this.text.textContent = peak > -1 ? "loud" : peak <= -90 ? "silent" : peak.toFixed(0);
    this.element.setAttribute("aria-valuenow", Math.max(FLOOR, Math.min(0, peak)).toFixed(0));
    this.element.setAttribute("aria-valuetext", peak <= -90 ? "silent" : `${peak.toFixed(0)} dB`);
  }
}

export class Meters {
  #element;
  #meters = [];

  constructor(connection, element) {
    this.#element = element;
    connection.addEventListener("frame", ({ detail }) => this.#frame(detail));
  }

  #frame(frame) {
    const levels = [...named("In", frame.in), ...named("Out", frame.out)];
    if (levels.map(([name]) => name).join() !== this.#meters.map(({ name }) => name).join()) {
      this.#meters = levels.map(([name]) => new Meter(name));
      this.#element.replaceChildren(...this.#meters.map(({ element }) => element));
    }
    const now = performance.now();
    levels.forEach(([, rms, peak], index) => this.#meters[index].show(rms, peak, now));
  }
}

function named(name, channels) {
  const sides = channels.length === 2 ? [" L", " R"] : [""];
  return channels.map(([rms, peak], index) => [name + (sides[index] ?? ` ${index + 1}`), rms, peak]);
}
