// The connection to struck: opens, and opens again by itself; OSC goes out, frames and states come in.

import { message } from "./osc.js";

const FIRST_WAIT = 400;
const LONGEST_WAIT = 4000;
// Frames come thirty times a second: this long without one, and the line is dead though nobody said so.
const SILENCE = 5000;

// The token stands behind the # of the address in the terminal; it is kept for this tab, out of sight.
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("token");
}

// The terminal's address opened where the page is open already changes only what stands behind the #.
addEventListener("hashchange", () => {
  if (location.hash.startsWith("#token=")) location.reload();
});

export class Connection extends EventTarget {
  #socket = null;
  #wait = FIRST_WAIT;
  #heard = 0;
  #token = takeToken();
  mayChange = false;

  open() {
    const query = this.#token ? "?token=" + encodeURIComponent(this.#token) : "";
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/live${query}`);
    this.#socket = socket;
    this.#heard = performance.now();
    socket.addEventListener("message", (event) => this.#take(JSON.parse(event.data)));
    socket.addEventListener("close", () => this.#lost(socket));
    const watch = setInterval(() => {
      if (this.#socket !== socket) clearInterval(watch);
      else if (performance.now() - this.#heard > SILENCE && !document.hidden) {
        clearInterval(watch);
        socket.close();
        this.#lost(socket);
      }
    }, 1000);
  }

  send(address, ...values) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(message(address, ...values));
    return true;
  }

  #take(found) {
    this.#heard = performance.now();
    this.#wait = FIRST_WAIT;
    if (found.hello) {
      this.mayChange = found.hello.may_change;
      this.#tell("hello", found.hello);
    } else if (found.status) this.#tell("status", found.status);
    else this.#tell("frame", found);
  }

  #lost(socket) {
    if (this.#socket !== socket) return;
    this.#socket = null;
    this.#tell("lost", null);
    setTimeout(() => this.open(), this.#wait);
    this.#wait = Math.min(LONGEST_WAIT, this.#wait * 1.6);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
