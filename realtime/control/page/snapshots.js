// Snapshots of the controls, where struck has them: a tap goes there; after Save, the next tap saves.

const COUNT = 8;

export class Snapshots {
  #connection;
  #element;
  #saves = false;
  #save = null;

  constructor(connection, element) {
    this.#connection = connection;
    this.#element = element;
  }

  load(tree) {
    this.#element.hidden = !tree.do;
    if (!tree.do || this.#save) return;
    this.#save = this.#button("Save", () => this.#arm(!this.#saves));
    this.#arm(false);
    const numbers = Array.from({ length: COUNT }, (_, index) =>
      this.#button(`Snapshot ${index + 1}`, () => this.#press(index + 1)),
    );
    const rest = [
      this.#button("A / B", () => this.#do("snapshot/back")),
      this.#button("Stop", () => this.#do("snapshot/stop")),
      this.#button("Undo", () => this.#do("undo")),
    ];
    this.#element.replaceChildren(...numbers, this.#save, ...rest);
  }

  enable(enabled) {
    for (const button of this.#element.children) button.disabled = !enabled;
  }

  #button(text, press) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", press);
    return button;
  }

  #arm(saves) {
    this.#saves = saves;
    this.#save.setAttribute("aria-pressed", saves);
  }

  #press(number) {
    this.#do(this.#saves ? `snapshot/save/${number}` : `snapshot/${number}`);
    this.#arm(false);
  }

  #do(name) {
    this.#connection.send("/struck/do", ["s", name], ["f", 1]);
  }
}
