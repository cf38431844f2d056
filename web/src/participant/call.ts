/**
 * The media connection of an interview: one RTCPeerConnection at a time. While its network is away or another one, ICE is
 * restarted on it; when that does not help it is replaced by a fresh offer. The session lives on the server; whatever happens here, nothing that was said is lost.
 */

import { ApiError, asProblem, type Problem } from "../api/problem";
import { RECOVERY_MS, waitMs } from "./backoff";
import type { Link } from "./interview";
import { parseMessage, type Message, type Request } from "./messages";
import { gathered, Restart } from "./restart";
import type { Signal } from "./signal";
import { onWake, type Woke } from "./wake";

export interface CallHooks {
  onLink(link: Link): void;
  onMessage(message: Message): void;
  /** The interviewer's voice; a new stream after each reconnection. */
  onVoice(stream: MediaStream): void;
  /** The server refused for good, or the first connection never came about. `begun`: there was one before. */
  onRefused(problem: Problem, begun: boolean): void;
  /** The recovery window is over. */
  onLost(): void;
}

/** Host candidates are there at once; a browser that hides them behind mDNS needs a moment. */
const GATHER_MS = 500;
/** ICE and DTLS over a poor network take seconds, not tens of seconds. */
const CONNECT_MS = 10_000;
/** A first connection that takes longer than this will not come. */
const FIRST_CONNECTION_MS = 30_000;

export class Call {
  readonly #signal: Signal;
  readonly #hooks: CallHooks;
  readonly #makePeer: () => RTCPeerConnection;
  #track: MediaStreamTrack;
  #peer: RTCPeerConnection | null = null;
  #channel: RTCDataChannel | null = null;
  #location: string | null = null;
  #connectedOnce = false;
  #running = false;
  #ended = false;
  #wake: (() => void) | null = null;
  #restart: Restart | null = null;
  #sleepless: (() => void) | null = null;
  readonly #over = new AbortController();

  constructor(
    signal: Signal,
    track: MediaStreamTrack,
    hooks: CallHooks,
    makePeer: () => RTCPeerConnection = () => new RTCPeerConnection(),
  ) {
    this.#signal = signal;
    this.#track = track;
    this.#hooks = hooks;
    this.#makePeer = makePeer;
  }

  start(): void {
    this.#sleepless = onWake((why) => this.#woke(why));
    window.addEventListener("pagehide", this.#onPageHide);
    void this.#connect();
  }

  /** Ends everything here and tells the server that this connection is closed. */
  stop(): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#wake?.();
    this.#sleepless?.();
    window.removeEventListener("pagehide", this.#onPageHide);
    this.#leave();
  }

  /** Asks for something: on the data channel, or by HTTP when that is gone. */
  request(request: Request): void {
    if (this.#channel?.readyState === "open") {
      this.#channel.send(JSON.stringify({ type: request }));
      return;
    }
    // Without either way the state is told again once reconnected; there is nobody to show an error to.
    this.#signal.request(request).catch(() => undefined);
  }

  /** Speaks through another microphone from now on. */
  async replaceTrack(track: MediaStreamTrack): Promise<void> {
    this.#track = track;
    const sender = this.#peer?.getSenders().find((candidate) => candidate.track?.kind !== "video");
    await sender?.replaceTrack(track);
  }

  /** Whatever waits has waited long enough; a connection that outlived sleep or another network is tried at once. */
  #woke(why: Woke): void {
    this.#wake?.();
    if (this.#restart !== null) this.#restart.again();
    else if (why !== "shown" && !this.#running && this.#peer !== null) this.#mend(this.#peer);
  }

  readonly #onPageHide = () => this.#leave();

  #leave(): void {
    const location = this.#location;
    this.#location = null;
    this.#drop();
    // After its own goodbye the server has closed the connection already.
    if (location !== null && location !== "" && !this.#ended) this.#signal.close(location).catch(() => undefined);
  }

  /** Forgets the current peer without telling the server: a fresh offer replaces it there. */
  #drop(): void {
    const peer = this.#peer;
    this.#peer = null;
    this.#channel = null;
    this.#restart = null;
    if (peer === null) return;
    peer.onconnectionstatechange = null;
    peer.ontrack = null;
    peer.close();
  }

  /** Attempts until connected, refused, or out of time. */
  async #connect(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    const first = !this.#connectedOnce;
    const until = Date.now() + (first ? FIRST_CONNECTION_MS : RECOVERY_MS);
    this.#hooks.onLink(first ? "connecting" : "reconnecting");
    let problem: Problem = blocked();
    for (let attempt = 0; !this.#over.signal.aborted; attempt++) {
      const wait = waitMs(attempt);
      if (Date.now() + wait > until) break;
      await this.#sleep(wait);
      if (this.#isOver()) return;
      try {
        await this.#attempt();
        this.#running = false;
        return;
      } catch (error) {
        this.#drop();
        if (this.#isOver()) return;
        problem = error instanceof ApiError ? error.problem : blocked();
        if (isFinal(problem, first)) {
          this.#hooks.onRefused(problem, !first);
          return;
        }
      }
    }
    if (this.#isOver()) return;
    if (first) this.#hooks.onRefused(problem, false);
    else this.#hooks.onLost();
  }

  async #attempt(): Promise<void> {
    const peer = this.#makePeer();
    this.#peer = peer;
    const channel = peer.createDataChannel("colloquy", { ordered: true });
    channel.onmessage = (event: MessageEvent<unknown>) => {
      const message = parseMessage(event.data);
      if (message === null || this.#peer !== peer) return;
      // From here on a closing connection is the server's goodbye, not a loss; nor is one that another page took over,
      // which would only take it back.
      if (message.type === "ended" || message.type === "replaced") this.#ended = true;
      this.#hooks.onMessage(message);
    };
    peer.ontrack = (event) => this.#hooks.onVoice(event.streams[0] ?? new MediaStream([event.track]));
    peer.addTrack(this.#track, new MediaStream([this.#track]));
    await peer.setLocalDescription(await peer.createOffer());
    await gathered(peer, GATHER_MS, this.#over.signal);
    const offer = peer.localDescription?.sdp ?? "";
    const limit = AbortSignal.any([this.#over.signal, AbortSignal.timeout(CONNECT_MS)]);
    const answer = await this.#signal.offer(offer, limit);
    this.#location = answer.location;
    if (this.#isOver()) {
      this.#leave();
      return;
    }
    await peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    await connected(peer, this.#over.signal);
    this.#connectedOnce = true;
    this.#channel = channel;
    this.#watch(peer, channel);
    this.#hooks.onLink("live");
  }

  /** Notices the loss of a connection that worked. */
  #watch(peer: RTCPeerConnection, channel: RTCDataChannel): void {
    channel.onclose = () => this.#lost(peer);
    peer.onconnectionstatechange = () => {
      if (this.#peer !== peer || this.#isOver() || this.#ended) return;
      const state = peer.connectionState;
      if (state === "connected") this.#hooks.onLink("live");
      // A browser that has given up gets new credentials all the same, as long as the restart goes on.
      if (state === "closed" || (state === "failed" && this.#restart === null)) this.#lost(peer);
      if (state === "disconnected") {
        this.#hooks.onLink("reconnecting");
        this.#mend(peer);
      }
    };
  }

  /** Restarts ICE on a connection, unless that goes on already. */
  #mend(peer: RTCPeerConnection): void {
    const location = this.#location;
    if (this.#restart !== null || this.#isOver() || this.#ended) return;
    if (location === null || location === "") return;
    const send = (fragment: string, signal: AbortSignal) => this.#signal.restart(location, fragment, signal);
    const restart = new Restart(peer, send, this.#over.signal);
    this.#restart = restart;
    void restart.run().then(({ result }) => {
      if (this.#restart !== restart) return;
      this.#restart = null;
      if (result === "over") this.#lost(peer);
      else if (!this.#isOver() && !this.#ended) this.#hooks.onLink("live");
    });
  }

  #lost(peer: RTCPeerConnection): void {
    if (this.#peer !== peer || this.#isOver() || this.#ended) return;
    this.#drop();
    void this.#connect();
  }

  #isOver(): boolean {
    return this.#over.signal.aborted;
  }

  #sleep(ms: number): Promise<void> {
    if (ms === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        window.clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
      const timer = window.setTimeout(done, ms);
      this.#wake = done;
    });
  }
}

/** Whether trying again cannot help. At the first connection a full server is told at once; later it is waited for. */
export function isFinal(problem: Problem, first: boolean): boolean {
  const { status } = problem;
  if (status === 0 || status === 408 || status === 429) return false;
  return status < 500 || (first && status === 503);
}

function connected(peer: RTCPeerConnection, over: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = window.setTimeout(() => settle(), CONNECT_MS);
    const settle = () => {
      window.clearTimeout(timer);
      if (peer.connectionState === "connected") resolve();
      else reject(new Error(`the connection is ${peer.connectionState}`));
    };
    over.addEventListener("abort", settle, { once: true });
    peer.onconnectionstatechange = () => {
      if (peer.connectionState === "connected" || peer.connectionState === "failed") settle();
    };
    if (peer.connectionState === "connected") settle();
  });
}

/** The offer was answered and no audio path came about. */
function blocked(): Problem {
  return {
    ...asProblem(null),
    code: "media_blocked",
    title: "The audio connection could not be made",
    detail:
      "The server answers, but your voice cannot get through. Often a company network or a VPN blocks audio calls.",
    remedy: "Switch off the VPN, or use another network such as a mobile hotspot, and try again.",
  };
}
