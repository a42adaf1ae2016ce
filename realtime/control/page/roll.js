// The events, scrolling: time by pitch, size by gain, and each kind with a colour and a shape of its own.

const SPAN = 8; // seconds in sight
const AHEAD = 0.12; // share of the width right of now, for what is known and not yet heard
const LOW = 24;
const HIGH = 108;
const MOST = 1500;
const KINDS = {
  heard: { name: "heard", colour: "#7fd1ff", shape: "round" },
  midi: { name: "MIDI", colour: "#ffc65c", shape: "square" },
  osc: { name: "OSC", colour: "#c79bff", shape: "diamond" },
  phrase: { name: "phrase", colour: "#7be495", shape: "block" },
  held: { name: "held", colour: "#ff9db0", shape: "square" },
};

function drawHead(context, shape, x, y, size) {
  context.beginPath();
  if (shape === "round") context.arc(x, y, size, 0, 2 * Math.PI);
  else if (shape === "diamond") {
    context.moveTo(x, y - 1.3 * size);
    context.lineTo(x + 1.3 * size, y);
    context.lineTo(x, y + 1.3 * size);
    context.lineTo(x - 1.3 * size, y);
  } else if (shape === "square") context.rect(x - size, y - size, 2 * size, 2 * size);
  else context.rect(x - size / 2, y - 1.5 * size, size, 3 * size);
  context.fill();
}

export class Roll {
  #canvas;
  #text;
  #events = new Map();
  #offset = null; // stream time minus the clock of this page, seconds
  #delay = 0; // from leaving the engine to being heard
  #told = 0;
  #begun = [];
  #sounding = new Map();
  #blocks = [];

  constructor(connection, canvas, text, legend) {
    this.#canvas = canvas;
    this.#text = text;
    connection.addEventListener("frame", ({ detail }) => this.#frame(detail));
    connection.addEventListener("status", ({ detail }) => {
      this.#delay = detail.latency.output_device_seconds ?? 0;
    });
    connection.addEventListener("lost", () => {
      this.#offset = null;
      this.#events.clear();
      this.#sounding.clear();
      this.#blocks = [];
    });
    for (const kind of Object.values(KINDS)) legend.append(this.#legend(kind));
    const draw = () => {
      this.#draw();
      requestAnimationFrame(draw);
    };
    requestAnimationFrame(draw);
  }

  #legend({ name, colour, shape }) {
    const item = document.createElement("li");
    const mark = document.createElement("canvas");
    mark.width = mark.height = 32;
    mark.setAttribute("aria-hidden", "true");
    const context = mark.getContext("2d");
    context.fillStyle = colour;
    drawHead(context, shape, 16, 16, 8);
    item.append(mark, name);
    return item;
  }

  get count() {
    return this.#events.size;
  }

  #frame(frame) {
    const ahead = frame.t - performance.now() / 1000;
    // A frame that was held up says less than one that was not: the clock follows the earliest.
    if (this.#offset === null || ahead > this.#offset || this.#offset - ahead > 1) this.#offset = ahead;
    else this.#offset += 0.002 * (ahead - this.#offset);
    for (const found of frame.events ?? []) this.#take(found);
    this.#phrase(frame.t, frame.phrases ?? []);
  }

  #take(found) {
    const known = this.#events.get(found.id);
    if (found.kind === "end") {
      if (known) known.until = Math.min(known.until, found.at + known.release);
    } else if (found.kind === "amendment") {
      if (known) {
        known.states.push({ at: found.at, pitch: found.pitch, gain: found.gain });
        known.until = found.until;
        if (known.states.length > 64) known.states.splice(1, 1);
      }
    } else {
      const { id, at, kind, pitch, gain, noise, release, until } = found;
      this.#events.set(id, { at, kind, noise, release, until, states: [{ at, pitch, gain }] });
      this.#begun.push(at);
      if (this.#begun.length > MOST) this.#begun.shift(); // a page out of sight draws nothing, and tidies nothing up
      if (this.#events.size > MOST) this.#events.delete(this.#events.keys().next().value);
    }
  }

  // Phrases are sound, not events: a block for as long as their slot of the player sounds.
  #phrase(now, slots) {
    for (const slot of slots) {
      if (!this.#sounding.has(slot)) {
        const block = { slot, from: now, until: null };
        this.#sounding.set(slot, block);
        this.#blocks.push(block);
      }
    }
    for (const [slot, block] of this.#sounding) {
      if (slots.includes(slot)) continue;
      block.until = now;
      this.#sounding.delete(slot);
    }
    this.#blocks = this.#blocks.filter(({ until }) => until === null || until > now - SPAN - 1);
  }

  #drawBlocks(context, height, now, x) {
    context.font = "11px system-ui, sans-serif";
    for (const { slot, from, until } of this.#blocks) {
      const left = Math.max(-2, x(from));
      const row = height - 16 * ((slot % 4) + 1);
      const width = Math.max(2, x(until ?? now) - left);
      context.fillStyle = "#1d4a2c";
      context.strokeStyle = KINDS.phrase.colour;
      context.lineWidth = 1;
      context.fillRect(left, row, width, 13);
      context.strokeRect(left + 0.5, row + 0.5, width - 1, 12);
      context.fillStyle = "#e8eef5";
      if (width > 60) context.fillText(`phrase ${slot + 1}`, Math.max(4, left + 4), row + 7);
    }
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const ratio = window.devicePixelRatio || 1;
    if (!width || this.#offset === null) return;
    if (this.#canvas.width !== Math.round(width * ratio)) this.#canvas.width = Math.round(width * ratio);
    if (this.#canvas.height !== Math.round(height * ratio)) this.#canvas.height = Math.round(height * ratio);
    const context = this.#canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const now = performance.now() / 1000 + this.#offset - this.#delay;
    const nowX = width * (1 - AHEAD);
    const x = (seconds) => nowX + ((seconds - now) * nowX) / SPAN;
    const y = (pitch) => height * (1 - (pitch - LOW + 2) / (HIGH - LOW + 4));
    this.#grid(context, width, height, nowX, y);
    for (const [id, event] of this.#events) {
      if (event.until < now - SPAN - 1 && event.at < now - SPAN - 1) this.#events.delete(id);
      else this.#event(context, event, now, x, y);
    }
    this.#drawBlocks(context, height, now, x);
    this.#tell(now);
  }

  #grid(context, width, height, nowX, y) {
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    for (let pitch = LOW; pitch <= HIGH; pitch += 12) {
      context.fillStyle = "#232b35";
      context.fillRect(0, y(pitch), width, 1);
      context.fillStyle = "#9aa7b5";
      context.fillText(`C${pitch / 12 - 1}`, 4, y(pitch));
    }
    context.fillStyle = "#e8eef5";
    context.fillRect(nowX, 0, 1, height);
  }

  #event(context, event, now, x, y) {
    const { colour, shape } = KINDS[event.kind] ?? KINDS.heard;
    const { states } = event;
    context.fillStyle = colour;
    context.strokeStyle = colour;
    context.lineCap = "butt";
    for (let index = 0; index < states.length; index += 1) {
      const from = states[index];
      const end = states[index + 1]?.at ?? Math.max(event.until, from.at);
      context.lineWidth = Math.max(1, 7 + from.gain / 8);
      context.globalAlpha = from.at > now ? 0.35 : 0.75;
      context.setLineDash(event.noise > 0.6 ? [2, 3] : []);
      context.beginPath();
      context.moveTo(x(from.at), y(from.pitch));
      context.lineTo(x(end), y(states[index + 1]?.pitch ?? from.pitch));
      context.stroke();
      if (index) context.fillRect(x(from.at), y(from.pitch) - 4, 1, 8); // where it was amended
    }
    context.setLineDash([]);
    context.globalAlpha = event.at > now ? 0.5 : 1;
    drawHead(context, shape, x(event.at), y(states[0].pitch), Math.max(2.5, 9 + states[0].gain / 6));
    context.globalAlpha = 1;
  }

  #tell(now) {
    if (performance.now() - this.#told < 2000) return;
    this.#told = performance.now();
    this.#begun = this.#begun.filter((at) => at > now - 4 && at <= now);
    this.#text.textContent = `${(this.#begun.length / 4).toFixed(1)} events per second, ${this.#events.size} in sight`;
  }
}
