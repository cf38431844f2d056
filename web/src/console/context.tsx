/** What every console page reaches for: the API, and the stream of changes. */

import { createContext, useContext, useEffect, useRef, useState } from "react";
import type { ConsoleApi } from "./api";
import type { LiveFeed, LiveListener, LiveState } from "./live";

export interface Console {
  api: ConsoleApi;
  feed: LiveFeed;
}

export const ConsoleContext = createContext<Console | null>(null);

export function useConsole(): Console {
  const value = useContext(ConsoleContext);
  if (value === null) throw new Error("used outside the console");
  return value;
}

/** Listens to the stream for as long as the component is shown. */
export function useLive(listener: LiveListener): void {
  const { feed } = useConsole();
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(
    () =>
      feed.listen({
        onSession: (session) => latest.current.onSession?.(session),
        onReopened: () => latest.current.onReopened?.(),
        onState: (state) => latest.current.onState?.(state),
      }),
    [feed],
  );
}

export function useLiveState(): LiveState {
  const { feed } = useConsole();
  const [state, setState] = useState(feed.state);
  useLive({ onState: setState });
  return state;
}
