/** The way back by itself: while a participant is away, the server is asked until it answers. */

import { useEffect, useRef } from "react";
import type { Problem } from "../api/problem";
import type { Participation } from "../api/types";
import { pause } from "./peer";
import { onWake } from "./wake";

/** A server that restarts or a network that comes back is found within this time. */
const LOST_MS = 2_000;
/** What the server refused for a moment it refuses for a while. */
const REFUSED_MS = 15_000;
/** Who was away for longer may be in another room by now: recording then begins with a click. Chosen by feel. */
const ALONE_MS = 10 * 60_000;

/** `asking`: again and again. `network`: once the network is another one. `never`: trying again cannot help. */
export type Asking = "asking" | "network" | "never";

/** Whether being away can end by itself. */
export function askingOf(problem: Problem | null, begun: boolean): Asking {
  if (!begun) return "never";
  if (problem === null) return "asking";
  if (problem.code === "media_blocked") return "network";
  const { status } = problem;
  return status === 0 || status === 408 || status === 429 || status >= 500 ? "asking" : "never";
}

export interface Return {
  asking: Asking;
  /** The connection was lost, not refused. */
  lost: boolean;
  ask: () => Promise<Participation>;
  /** The server answered. `alone`: soon enough to go on without a click. */
  onAnswer: (participation: Participation, alone: boolean) => void;
}

export function useReturn(back: Return): void {
  const latest = useRef(back);
  useEffect(() => {
    latest.current = back;
  });
  const { asking } = back;
  const waitMs = back.lost ? LOST_MS : REFUSED_MS;
  useEffect(() => {
    if (asking === "never") return;
    const over = new AbortController();
    const since = Date.now();
    let now = new AbortController();
    const unwatch = onWake((why) => {
      if (asking === "asking" || why === "network") now.abort();
    });
    const ask = async () => {
      while (!over.signal.aborted) {
        now = new AbortController();
        // Where only another network helps, only that ends the wait: this is the longest that a timer can be set.
        await pause(asking === "asking" ? waitMs : 2 ** 31 - 1, AbortSignal.any([over.signal, now.signal]));
        const answer = await latest.current.ask().catch(() => null);
        if (answer === null || isOver(over.signal)) continue;
        latest.current.onAnswer(answer, Date.now() - since < ALONE_MS);
        return;
      }
    };
    void ask();
    return () => {
      over.abort();
      unwatch();
    };
  }, [asking, waitMs]);
}

/** A call, so that the compiler does not take what was so before an `await` for what is. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}
