// Pads that play phrases: pressed, a phrase goes on from the next beat; pressed again, it ends.

const NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

export class Pads {
  #connection;
  #grid;
  #sounding = new Set();
  #octave = 4;
  #velocity = 100;

  constructor(connection, grid, octave, velocity) {
    this.#connection = connection;
    this.#grid = grid;
    octave.replaceChildren(...[1, 2, 3, 4, 5, 6].map((number) => new Option(number, number)));
    octave.value = this.#octave;
    octave.addEventListener("change", () => {
      this.#octave = Number(octave.value);
      this.#build();
    });
    velocity.replaceChildren(...[40, 70, 100, 127].map((number) => new Option(number, number)));
    velocity.value = this.#velocity;
    velocity.addEventListener("change", () => (this.#velocity = Number(velocity.value)));
    this.#build();
  }

  #build() {
    this.#grid.replaceChildren(...NAMES.map((name, step) => this.#pad(name, 12 * (this.#octave + 1) + step)));
  }

  #pad(name, pitch) {
    const pad = document.createElement("button");
    pad.type = "button";
    pad.textContent = name + this.#octave;
    const show = () => pad.setAttribute("aria-pressed", this.#sounding.has(pitch));
    show();
    pad.addEventListener("click", () => {
      const begins = !this.#sounding.has(pitch);
      if (!this.#connection.send("/struck/phrase", ["i", pitch], ["i", begins ? this.#velocity : 0], ["s", ""])) return;
      if (begins) this.#sounding.add(pitch);
      else this.#sounding.delete(pitch);
      show();
    });
    return pad;
  }

  silence() {
    this.#sounding.clear();
    this.#build();
  }

  enable(enabled) {
    for (const pad of this.#grid.children) pad.disabled = !enabled;
  }
}
