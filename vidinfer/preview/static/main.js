// The page: one status and one row of points, shown as tiles, figures, charts and, enlarged, one stream.

import { Charts } from "./charts.js";
import { Detail } from "./detail.js";
import { Link } from "./link.js";
import { say, Tile } from "./tile.js";
import { Warned } from "./warned.js";
import { bytes, count, rate, share, sum, time, withMs } from "./words.js";

const POINTS = 300;
const SMALLEST = 200; // pixels across of a tile beside others
const CAPTION = 72; // pixels of height

const $ = (id) => document.getElementById(id);
const page = { status: null, points: [], came: 0, held: null, tiles: [], states: [] };

const charts = new Charts(document.querySelector("#charts .charts"), { batches: true });
const detail = new Detail($("detail"), () => {
  look();
  render();
});
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) page.tiles[entry.target.dataset.stream].visible = entry.isIntersecting;
  look();
}, { rootMargin: "120px" });

const warned = new Warned($("warned"), () => fit());
const link = new Link({ message, picture, state: connection });

function message(said, first) {
  if (first || (said.points.length && said.points[0].t < (page.points.at(-1)?.t ?? 0))) page.points = [];
  page.points = [...page.points, ...said.points].slice(-POINTS);
  if (!said.status || said.status.unreadable) {
    page.unreadable = said.status?.unreadable ?? "";
    return;
  }
  page.unreadable = "";
  page.newest = { status: said.status, came: performance.now() };
  if (!page.held) render();
}

async function picture(stream, jpeg) {
  if (page.held) return;
  const bitmap = await createImageBitmap(jpeg);
  if (!page.held) {
    page.tiles[stream]?.paint(bitmap);
    if (detail.stream === stream) detail.paint(bitmap);
  }
  bitmap.close();
}

// Which pictures are wanted now, and how large.
function look() {
  const wanted = {};
  if (!page.held && !document.hidden) {
    if (detail.stream != null) wanted[detail.stream] = detail.pixels;
    else for (const tile of page.tiles) if (tile.visible) wanted[tile.index] = tile.pixels;
  }
  link.watch(wanted);
}

function render() {
  if (!page.newest) return;
  const shown = page.held ?? page;
  if (!page.held) Object.assign(page, page.newest);
  const { status } = page, points = shown.points;
  figures(status);
  warned.show(status.warned, status.warned_total);
  if (page.tiles.length !== status.streams.length) lay(status.streams.length);
  const age = ageOf();
  status.streams.forEach((stream, index) => page.tiles[index].show(stream, age));
  const model = status.model;
  say($("model"), model ? [model.name, model.backend, model.precision, model.device].filter(Boolean).join(" · ") : "loading the model…");
  charts.show(points, null, status.latency_slo);
  detail.show(status, points, age);
  announce(status);
}

// Seconds since the shown status came; none pass while the page is held.
const ageOf = () => ((page.held?.at ?? performance.now()) - page.came) / 1000;

function tick() {
  if (!page.status || document.body.classList.contains("gone")) return;
  const age = ageOf();
  page.status.streams.forEach((stream, index) => page.tiles[index]?.tick(stream, age));
  const one = page.status.streams[detail.stream];
  if (one) detail.tick(one, age);
}

function lay(streams) {
  for (const tile of page.tiles) seen.unobserve(tile.root);
  $("streams").replaceChildren();
  page.tiles = Array.from({ length: streams }, (_, index) => new Tile($("streams"), index, () => detail.open(index)));
  fit();
  for (const tile of page.tiles) seen.observe(tile.root);
}

// So many columns that all streams are on the screen, if that leaves them large enough.
function fit() {
  const room = $("streams"), n = page.tiles.length, width = room.clientWidth;
  const height = 1.25 * (innerHeight - room.getBoundingClientRect().top - scrollY);
  const most = width < 480 ? (n > 4 ? 2 : 1) : Math.max(1, Math.min(n, Math.floor(width / SMALLEST)));
  let columns = 1;
  while (columns < most && Math.ceil(n / columns) * ((width / columns) * 0.5625 + CAPTION) > height) columns++;
  room.style.setProperty("--columns", columns);
  look();
}

function figures(status) {
  const streams = status.streams, live = streams.filter((one) => one.state === "live").length;
  const frames = (kind) => streams.reduce((all, one) => all + (typeof one.frames[kind] === "number" ? one.frames[kind] : sum(one.frames[kind])), 0);
  const total = status.latency.total, p99 = total?.p99, slo = status.latency_slo;
  const percentile = p99 != null ? ["Latency p99", withMs(p99)] : ["Latency p95", withMs(total?.p95)];
  const late = slo == null ? null : share(status.over_slo, frames("labelled"));
  const all = [
    ["Streams live", count(live), `of ${count(streams.length)}`, live < streams.length],
    ["Labels/s", rate(streams.reduce((s, one) => s + (one.labels_per_second ?? 0), 0)), `of ${rate(streams.reduce((s, one) => s + (one.frames_per_second ?? 0), 0))} frames`],
    [...percentile, slo == null ? "" : `of ${withMs(1000 * slo)}`, slo != null && (p99 ?? total?.p95) > 1000 * slo],
    ...(late == null ? [] : [["Over budget", late, count(status.over_slo)]]),
    ["Dropped", share(frames("dropped"), frames("decoded")), count(frames("dropped"))],
    ...(status.service ? [["Batch of n", `${status.service[0].toFixed(1)}·n ${status.service[1] < 0 ? "-" : "+"} ${Math.abs(status.service[1]).toFixed(1)}`, "ms"]] : []),
    ["Memory", bytes(status.memory_bytes), ""],
    ["Uptime", time(status.uptime), ""],
  ];
  $("figures").replaceChildren(...all.map(([name, value, more, over]) => {
    const group = document.createElement("div"), key = document.createElement("dt"), data = document.createElement("dd");
    const small = document.createElement("small");
    group.className = over ? "over" : "";
    key.textContent = name;
    data.textContent = `${value} `;
    small.textContent = more;
    data.append(small);
    group.append(key, data);
    return group;
  }));
}

// Changes of state, for who cannot see them.
function announce(status) {
  const states = status.streams.map((one) => one.state);
  const news = status.streams.filter((one, i) => page.states[i] && page.states[i] !== one.state);
  if (news.length) $("news").textContent = news.map((one) => `${one.name}: ${one.state}`).join(", ");
  page.states = states;
}

function connection({ is, heard, retry }) {
  const gone = is !== "up";
  document.body.classList.toggle("gone", gone && Boolean(page.status));
  const pill = $("link");
  pill.dataset.state = gone ? "lost" : page.held ? "paused" : "live";
  say(pill, gone ? "no connection" : page.held ? "paused" : "connected");
  const texts = {
    lost: `No connection to vidinfer${page.status ? ` for ${time(heard)}: what you see is old` : ""}. Next attempt ${retry < 1 ? "now" : `in ${Math.ceil(retry)} s`}.`,
    silent: `vidinfer has said nothing for ${time(heard)}: what you see is old.`,
    refused: "vidinfer asks for its token again: reload this page.",
  };
  const held = page.held ? `Paused at ${page.held.clock}. Labelling goes on; only this page stands still.` : "";
  const banner = $("banner");
  banner.dataset.state = gone || page.unreadable ? "lost" : "paused";
  say(banner, texts[is] ?? (page.unreadable || held));
}

$("pause").addEventListener("click", () => {
  page.held = page.held ? null : { at: performance.now(), points: page.points, clock: new Date().toLocaleTimeString() };
  $("pause").setAttribute("aria-pressed", String(Boolean(page.held)));
  $("pause").textContent = page.held ? "Go on" : "Pause";
  look();
  render();
  link.tell(link.is);
});
addEventListener("resize", fit);
document.addEventListener("visibilitychange", look);
setInterval(tick, 500);
