// Times, spans and numbers as people read them.

export const pretty = (value) => JSON.stringify(value, null, 2);

export const number = (value) => Number(value).toLocaleString();

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit" };

/** The time of day; with the date unless it is today's. */
export function clock(at) {
  if (!at) return "–";
  const when = new Date(at);
  const time = when.toLocaleTimeString([], CLOCK);
  return when.toDateString() === new Date().toDateString()
    ? time
    : `${when.toLocaleDateString([], { month: "short", day: "numeric" })}, ${time}`;
}

/** A span of milliseconds. */
export function span(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return "–";
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1000)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d`;
}

const UNITS = [
  [86_400, "d"],
  [3600, "h"],
  [60, "min"],
  [1, "s"],
];

/** How long ago, or how soon, in one unit. */
export function ago(at, now = Date.now()) {
  if (!at) return "never";
  const seconds = Math.round((now - Date.parse(at)) / 1000);
  const found = UNITS.find(([size]) => Math.abs(seconds) >= size);
  if (!found || Math.abs(seconds) < 2) return "just now";
  const amount = `${Math.floor(Math.abs(seconds) / found[0])} ${found[1]}`;
  return seconds > 0 ? `${amount} ago` : `in ${amount}`;
}

export function bytes(size) {
  if (size < 1024) return `${size} B`;
  return size < 1024 ** 2
    ? `${(size / 1024).toFixed(1)} KiB`
    : `${(size / 1024 ** 2).toFixed(1)} MiB`;
}

/** What tells ids of one minute apart: their end. */
export const shortId = (id) => (id.length > 14 ? `…${id.slice(-8)}` : id);
