// Figures as a person reads them.

const NONE = "–";

export const rate = (x) => (x == null ? NONE : x < 10 ? x.toFixed(1) : x < 1000 ? x.toFixed(x < 100 ? 1 : 0) : count(x));
export const ms = (x) => (x == null ? NONE : x < 10 ? x.toFixed(1) : x < 1000 ? x.toFixed(0) : `${(x / 1000).toFixed(1)}k`);
export const withMs = (x) => (x == null ? NONE : x < 1000 ? `${ms(x)} ms` : `${(x / 1000).toFixed(x < 1e4 ? 1 : 0)} s`);
export const count = (x) => (x == null ? NONE : Math.round(x).toLocaleString("en").replaceAll(",", " "));
export const share = (part, whole) => (!part && whole ? "0 %" : whole ? `${((100 * part) / whole).toFixed(part && part / whole < 0.1 ? 2 : 1)} %` : NONE);

export function bytes(x) {
  if (!x) return NONE;
  return x < 1e9 ? `${(x / 1e6).toFixed(0)} MB` : `${(x / 1e9).toFixed(2)} GB`;
}

export function time(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export const sum = (numbers) => Object.values(numbers).reduce((a, b) => a + b, 0);

const plain = (word) => word.replaceAll("_", " ");
export { plain };

// `age`: seconds since the status came, so that a countdown moves between two of them.
export function state(stream, age) {
  const since = stream.seconds_in_state + age;
  if (stream.state === "waiting") {
    const left = stream.retry_in == null ? null : Math.max(0, stream.retry_in - age);
    return left == null ? "waiting" : `waiting, retry in ${Math.ceil(left)} s`;
  }
  if (stream.state === "stalled") return `stalled ${time(since)}`;
  if (stream.state === "connecting") return since < 2 ? "connecting" : `connecting ${time(since)}`;
  return stream.state;
}

export function notes(stream) {
  const said = stream.flags.map(plain);
  if (stream.shed !== "nothing") said.push(`shedding ${plain(stream.shed)} frames`.replace("non ", "non-"));
  for (const outlet of stream.outlets) {
    if (outlet.error) said.push(`${outlet.name}: ${outlet.error}`);
    else if (outlet.dropped) said.push(`${outlet.name}: ${count(outlet.dropped)} left out`);
  }
  return said.join(" · ");
}

export function drops(stream) {
  const lost = Object.entries(stream.frames.dropped).filter(([, n]) => n);
  return lost.map(([reason, n]) => `${count(n)} ${plain(reason)}`).join(", ");
}
