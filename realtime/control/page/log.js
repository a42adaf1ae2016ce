// What struck told, the latest first, and who is connected.

const MOST = 100;

export class Log {
  #last = 0;

  constructor(connection, lines, peers) {
    connection.addEventListener("hello", () => {
      this.#last = 0;
      lines.replaceChildren();
    });
    connection.addEventListener("status", ({ detail }) => {
      for (const [number, text] of detail.log) {
        if (number <= this.#last) continue;
        this.#last = number;
        const item = document.createElement("li");
        item.textContent = text;
        lines.prepend(item);
      }
      while (lines.children.length > MOST) lines.lastChild.remove();
      if (peers.dataset.text === detail.peers.join()) return;
      peers.dataset.text = detail.peers.join();
      peers.replaceChildren(
        ...detail.peers.map((text) => {
          const item = document.createElement("li");
          item.textContent = text;
          return item;
        }),
      );
    });
  }
}
