/** The line in front of a full server, as a pure state: who stands where, and when to ask again. */

import type { Place, Problem } from "../api/problem";
import { isFinal } from "./refusal";

export interface Line extends Place {
  /** When this page first heard that all places are taken. */
  since: number;
  /** The last question was not answered; the place is the last that was known. */
  lost: boolean;
}

/** Who does not ask for this long has left the line (the server's word). Said to participants who are offline. */
export const KEPT_S = 20;
export const LEAST_MS = 2_000;
/** One question may get lost: the next must still come before the place is gone. */
const MOST_MS = 10_000;
const USUAL_S = 5;

/** Where one stands after an attempt that did not succeed; null if that is not in line. */
export function inLine(line: Line | null, problem: Problem, now: number): Line | null {
  const { code, place, status } = problem;
  // An older server gives no place: then waiting is not for this page to promise.
  if (code === "full") return place === undefined ? null : { ...place, since: line?.since ?? now, lost: false };
  // A server that restarts is busy or silent for a moment. Being asked too often is an answer.
  return line === null || isFinal(problem, false) ? null : { ...line, lost: status !== 429 };
}

/** How long to wait before asking again. */
export function askAgainMs(problem: Problem): number {
  // Without an answer the place is at stake already.
  const usual = problem.status === 0 ? LEAST_MS : USUAL_S * 1_000;
  const asked = problem.retryAfterS === undefined ? usual : problem.retryAfterS * 1_000;
  return Math.min(MOST_MS, Math.max(LEAST_MS, asked));
}
