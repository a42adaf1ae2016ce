// A slider for each address with one ranged number: made from the same table that OSCQuery tells.

const STEPS = 400;
// What comes back of one's own hand is old; the slider is left alone for this long after the last move.
const HELD = 350;

function scale(low, high) {
  // A factor moves in equal ratios.
  if (low > 0 && high / low >= 50) {
    return {
      value: (place) => low * (high / low) ** place,
      place: (value) => Math.log(value / low) / Math.log(high / low),
    };
  }
  return {
    value: (place) => low + (high - low) * place,
    place: (value) => (value - low) / (high - low),
  };
}

const UNITS = { "gain.db": "dB", "time.second": "s", "time.hz": "Hz", "time.bpm": "BPM" };

class Slider {
  #connection;
  #address;
  #scale;
  #held = -Infinity;
  #waiting = null;

  constructor(node, name, connection, target) {
    const [{ MIN, MAX }] = node.RANGE;
    this.#connection = connection;
    this.#address = node.FULL_PATH;
    this.#scale = scale(MIN, MAX);
    this.unit = UNITS[node.UNIT?.[0]] ?? node.UNIT?.[0] ?? "";
    this.digits = MAX - MIN > 20 ? 1 : 2;
    this.element = document.createElement("div");
    this.element.className = "slider";
    const label = document.createElement("label");
    label.textContent = name.replace(/_db$/, "").replaceAll("_", " ");
    label.title = node.DESCRIPTION;
    this.input = document.createElement("input");
    Object.assign(this.input, { type: "range", min: 0, max: STEPS, step: 1, id: "slider-" + node.FULL_PATH });
    label.htmlFor = this.input.id;
    this.output = document.createElement("output");
    this.output.htmlFor = this.input.id;
    this.input.addEventListener("input", () => this.#move());
    this.element.append(label, this.output, this.input);
    this.element.dataset.target = target;
    this.element.dataset.address = node.FULL_PATH;
    this.show(node.VALUE[0], true);
  }

  #move() {
    const value = this.#scale.value(this.input.valueAsNumber / STEPS);
    this.#held = performance.now();
    this.#write(value);
    if (this.#waiting === null) requestAnimationFrame(() => this.#send());
    this.#waiting = value;
  }

  #send() {
    this.#connection.send(this.#address, ["f", this.#waiting]);
    this.#waiting = null;
  }

  show(value, now = false) {
    if (!now && performance.now() - this.#held < HELD) {
      // Another hand may have the last word: look again when this one has let go.
      clearTimeout(this.later);
      this.later = setTimeout(() => this.show(value), HELD);
      return;
    }
    clearTimeout(this.later);
    this.input.value = Math.round(this.#scale.place(value) * STEPS);
    this.#write(value);
  }

  #write(value) {
    const text = `${value.toFixed(this.digits)}${this.unit ? " " + this.unit : ""}`;
    this.output.textContent = text;
    this.input.setAttribute("aria-valuetext", text);
  }
}

export class Controls {
  #connection;
  #element;
  #sliders = new Map();
  #meanwhile = null; // changes that come while the tree is on its way

  constructor(connection, element) {
    this.#connection = connection;
    this.#element = element;
    connection.addEventListener("frame", ({ detail }) => {
      for (const [address, value] of detail.changes ?? []) {
        this.#meanwhile?.set(address, value);
        this.#sliders.get(address)?.show(value);
      }
    });
  }

  async load() {
    const meanwhile = (this.#meanwhile = new Map());
    const answer = await fetch("/struck");
    const { CONTENTS } = await answer.json();
    const focused = document.activeElement?.id;
    this.#sliders.clear();
    const groups = [this.#group(CONTENTS.control)];
    for (const kind of ["insert", "transform"]) {
      for (const [name, container] of Object.entries(CONTENTS[kind]?.CONTENTS ?? {})) {
        const title = document.createElement("h3");
        title.textContent = container.DESCRIPTION || name;
        groups.push(title, this.#group(container, `${kind}/${name}/`));
      }
    }
    this.#element.replaceChildren(...groups);
    for (const [address, value] of meanwhile) this.#sliders.get(address)?.show(value, true);
    if (this.#meanwhile === meanwhile) this.#meanwhile = null;
    if (focused) document.getElementById(focused)?.focus();
    return CONTENTS;
  }

  #group({ CONTENTS }, above = "") {
    const group = document.createElement("div");
    group.className = "sliders";
    for (const [name, node] of Object.entries(CONTENTS)) {
      if (node.RANGE?.length !== 1 || node.TYPE !== "f") continue;
      const slider = new Slider(node, name, this.#connection, above + name);
      this.#sliders.set(node.FULL_PATH, slider);
      group.append(slider.element);
    }
    return group;
  }

  enable(enabled) {
    for (const slider of this.#sliders.values()) slider.input.disabled = !enabled;
  }
}
