/** Moments at which waiting any longer makes no sense: another network, a page that is seen again, a machine that slept. */

/** `network`: it came back or is another one. `slept`: the machine did. `shown`: the page is looked at again. */
export type Woke = "network" | "slept" | "shown";

/** Timers of hidden pages come once a second; a longer pause than this is sleep. */
const SLEPT_MS = 10_000;
const BEAT_MS = 2_000;

/** Where a browser tells the kind of network, a change of it is another network. */
interface Connection extends EventTarget {
  readonly type?: string;
}

/** Tells each such moment until the returned function is called. */
export function onWake(hook: (why: Woke) => void): () => void {
  const over = new AbortController();
  const { signal } = over;
  let beat = Date.now();
  const slept = () => {
    const pause = Date.now() - beat;
    beat = Date.now();
    return pause > SLEPT_MS;
  };
  const shown = () => {
    if (document.visibilityState === "visible") hook(slept() ? "slept" : "shown");
  };
  const timer = window.setInterval(() => {
    if (slept()) hook("slept");
  }, BEAT_MS);
  signal.addEventListener("abort", () => window.clearInterval(timer));
  window.addEventListener("online", () => hook("network"), { signal });
  window.addEventListener("pageshow", shown, { signal });
  document.addEventListener("visibilitychange", shown, { signal });

  const connection = (navigator as { connection?: Connection }).connection;
  let kind = connection?.type;
  connection?.addEventListener(
    "change",
    () => {
      // It also changes with every new estimate of the speed.
      if (connection.type === kind) return;
      kind = connection.type;
      hook("network");
    },
    { signal },
  );
  return () => over.abort();
}
