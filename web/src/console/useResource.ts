/** Something asked from the server: loading, there, or failed; asked again without flicker. */

import { useCallback, useEffect, useRef, useState } from "react";
import { asProblem, type Problem } from "../api/problem";

export type Resource<T> =
  | { status: "loading"; data: null; problem: null }
  | { status: "ready"; data: T; problem: null }
  /** With the data of the last success, if there was one. */
  | { status: "failed"; data: T | null; problem: Problem };

export interface Reloadable {
  reload: () => void;
}

/** Loads when `key` changes or on `reload`. A null key loads nothing. */
export function useResource<T>(
  key: string | null,
  load: (signal: AbortSignal) => Promise<T>,
): Resource<T> & Reloadable & { set: (change: (data: T) => T) => void } {
  const [held, setHeld] = useState<{ key: string | null; resource: Resource<T> }>({ key: null, resource: LOADING });
  const [version, setVersion] = useState(0);
  const latest = useRef(load);
  useEffect(() => {
    latest.current = load;
  });

  useEffect(() => {
    if (key === null) return;
    const abort = new AbortController();
    latest.current(abort.signal).then(
      (data) => {
        if (!abort.signal.aborted) setHeld({ key, resource: { status: "ready", data, problem: null } });
      },
      (error: unknown) => {
        if (abort.signal.aborted) return;
        const problem = asProblem(error);
        setHeld((before) => ({
          key,
          resource: { status: "failed", data: before.key === key ? before.resource.data : null, problem },
        }));
      },
    );
    return () => abort.abort();
  }, [key, version]);

  const reload = useCallback(() => setVersion((before) => before + 1), []);
  const set = useCallback((change: (data: T) => T) => {
    setHeld((before) =>
      before.resource.data === null
        ? before
        : { key: before.key, resource: { status: "ready", data: change(before.resource.data), problem: null } },
    );
  }, []);
  const resource = held.key === key ? held.resource : LOADING;
  return { ...resource, reload, set };
}

const LOADING = { status: "loading", data: null, problem: null } as const;

/** Runs an act at most once per `ms`, the last call always counting. */
export function useThrottled(act: () => void, ms: number): () => void {
  const latest = useRef(act);
  const timer = useRef<number | undefined>(undefined);
  useEffect(() => {
    latest.current = act;
  });
  useEffect(() => () => window.clearTimeout(timer.current), []);
  return useCallback(() => {
    timer.current ??= window.setTimeout(() => {
      timer.current = undefined;
      latest.current();
    }, ms);
  }, [ms]);
}
