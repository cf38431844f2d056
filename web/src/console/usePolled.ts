/** Something asked from the server again and again, for as long as somebody sees the page. */

import { useCallback, useEffect, useRef, useState } from "react";
import { asProblem } from "../api/problem";
import type { Reloadable, Resource } from "./useResource";

/** An answer that takes longer counts as none, and is asked for anew. */
const PATIENCE_MS = 10_000;

/** Loads at once and `pauseMs` after every answer; what was there stays when a later load fails. */
export function usePolled<T>(load: (signal: AbortSignal) => Promise<T>, pauseMs: number): Resource<T> & Reloadable {
  const [resource, setResource] = useState<Resource<T>>({ status: "loading", data: null, problem: null });
  const [version, setVersion] = useState(0);
  const latest = useRef(load);
  useEffect(() => {
    latest.current = load;
  });

  useEffect(() => {
    const over = new AbortController();
    let timer: number | undefined;
    let asking = false;
    const ask = () => {
      window.clearTimeout(timer);
      if (asking || document.visibilityState === "hidden") return;
      asking = true;
      latest.current(AbortSignal.any([over.signal, AbortSignal.timeout(PATIENCE_MS)])).then(
        (data) => {
          if (over.signal.aborted) return;
          asking = false;
          setResource({ status: "ready", data, problem: null });
          timer = window.setTimeout(ask, pauseMs);
        },
        (error: unknown) => {
          if (over.signal.aborted) return;
          asking = false;
          const problem = asProblem(error);
          setResource((before) => ({ status: "failed", data: before.data, problem }));
          // A wrong token does not become right by asking again.
          if (problem.status !== 401) timer = window.setTimeout(ask, pauseMs);
        },
      );
    };
    ask();
    document.addEventListener("visibilitychange", ask, { signal: over.signal });
    return () => {
      over.abort();
      window.clearTimeout(timer);
    };
  }, [pauseMs, version]);

  const reload = useCallback(() => setVersion((before) => before + 1), []);
  return { ...resource, reload };
}
