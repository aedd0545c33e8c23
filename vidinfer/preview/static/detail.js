// One stream, large: its picture, every figure, its charts.

import { Charts } from "./charts.js";
import { paint, say, veil } from "./tile.js";
import { count, ms, plain, rate, share, state, sum, time } from "./words.js";

const COLUMNS = ["p50", "p95", "p99", "max"];

function table(title, head, rows, kind = "") {
  const made = document.createElement("table");
  made.className = kind;
  made.createCaption().textContent = title;
  const cell = (row, tag, text) => {
    const one = row.appendChild(document.createElement(tag));
    one.textContent = text;
    return one;
  };
  if (head) {
    const row = made.createTHead().insertRow();
    for (const text of head) cell(row, "th", text).scope = "col";
  }
  const body = made.createTBody();
  for (const [name, ...values] of rows) {
    const row = body.insertRow();
    cell(row, "th", name).scope = "row";
    for (const value of values) cell(row, "td", value);
  }
  return made;
}

export class Detail {
  // changed(): another stream, or none, is shown
  constructor(dialog, changed) {
    this.dialog = dialog;
    this.changed = changed;
    this.stream = null;
    this.streams = 0;
    const find = (selector) => dialog.querySelector(selector);
    this.parts = {
      name: find("h2"), chip: find(".chip"), screen: find(".screen"), canvas: find("canvas"), veil: find(".veil"),
      facts: find(".facts"),
    };
    this.charts = new Charts(find(".charts"), { batches: false });
    const actions = { close: () => dialog.close(), next: () => this.step(1), previous: () => this.step(-1) };
    for (const button of dialog.querySelectorAll("[data-do]")) button.addEventListener("click", actions[button.dataset.do]);
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowRight") this.step(1);
      if (event.key === "ArrowLeft") this.step(-1);
    });
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => {
      this.stream = null;
      changed();
    });
  }

  open(stream) {
    this.stream = stream;
    this.pictured = false;
    const { canvas } = this.parts;
    canvas.getContext("2d", { alpha: false }).clearRect(0, 0, canvas.width, canvas.height);
    if (!this.dialog.open) this.dialog.showModal();
    this.changed();
  }

  step(by) {
    if (this.stream != null && this.streams > 1) this.open((this.stream + by + this.streams) % this.streams);
  }

  get pixels() {
    return Math.round(this.parts.screen.clientWidth * (devicePixelRatio || 1));
  }

  paint(bitmap) {
    this.pictured = true;
    paint(this.parts.canvas, bitmap);
  }

  show(status, points, age) {
    this.streams = status.streams.length;
    const stream = status.streams[this.stream];
    if (!stream) return;
    const { name, canvas, facts } = this.parts;
    say(name, stream.name);
    canvas.setAttribute("aria-label", `Picture of ${stream.name}`);
    this.tick(stream, age);
    const tables = [this.words(stream), this.latency(stream, status.latency_slo), this.frames(stream)];
    if (stream.outlets.length) tables.push(this.outlets(stream));
    facts.replaceChildren(...tables);
    this.charts.show(points, this.stream, status.latency_slo);
  }

  tick(stream, age) {
    this.parts.chip.dataset.state = stream.state;
    this.parts.chip.textContent = state(stream, age);
    const said = veil(stream, age, this.pictured);
    say(this.parts.veil, said);
    this.parts.screen.classList.toggle("old", Boolean(said));
  }

  words(stream) {
    const rows = [
      ["address", stream.address],
      ["picture", stream.size ? `${stream.size.join(" × ")}${stream.codec ? `, ${stream.codec}` : ""}` : "–"],
      ["frames/s", `${rate(stream.frames_per_second)}, ${rate(stream.labels_per_second)} labelled`],
      ["connection", `${stream.state} for ${time(stream.seconds_in_state)}, epoch ${stream.epoch}, reconnected ${count(stream.reconnects)} ×`],
    ];
    if (stream.flags.length) rows.push(["look at", stream.flags.map(plain).join(", ")]);
    if (stream.shed !== "nothing") rows.push(["shedding", plain(stream.shed)]);
    rows.push(["last error", stream.error || "none"]);
    const made = table("Stream", null, rows, "words");
    if (stream.error) made.rows[rows.length - 1].cells[1].className = "error";
    return made;
  }

  latency(stream, slo) {
    const rows = Object.entries(stream.latency).map(([stage, one]) => [plain(stage), ...COLUMNS.map((c) => ms(one[c]))]);
    const budget = slo == null ? "" : `, budget ${ms(1000 * slo)}`;
    const made = table(`Latency, ms, last minute${budget}`, ["", ...COLUMNS], rows);
    made.title = "p99 needs 662 samples";
    return made;
  }

  frames(stream) {
    const { frames } = stream;
    const rows = [["decoded", count(frames.decoded), ""], ["labelled", count(frames.labelled), share(frames.labelled, frames.decoded)]];
    for (const kind of ["dropped", "skipped"]) {
      for (const [reason, n] of Object.entries(frames[kind])) {
        if (n || kind === "dropped") rows.push([`${kind}: ${plain(reason)}`, count(n), share(n, frames.decoded)]);
      }
    }
    for (const kind of ["corrupt", "failed"]) rows.push([kind, count(frames[kind]), share(frames[kind], frames.decoded)]);
    const settled = frames.labelled + frames.corrupt + frames.failed + sum(frames.dropped) + sum(frames.skipped);
    rows.push(["on their way", count(frames.decoded - settled), ""]);
    rows.push(["gaps", count(frames.gaps), frames.packets_lost ? `${count(frames.packets_lost)} packets` : ""]);
    return table("Frames since the start", null, rows);
  }

  outlets(stream) {
    const rows = stream.outlets.map((o) => [o.name, count(o.written), count(o.dropped), count(o.waiting), o.error || "well"]);
    return table("Outputs", ["", "written", "left out", "waiting", ""], rows);
  }
}
