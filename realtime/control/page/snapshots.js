// Snapshots of the controls: a tap goes there; after Save, the next tap saves. A setlist, step by step.

const COUNT = 8;

export class Snapshots {
  #connection;
  #element;
  #saves = false;
  #save = null;
  #scene;
  #steps;

  constructor(connection, element, setlist) {
    this.#connection = connection;
    this.#element = element;
    this.#scene = document.createElement("output");
    this.#steps = [
      this.#button("Previous", () => this.#do("setlist/previous")),
      this.#button("Next", () => this.#do("setlist/next")),
    ];
    setlist.replaceChildren(this.#steps[0], this.#scene, this.#steps[1]);
    connection.addEventListener("status", ({ detail }) => {
      setlist.hidden = !detail.setlist;
      const text = detail.setlist?.scene ?? "Not begun";
      if (this.#scene.textContent !== text) this.#scene.textContent = text;
    });
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
    for (const button of [...this.#element.children, ...this.#steps]) button.disabled = !enabled;
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
