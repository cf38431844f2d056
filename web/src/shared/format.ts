/** Money, times and counts as people read them. Money never touches a floating-point number. */

const MICRO_PER_DOLLAR = 1_000_000;

/**
 * Micro-dollars as dollars, rounded half away from zero. Cents for amounts of a dollar and more, four decimals below:
 * a component of a session costs fractions of a cent.
 */
export function dollars(microUsd: number, decimals: 2 | 4 = centsWillDo(microUsd) ? 2 : 4): string {
  const micro = BigInt(Math.trunc(microUsd));
  const unit = decimals === 2 ? 10_000n : 100n;
  const magnitude = micro < 0n ? -micro : micro;
  const rounded = (magnitude + unit / 2n) / unit;
  const perDollar = decimals === 2 ? 100n : 10_000n;
  const whole = (rounded / perDollar).toString().replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  const fraction = (rounded % perDollar).toString().padStart(decimals, "0");
  return `${micro < 0n && rounded > 0n ? "−" : ""}$${whole}.${fraction}`;
}

function centsWillDo(microUsd: number): boolean {
  return microUsd === 0 || Math.abs(microUsd) >= MICRO_PER_DOLLAR;
}

/** A moment on a timeline: `4:07`, `1:02:09`. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const h = Math.floor(seconds / 3600);
  const m = Math.floor((seconds % 3600) / 60);
  const s = String(seconds % 60).padStart(2, "0");
  return h > 0 ? `${h}:${String(m).padStart(2, "0")}:${s}` : `${m}:${s}`;
}

/** A length of time in words: `12 min 30 s`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
}

/** A short wait: `640 ms`, `1.3 s`. */
export function latency(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(Math.round(ms / 100) / 10).toFixed(1)} s`;
}

/** A UTC time of the API as local date and time. */
export function moment(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  return new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(date);
}

/** Only the time of day, to the second. */
export function timeOfDay(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  return new Intl.DateTimeFormat(undefined, { timeStyle: "medium" }).format(date);
}

/** Only the time of day, to the minute. */
export function hourOfDay(ms: number): string {
  return new Intl.DateTimeFormat(undefined, { timeStyle: "short" }).format(ms);
}

/** `1 session`, `3 sessions`, `1,204 sessions`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${quantity(n)} ${n === 1 ? one : many}`;
}

/** A number with thousands separated. */
export function quantity(n: number): string {
  return new Intl.NumberFormat("en-US").format(n);
}

/** Bytes as people read them: `4.6 MB`. */
export function bytes(n: number): string {
  if (n < 1000) return `${n} B`;
  if (n < 1_000_000) return `${(n / 1000).toFixed(0)} kB`;
  return `${(n / 1_000_000).toFixed(1)} MB`;
}

/** What is left of an interview, in steps that do not flicker. */
export function timeLeft(seconds: number): string {
  if (seconds <= 0) return "finishing";
  if (seconds < 60) return "less than a minute left";
  const minutes = Math.ceil(seconds / 60);
  return minutes === 1 ? "about 1 minute left" : `about ${minutes} minutes left`;
}

/** A name of the API as words: `phase_entered` -> `Phase entered`. */
export function words(name: string): string {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
