/**
 * The first rung of coming back: other credentials and another path for the connection that there is. Nothing above it
 * notices more than a gap.
 */

import { ApiError } from "../api/problem";
import { waitMs } from "./backoff";
import { answerWith, fragmentOf } from "./fragment";
import { gathered, pause } from "./peer";

/**
 * The server keeps a silent connection for 25 s (`SILENCE_LIMIT` in `crates/media/src/peer.rs`). A browser takes some 5 s
 * to notice that it is disconnected, so nothing is left to restart after this.
 */
export const RESTART_MS = 20_000;
/** An answer that takes longer is lost with the network that it was asked over. */
const ANSWER_MS = 4_000;
/** Once both sides know the credentials, checks come every few tens of milliseconds. */
const CHECK_MS = 5_000;
/** The server learns addresses from checks: candidates are waited for out of courtesy. */
const GATHER_MS = 1_000;

/** `over`: a new offer is needed. `status`: what the server said; 0 if it said nothing. */
export type Restarted = { result: "connected" } | { result: "over"; status: number };

/** Sends a fragment and gets the server's. */
export type Send = (fragment: string, signal: AbortSignal) => Promise<string>;

export class Restart {
  readonly #peer: RTCPeerConnection;
  readonly #send: Send;
  readonly #stopped: AbortSignal;
  #attempt = new AbortController();
  #tries = 0;

  constructor(peer: RTCPeerConnection, send: Send, stopped: AbortSignal) {
    this.#peer = peer;
    this.#send = send;
    this.#stopped = stopped;
  }

  /** What is under way was begun in another network: it is given up, and begun anew at once. */
  again(): void {
    this.#tries = 0;
    this.#attempt.abort();
  }

  /** Tries until the connection works, the server refuses, or it must have given the connection up. */
  async run(): Promise<Restarted> {
    const until = Date.now() + RESTART_MS;
    for (;;) {
      this.#attempt = new AbortController();
      const signal = AbortSignal.any([this.#stopped, this.#attempt.signal]);
      const left = until - Date.now();
      if (left <= 0) return { result: "over", status: 0 };
      const wait = Math.min(left, waitMs(this.#tries));
      this.#tries += 1;
      await pause(wait, signal);
      if (this.#isStopped()) return { result: "over", status: 0 };
      try {
        signal.throwIfAborted();
        await this.#once(signal);
        if (await this.#works(signal)) return { result: "connected" };
      } catch (error) {
        const status = error instanceof ApiError ? error.problem.status : null;
        // Without an answer the server may have taken the credentials or not: the next attempt has newer ones.
        const again = !this.#isStopped() && (signal.aborted || status === 0);
        if (!again) return { result: "over", status: status ?? 0 };
      }
    }
  }

  #isStopped(): boolean {
    return this.#stopped.aborted;
  }

  async #once(signal: AbortSignal): Promise<void> {
    const peer = this.#peer;
    await peer.setLocalDescription(await peer.createOffer({ iceRestart: true }));
    await gathered(peer, GATHER_MS, signal);
    signal.throwIfAborted();
    const fragment = fragmentOf(peer.localDescription?.sdp ?? "");
    const back = await this.#send(fragment, AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]));
    // A late answer belongs to credentials that are not ours any more.
    signal.throwIfAborted();
    await peer.setRemoteDescription({ type: "answer", sdp: answerWith(peer.remoteDescription?.sdp ?? "", back) });
  }

  /** Whether the new path came about in time. */
  async #works(signal: AbortSignal): Promise<boolean> {
    const peer = this.#peer;
    const settled = new AbortController();
    peer.addEventListener(
      "connectionstatechange",
      () => {
        if (peer.connectionState === "connected" || peer.connectionState === "closed") settled.abort();
      },
      { signal: settled.signal },
    );
    if (peer.connectionState !== "connected") await pause(CHECK_MS, AbortSignal.any([signal, settled.signal]));
    settled.abort();
    return peer.connectionState === "connected" && !signal.aborted;
  }
}
