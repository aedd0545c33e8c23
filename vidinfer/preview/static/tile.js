// One stream: its picture, and what is said below it.

import { drops, notes, rate, state, withMs } from "./words.js";

const NARROW = 300; // pixels across, from which all figures fit on a line

// What is written across a picture that is not of now; empty where it is.
export function veil(stream, age, pictured) {
  if (stream.state === "ended") return "Ended";
  if (stream.state !== "live") {
    const said = state(stream, age);
    return said[0].toUpperCase() + said.slice(1);
  }
  if (stream.picture_error) return `Cannot be drawn:\n${stream.picture_error}`;
  if (pictured) return "";
  return stream.frames.labelled ? "…" : "No labelled picture yet";
}

export function paint(canvas, bitmap) {
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  }
  canvas.getContext("2d", { alpha: false }).drawImage(bitmap, 0, 0);
}

// Say something in an element, and hide it where there is nothing to say.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text;
}

export class Tile {
  constructor(parent, index, enlarge) {
    this.index = index;
    this.pictured = false;
    this.visible = false;
    const root = (this.root = document.getElementById("tile").content.firstElementChild.cloneNode(true));
    const find = (selector) => root.querySelector(selector);
    this.screen = find(".screen");
    this.canvas = find("canvas");
    this.veil = find(".veil");
    this.parts = { name: find("h3"), chip: find(".chip"), rates: find(".rates"), notes: find(".notes"), error: find(".error") };
    this.screen.addEventListener("click", enlarge);
    root.dataset.stream = index;
    parent.append(root);
  }

  paint(bitmap) {
    this.pictured = true;
    paint(this.canvas, bitmap);
  }

  // Pixels across that a picture should have here.
  get pixels() {
    return Math.round(this.screen.clientWidth * (devicePixelRatio || 1));
  }

  show(stream, age) {
    this.parts.name.textContent = stream.name;
    this.parts.name.title = `${stream.name}  ${stream.address}`;
    this.tick(stream, age);
    const narrow = this.screen.clientWidth < NARROW;
    const labelled = rate(stream.labels_per_second);
    const figures = narrow ? [`${labelled}/s`] : [`${rate(stream.frames_per_second)} frames/s`, `${labelled} labels/s`];
    const p99 = stream.latency.total?.p99, p95 = stream.latency.total?.p95;
    if (p99 != null) figures.push(`p99 ${withMs(p99)}`);
    else if (p95 != null) figures.push(`p95 ${withMs(p95)}`);
    this.parts.rates.textContent = figures.join(" · ");
    const lost = drops(stream);
    say(this.parts.notes, [notes(stream), lost && `dropped ${lost}`].filter(Boolean).join(" · "));
    say(this.parts.error, stream.state === "live" ? "" : stream.error);
    this.parts.error.title = stream.error;
    this.screen.setAttribute("aria-label", `Enlarge ${stream.name}, ${stream.state}`);
  }

  // What moves between two statuses.
  tick(stream, age) {
    this.parts.chip.dataset.state = stream.state;
    this.parts.chip.textContent = stream.state;
    const said = veil(stream, age, this.pictured);
    say(this.veil, said);
    this.screen.classList.toggle("old", Boolean(said));
  }
}
