/** How long to wait before the next attempt to reconnect, and when to stop. */

/** The server keeps a paused session for this long after a drop (design: recovery window, boundary inclusive). */
export const RECOVERY_MS = 120_000;

const FIRST_MS = 500;
/** A server that restarts is to be found soon after it is up again; 200 pages that knock are 100 requests a second. */
const LONGEST_MS = 2_000;

/** Wait before attempt `n` (from 0): at once, then 0.5 s doubled up to 2 s, spread by up to a fifth. */
export function waitMs(attempt: number, random: () => number = Math.random): number {
  if (attempt === 0) return 0;
  const base = Math.min(LONGEST_MS, FIRST_MS * 2 ** (attempt - 1));
  return Math.round(base * (1 - 0.2 * random()));
}
