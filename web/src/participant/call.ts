/**
 * The media connection of an interview: one RTCPeerConnection at a time. When its path breaks it is given another one
 * (`restart.ts`); when that does not help, a fresh offer replaces it. The session lives on the server; whatever happens
 * here, nothing that was said is lost.
 */

import { ApiError, type Problem } from "../api/problem";
import { RECOVERY_MS, waitMs } from "./backoff";
import type { Link } from "./interview";
import { askAgainMs, inLine, LEAST_MS, type Line } from "./line";
import { parseMessage, type Message, type Request } from "./messages";
import { connected, gathered, pause, type Offered } from "./peer";
import { blocked, isFinal } from "./refusal";
import { Restart } from "./restart";
import type { Signal } from "./signal";
import { onWake, type Woke } from "./wake";

export interface CallHooks {
  onLink(link: Link): void;
  /** All places are taken and this is where one stands; null once let in. */
  onLine(line: Line | null): void;
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
/** The server does not know this connection any more. */
const GONE = 404;

export class Call {
  readonly #signal: Signal;
  readonly #hooks: CallHooks;
  readonly #makePeer: () => RTCPeerConnection;
  #track: MediaStreamTrack;
  #peer: RTCPeerConnection | null = null;
  #channel: RTCDataChannel | null = null;
  #offered: Offered | null = null;
  #location: string | null = null;
  #link: Link | null = null;
  #line: Line | null = null;
  #askedAt = 0;
  /** When the connection that worked was lost; the server's window counts from about then. */
  #lostAt: number | null = null;
  #restart: Restart | null = null;
  #connectedOnce = false;
  #running = false;
  #ended = false;
  #sleeping = new AbortController();
  #trying = new AbortController();
  #unwatch: (() => void) | null = null;
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
    this.#unwatch = onWake(this.#onWake);
    window.addEventListener("pagehide", this.#onPageHide);
    void this.#connect();
  }

  /** Ends everything here and tells the server that this connection is closed. */
  stop(): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#unwatch?.();
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

  /** Whatever is waited for is tried now; and a path that may have changed is renewed before its loss is noticed. */
  readonly #onWake = (why: Woke) => {
    // Nobody is let in sooner by looking at the page again and again.
    if (this.#line === null || Date.now() - this.#askedAt >= LEAST_MS) this.#sleeping.abort();
    const peer = this.#peer;
    if (this.#running) {
      // What was asked over another network may never be answered.
      if (why !== "shown") {
        this.#trying.abort();
        if (this.#line !== null) this.#drop();
      }
    } else if (this.#restart !== null) this.#restart.again();
    else if (!this.#connectedOnce || this.#ended) return;
    // Said goodbye as the page was left, and the browser has kept it.
    else if (peer === null) void this.#connect();
    else if (why !== "shown" || peer.connectionState !== "connected") void this.#renew(peer);
  };

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
    this.#offered = null;
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
    if (!first) this.#lostAt ??= Date.now();
    let until = this.#lostAt === null ? Date.now() + FIRST_CONNECTION_MS : this.#lostAt + RECOVERY_MS;
    this.#tell(first ? "connecting" : "reconnecting");
    let problem: Problem = blocked();
    let attempt = 0;
    let wait = waitMs(attempt);
    while (!this.#over.signal.aborted) {
      // The line takes as long as it takes; the limit of a first connection begins with being let in.
      if (this.#line !== null) until = Date.now() + wait + FIRST_CONNECTION_MS;
      if (Date.now() + wait > until) break;
      this.#sleeping = new AbortController();
      await pause(wait, AbortSignal.any([this.#over.signal, this.#sleeping.signal]));
      if (this.#isOver()) return;
      try {
        this.#trying = new AbortController();
        await this.#attempt(AbortSignal.any([this.#over.signal, this.#trying.signal]));
        this.#running = false;
        return;
      } catch (error) {
        const interrupted = this.#trying.signal.aborted;
        const said = error instanceof ApiError ? error.problem : blocked();
        const line = first && !interrupted ? inLine(this.#line, said, Date.now()) : null;
        // What was offered stays good while the server only says "not yet".
        if (line === null || line.lost) this.#drop();
        if (this.#isOver()) return;
        attempt = interrupted || line !== null ? 0 : attempt + 1;
        wait = line === null ? waitMs(attempt) : askAgainMs(said);
        if (interrupted) continue;
        problem = said;
        if (line !== null) this.#stand(line);
        else if (isFinal(problem, first)) {
          this.#hooks.onRefused(problem, !first);
          return;
        }
      }
    }
    if (this.#isOver()) return;
    if (first) this.#hooks.onRefused(problem, false);
    else this.#hooks.onLost();
  }

  /** A peer with its offer. Who waits in line keeps it, which also keeps the timers of a hidden page going in time. */
  async #prepare(wanted: AbortSignal): Promise<Offered> {
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
    await gathered(peer, GATHER_MS, wanted);
    const offered = { peer, channel };
    if (this.#peer === peer) this.#offered = offered;
    return offered;
  }

  async #attempt(wanted: AbortSignal): Promise<void> {
    const { peer, channel } = this.#offered ?? (await this.#prepare(wanted));
    const offer = peer.localDescription?.sdp ?? "";
    this.#askedAt = Date.now();
    const answer = await this.#signal.offer(offer, AbortSignal.any([wanted, AbortSignal.timeout(CONNECT_MS)]));
    this.#location = answer.location;
    if (this.#isOver()) {
      this.#leave();
      return;
    }
    this.#offered = null;
    this.#stand(null);
    await peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    await connected(peer, CONNECT_MS, wanted);
    this.#connectedOnce = true;
    this.#channel = channel;
    this.#watch(peer, channel);
    this.#tell("live");
  }

  /** Notices the loss of a connection that worked. `disconnected` is a fact and no verdict: another path may help. */
  #watch(peer: RTCPeerConnection, channel: RTCDataChannel): void {
    channel.onclose = () => this.#lose(peer);
    peer.onconnectionstatechange = () => {
      if (!this.#holds(peer)) return;
      const { connectionState, iceConnectionState } = peer;
      if (connectionState === "connected") this.#tell("live");
      else if (connectionState === "closed") this.#lose(peer);
      // Failed above ICE is failed for good.
      else if (connectionState === "failed" && iceConnectionState !== "failed") this.#lose(peer);
      else if (connectionState === "failed" || connectionState === "disconnected") {
        this.#lostAt ??= Date.now();
        this.#tell("reconnecting");
        void this.#renew(peer);
      }
    };
  }

  /** The first rung, one at a time; the second when it does not help. */
  async #renew(peer: RTCPeerConnection): Promise<void> {
    const location = this.#location;
    if (this.#restart !== null || location === null) return;
    const restart = new Restart(
      peer,
      (fragment, signal) => this.#signal.restart(location, fragment, signal),
      this.#over.signal,
    );
    this.#restart = restart;
    const done = await restart.run();
    // Meanwhile another connection may have taken its place.
    if (this.#restart !== restart) return;
    this.#restart = null;
    if (!this.#holds(peer) || done.result === "connected") return;
    // A restart that is refused takes nothing from a connection that works, unless the server has let go of it.
    if (peer.connectionState !== "connected" || done.status === GONE) this.#lose(peer);
  }

  #lose(peer: RTCPeerConnection): void {
    if (!this.#holds(peer)) return;
    this.#drop();
    void this.#connect();
  }

  #holds(peer: RTCPeerConnection): boolean {
    return this.#peer === peer && !this.#isOver() && !this.#ended;
  }

  #tell(link: Link): void {
    if (link === "live") this.#lostAt = null;
    if (this.#link === link) return;
    this.#link = link;
    this.#hooks.onLink(link);
  }

  #stand(line: Line | null): void {
    if (this.#line === null && line === null) return;
    this.#line = line;
    this.#hooks.onLine(line);
  }

  #isOver(): boolean {
    return this.#over.signal.aborted;
  }
}
