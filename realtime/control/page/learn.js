// Learning: a tap says what, a move of a controller says by which. It stays at it until it is switched off.

export class Learn {
  #connection;
  #element;
  #sliders;
  #button;
  #text;
  #on = false;
  #state = { possible: false };

  constructor(connection, element, sliders) {
    this.#connection = connection;
    this.#element = element;
    this.#sliders = sliders;
    this.#button = element.querySelector("button");
    this.#text = element.querySelector("p");
    this.#button.addEventListener("click", () => this.#switch(!this.#on));
    connection.addEventListener("status", ({ detail }) => {
      this.#state = detail.learning;
      this.#element.hidden = !this.#state.possible;
      this.#show();
    });
  }

  // Gives each slider its button; called when the sliders are made anew.
  attach() {
    for (const slider of this.#sliders.querySelectorAll(".slider")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "learn";
      button.addEventListener("click", () => this.#press(slider.dataset.target));
      slider.append(button);
    }
    this.#show();
  }

  enable(enabled) {
    this.#button.disabled = !enabled;
    if (!enabled) this.#on = false;
    this.#show();
  }

  #switch(on) {
    this.#on = on;
    if (!on) this.#connection.send("/struck/learn", ["s", ""]);
    this.#show();
  }

  #press(target) {
    if (this.#source(target)) this.#connection.send("/struck/unlearn", ["s", target]);
    else this.#connection.send("/struck/learn", ["s", target]);
  }

  #source(target) {
    return this.#state.learned?.find(([name]) => name === target)?.[1];
  }

  #show() {
    this.#button.setAttribute("aria-pressed", this.#on);
    for (const button of this.#sliders.querySelectorAll("button.learn")) {
      const { target } = button.parentElement.dataset;
      const source = this.#source(target);
      const waits = this.#state.target === target;
      button.hidden = !this.#on;
      const text = waits ? "move a controller" : source ? `unlearn ${source}` : `learn ${target.split("/").pop().replaceAll("_", " ")}`;
      if (button.textContent !== text) button.textContent = text;
      button.setAttribute("aria-pressed", waits);
    }
    const seen = this.#state.seen?.length ? `Moved lately: ${this.#state.seen.join(", ")}` : "Nothing was moved yet";
    const text = this.#on ? seen : "";
    if (this.#text.textContent !== text) this.#text.textContent = text;
  }
}
