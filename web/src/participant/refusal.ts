/** What a refused or failed attempt to connect means. */

import { asProblem, type Problem } from "../api/problem";

/** Whether trying again cannot help. At the first connection a full server is told at once; later it is waited for. */
export function isFinal(problem: Problem, first: boolean): boolean {
  const { status } = problem;
  if (status === 0 || status === 408 || status === 429) return false;
  return status < 500 || (first && status === 503);
}

/** The offer was answered and no audio path came about. */
export function blocked(): Problem {
  return {
    ...asProblem(null),
    code: "media_blocked",
    title: "The audio connection could not be made",
    detail:
      "The server answers, but your voice cannot get through. Often a company network or a VPN blocks audio calls.",
    remedy: "Switch off the VPN, or use another network such as a mobile hotspot, and try again.",
  };
}
