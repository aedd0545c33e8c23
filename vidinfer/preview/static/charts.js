// Which charts there are, and what of the points goes into them.

import { Chart } from "./chart.js";
import { ms, plain, rate } from "./words.js";

// A point of all streams or of one, see history.py.
const FRAMES = 0, LABELS = 1, P50 = 2, P95 = 3, P99 = 4, DROPS = 5, MEAN = 6, LARGEST = 7;
const REASONS = { stale: "--c2", queue_full: "--c3" };
const OTHERS = ["--c4", "--c5", "--c1", "--c0"];

export class Charts {
  constructor(parent, { batches }) {
    this.rates = new Chart(parent, "Frames/s", { format: rate });
    this.latency = new Chart(parent, "Latency, ms", { format: ms });
    if (batches) this.batches = new Chart(parent, "Batch size", { format: rate, whole: true });
    this.drops = new Chart(parent, "Drops/s", { format: rate });
  }

  // points: [{t, over_all, streams}]; stream: index, or null for all; slo: seconds or null
  show(points, stream, slo) {
    const now = points.at(-1)?.t ?? 0;
    const own = (point) => (stream == null ? point.over_all : point.streams[stream]);
    const column = (name, colour, index) => ({ name, colour, points: points.map((p) => [p.t, own(p)?.[index] ?? null]) });
    this.rates.show(now, [column("in", "--c1", FRAMES), column("labelled", "--c0", LABELS)]);
    const percentiles = [column("p50", "--low", P50), column("p95", "--mid", P95), column("p99", "--high", P99)];
    this.latency.show(now, percentiles, slo == null ? null : { name: "budget", value: 1000 * slo });
    this.batches?.show(now, [column("largest", "--c1", LARGEST), column("mean", "--c0", MEAN)]);
    const reasons = [...new Set(["stale", "queue_full", ...points.flatMap((p) => Object.keys(own(p)?.[DROPS] ?? {}))])];
    const others = reasons.filter((reason) => !(reason in REASONS));
    this.drops.show(now, reasons.map((reason) => ({
      name: plain(reason),
      colour: REASONS[reason] ?? OTHERS[others.indexOf(reason) % OTHERS.length],
      points: points.map((p) => [p.t, own(p) ? (own(p)[DROPS][reason] ?? 0) : null]),
    })));
  }
}
