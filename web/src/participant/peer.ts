/** A peer connection, and what is waited for on it, each with a limit. */

/** A peer whose offer can be sent, again and again until it is answered. */
export interface Offered {
  peer: RTCPeerConnection;
  channel: RTCDataChannel;
}

/** Waits until all candidates are there, but not for long. */
export function gathered(peer: RTCPeerConnection, limitMs: number, signal: AbortSignal): Promise<void> {
  const complete = () =>
    // The state may still be that of the gathering before.
    peer.iceGatheringState === "complete" && (peer.localDescription?.sdp ?? "").includes("a=candidate:");
  if (complete()) return Promise.resolve();
  const done = new AbortController();
  peer.addEventListener(
    "icegatheringstatechange",
    () => {
      if (peer.iceGatheringState === "complete") done.abort();
    },
    { signal: done.signal },
  );
  return pause(limitMs, AbortSignal.any([signal, done.signal])).finally(() => done.abort());
}

/** Waits, or less if aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms === 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      window.clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = window.setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

/** Waits until the connection works; rejects when it failed, took too long, or is not wanted any more. */
export async function connected(peer: RTCPeerConnection, limitMs: number, signal: AbortSignal): Promise<void> {
  const settled = new AbortController();
  const look = () => {
    if (peer.connectionState === "connected" || peer.connectionState === "failed") settled.abort();
  };
  peer.addEventListener("connectionstatechange", look, { signal: settled.signal });
  look();
  await pause(limitMs, AbortSignal.any([signal, settled.signal]));
  settled.abort();
  if (peer.connectionState !== "connected") throw new Error(`the connection is ${peer.connectionState}`);
}
