// The one connection to the server: tells what it knows, and says honestly when it knows nothing.

const SILENT = 4000; // milliseconds without a word, after which the page says so
const LONGEST = 5000; // between two attempts

export class Link {
  // on: {message(object, first), picture(stream, jpeg) -> Promise, state(object)}
  constructor(on) {
    this.on = on;
    this.watched = "{}";
    this.tries = 0;
    this.heard = performance.now();
    this.open();
    setInterval(() => this.look(), 500);
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = (this.socket = new WebSocket(`${scheme}//${location.host}/live`));
    let first = true;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.tries = 0;
      this.heard = performance.now();
      socket.send(`{"watch":${this.watched}}`);
    };
    socket.onmessage = async (event) => {
      this.heard = performance.now();
      if (typeof event.data === "string") {
        this.on.message(JSON.parse(event.data), first);
        first = false;
        this.tell("up");
        return;
      }
      const stream = new DataView(event.data).getUint16(0, true);
      try {
        await this.on.picture(stream, new Blob([new Uint8Array(event.data, 6)], { type: "image/jpeg" }));
      } finally {
        if (socket.readyState === WebSocket.OPEN) socket.send(`{"seen":${stream}}`);
      }
    };
    socket.onclose = () => this.again();
  }

  again() {
    const wait = Math.min(LONGEST, 500 * 2 ** this.tries++) * (0.5 + Math.random() / 2);
    this.retry = performance.now() + wait;
    this.tell("lost");
    setTimeout(() => this.open(), wait);
    if (this.tries > 1) this.ask();
  }

  // A refused WebSocket does not say why.
  async ask() {
    try {
      const answer = await fetch("/api/status", { cache: "no-store" });
      if (answer.status === 401 || answer.status === 403) this.tell("refused");
    } catch {
      // nobody there: said already
    }
  }

  look() {
    if (this.is === "up" && performance.now() - this.heard > SILENT) this.tell("silent");
    else if (this.is !== "up") this.tell(this.is);
  }

  tell(is) {
    this.is = is;
    const now = performance.now();
    this.on.state({ is, heard: (now - this.heard) / 1000, retry: Math.max(0, ((this.retry ?? now) - now) / 1000) });
  }

  // wanted: {stream: pixels across}
  watch(wanted) {
    const text = JSON.stringify(wanted);
    if (text === this.watched) return;
    this.watched = text;
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(`{"watch":${text}}`);
  }
}
