// A moving line chart on a canvas.

const SPAN = 300; // seconds
const GAP = 3.5; // seconds without a point, from which a line is broken
const LEFT = 36, RIGHT = 6, TOP = 6, BOTTOM = 16;

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function ceiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 5, 8, 10].map((m) => m * power).find((top) => top >= value * 1.02) ?? 20 * power;
}

export class Chart {
  // format(value) -> text; whole: ticks are whole numbers
  constructor(parent, title, { format, whole = false }) {
    Object.assign(this, { title, format, whole, series: [], limit: null, now: 0, cursor: null });
    const figure = document.createElement("figure");
    figure.className = "chart";
    this.caption = figure.appendChild(document.createElement("figcaption"));
    this.canvas = figure.appendChild(document.createElement("canvas"));
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    parent.append(figure);
    this.canvas.addEventListener("pointermove", (event) => this.point(event.offsetX));
    this.canvas.addEventListener("pointerleave", () => this.point(null));
    this.canvas.addEventListener("blur", () => this.point(null));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  // series: [{name, colour, points: [[t, value or null], …]}]; limit: {name, value} or null
  show(now, series, limit = null) {
    Object.assign(this, { now, series, limit });
    this.draw();
    const values = series.map((one) => `${one.name} ${this.text(one.points.at(-1)?.[1])}`);
    const said = `${this.title}: ${values.join(", ") || "none"}${limit ? `, ${limit.name} ${this.text(limit.value)}` : ""}`;
    if (performance.now() - (this.said ?? -1e9) > 5000) {
      this.canvas.setAttribute("aria-label", `${said}. Last five minutes.`);
      this.said = performance.now();
    }
  }

  text(value) {
    return value == null ? "–" : this.format(value);
  }

  point(x) {
    const width = this.canvas.clientWidth - LEFT - RIGHT;
    this.cursor = x == null ? null : Math.min(SPAN, Math.max(0, SPAN * (1 - (x - LEFT) / width)));
    this.draw();
  }

  key(event) {
    const step = { ArrowLeft: 5, ArrowRight: -5 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation(); // in the large view they would change the stream
    this.cursor = Math.min(SPAN, Math.max(0, (this.cursor ?? 0) + step));
    this.draw();
    const values = this.series.map((one) => `${one.name} ${this.text(this.at(one.points))}`);
    this.canvas.setAttribute("aria-label", `${Math.round(this.cursor)} seconds ago: ${values.join(", ")}`);
    this.said = performance.now();
  }

  // The value under the cursor, or the newest.
  at(points) {
    if (this.cursor == null) return points.at(-1)?.[1];
    const time = this.now - this.cursor;
    let best = null;
    for (const one of points) if (!best || Math.abs(one[0] - time) < Math.abs(best[0] - time)) best = one;
    return best && Math.abs(best[0] - time) < GAP ? best[1] : null;
  }

  draw() {
    const { canvas } = this;
    const width = canvas.clientWidth, height = canvas.clientHeight, dense = devicePixelRatio || 1;
    if (!width || !height) return;
    const [w, h] = [Math.round(width * dense), Math.round(height * dense)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    const pen = canvas.getContext("2d");
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, width, height);
    const values = this.series.flatMap((one) => one.points.map((p) => p[1] ?? 0));
    let top = ceiling(Math.max(0, ...values, this.limit?.value ?? 0));
    if (this.whole) top = Math.max(top, 4);
    const x = (t) => LEFT + (width - LEFT - RIGHT) * (1 - (this.now - t) / SPAN);
    const y = (v) => height - BOTTOM - (height - TOP - BOTTOM) * (v / top);
    this.axes(pen, width, height, top, x, y);
    for (const one of this.series) this.line(pen, one, x, y);
    if (this.limit) this.rule(pen, width, y(this.limit.value));
    if (this.cursor != null) {
      pen.fillStyle = css("--soft");
      pen.fillRect(x(this.now - this.cursor), TOP, 1, height - TOP - BOTTOM);
    }
    this.legend();
  }

  axes(pen, width, height, top, x, y) {
    pen.font = "11px system-ui, sans-serif";
    pen.lineWidth = 1;
    pen.strokeStyle = css("--grid");
    pen.fillStyle = css("--soft");
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const share of [0, 0.5, 1]) {
      const at = Math.round(y(top * share)) + 0.5;
      pen.beginPath();
      pen.moveTo(LEFT, at);
      pen.lineTo(width - RIGHT, at);
      pen.stroke();
      pen.fillText(this.format(top * share).replace(/\.0$/, ""), LEFT - 5, at);
    }
    pen.textBaseline = "alphabetic";
    for (let ago = 0; ago <= SPAN; ago += 60) {
      pen.textAlign = ago ? (ago === SPAN ? "left" : "center") : "right";
      const unit = ago === SPAN && width > 320 ? " min" : "";
      pen.fillText(ago ? `−${ago / 60}${unit}` : "now", x(this.now - ago), height - 3);
    }
  }

  line(pen, { points, colour }, x, y) {
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, 0, pen.canvas.clientWidth, pen.canvas.clientHeight);
    pen.clip();
    pen.strokeStyle = css(colour);
    pen.lineWidth = 1.6;
    pen.lineJoin = "round";
    pen.beginPath();
    let before = null;
    for (const [t, value] of points) {
      if (value == null) before = null;
      else {
        if (before == null || t - before > GAP) pen.moveTo(x(t) - 0.8, y(value));
        pen.lineTo(x(t), y(value));
        before = t;
      }
    }
    pen.stroke();
    pen.restore();
  }

  rule(pen, width, at) {
    pen.strokeStyle = css("--limit");
    pen.lineWidth = 1.5;
    pen.setLineDash([6, 4]);
    pen.beginPath();
    pen.moveTo(LEFT, at);
    pen.lineTo(width - RIGHT, at);
    pen.stroke();
    pen.setLineDash([]);
    pen.fillStyle = css("--limit");
    pen.textAlign = "right";
    pen.fillText(`${this.limit.name} ${this.text(this.limit.value)}`, width - RIGHT, at < 20 ? at + 12 : at - 4);
  }

  legend() {
    const title = document.createElement("b");
    title.textContent = this.title;
    if (this.cursor != null) title.textContent += `, ${Math.round(this.cursor)} s ago`;
    const keys = this.series.map((one) => [one.name, one.colour, this.at(one.points)]);
    this.caption.replaceChildren(title, ...keys.map(([name, colour, value]) => {
      const key = document.createElement("span"), swatch = document.createElement("i"), text = document.createElement("span");
      key.className = "key";
      swatch.style.background = `var(${colour})`;
      text.textContent = this.text(value);
      key.append(swatch, `${name} `, text);
      return key;
    }));
  }
}
