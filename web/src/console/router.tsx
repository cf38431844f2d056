/** A router for seven pages: the path is the state. */

import { useSyncExternalStore, type MouseEvent, type ReactNode } from "react";

export type Route =
  | { page: "studies" }
  | { page: "study"; id: string }
  | { page: "results"; id: string }
  | { page: "sessions" }
  | { page: "session"; id: string }
  | { page: "work" }
  | { page: "operations" }
  | { page: "unknown" };

/** Which page a path means. */
export function routeOf(path: string): Route {
  const [console_, kind, id, part, ...rest] = path.split("/").filter((part) => part !== "");
  if (console_ !== "console" || rest.length > 0) return { page: "unknown" };
  if (kind === "studies" && id !== undefined && part === "results") return { page: "results", id: decode(id) };
  if (part !== undefined) return { page: "unknown" };
  if (kind === undefined) return { page: "studies" };
  if (kind === "studies") return id === undefined ? { page: "studies" } : { page: "study", id: decode(id) };
  if (kind === "sessions") return id === undefined ? { page: "sessions" } : { page: "session", id: decode(id) };
  if (kind === "work" && id === undefined) return { page: "work" };
  if (kind === "operations" && id === undefined) return { page: "operations" };
  return { page: "unknown" };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const paths = {
  studies: "/console/studies",
  study: (id: string) => `/console/studies/${encodeURIComponent(id)}`,
  results: (id: string) => `/console/studies/${encodeURIComponent(id)}/results`,
  sessions: "/console/sessions",
  sessionsOf: (study: string) => `/console/sessions?study=${encodeURIComponent(study)}`,
  /** The place in a session where something was said; it is played. */
  turn: (session: string, turn: number) => `/console/sessions/${encodeURIComponent(session)}?turn=${turn}`,
  work: "/console/work",
  operations: "/console/operations",
  session: (id: string) => `/console/sessions/${encodeURIComponent(id)}`,
};

const CHANGED = "colloquy:navigate";

/** Goes to another page of the console, or changes the query of this one. */
export function navigate(to: string, how: "push" | "replace" = "push"): void {
  if (how === "push") window.history.pushState(null, "", to);
  else window.history.replaceState(null, "", to);
  window.dispatchEvent(new Event(CHANGED));
}

function subscribe(changed: () => void): () => void {
  window.addEventListener("popstate", changed);
  window.addEventListener(CHANGED, changed);
  return () => {
    window.removeEventListener("popstate", changed);
    window.removeEventListener(CHANGED, changed);
  };
}

/** Path and query as they are now. */
export function useLocation(): URL {
  const address = useSyncExternalStore(subscribe, () => window.location.pathname + window.location.search);
  return new URL(address, window.location.origin);
}

interface LinkProps {
  to: string;
  children: ReactNode;
  className?: string;
  current?: boolean;
  testId?: string;
}

/** A link inside the console; with a modifier key it is an ordinary one. */
export function Link({ to, children, className, current = false, testId }: LinkProps) {
  const follow = (event: MouseEvent) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    navigate(to);
    window.scrollTo(0, 0);
  };
  return (
    <a
      href={to}
      className={className}
      onClick={follow}
      aria-current={current ? "page" : undefined}
      data-testid={testId}
    >
      {children}
    </a>
  );
}
