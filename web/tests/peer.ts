/** Helpers for tests of calls: a peer connection and a server that do what the test says. */

import { vi } from "vitest";
import { ApiError, unreachable, type Problem } from "../src/api/problem";
import { Call, type CallHooks } from "../src/participant/call";
import type { Accepted, Signal } from "../src/participant/signal";

/** A peer connection that does what the test says. */
export class FakePeer extends EventTarget {
  static readonly made: FakePeer[] = [];
  connectionState: RTCPeerConnectionState = "new";
  iceConnectionState: RTCIceConnectionState = "new";
  iceGatheringState = "complete";
  localDescription = { sdp: "" };
  remoteDescription = {
    sdp: "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=setup:passive\r\na=ice-ufrag:old\r\na=ice-pwd:old\r\n",
  };
  /** How many offers asked for an ICE restart; each has its own user fragment. */
  restarts = 0;
  answers: string[] = [];
  onconnectionstatechange: (() => void) | null = null;
  ontrack: ((event: unknown) => void) | null = null;
  closed = false;
  channel = {
    readyState: "connecting",
    sent: [] as string[],
    onmessage: null as ((event: { data: string }) => void) | null,
    onclose: null as (() => void) | null,
    send(text: string) {
      this.sent.push(text);
    },
  };
  sender = { track: { kind: "audio" }, replaceTrack: vi.fn(() => Promise.resolve()) };

  constructor() {
    super();
    FakePeer.made.push(this);
  }

  createDataChannel() {
    return this.channel;
  }
  addTrack() {
    return this.sender;
  }
  getSenders() {
    return [this.sender];
  }
  createOffer({ iceRestart = false } = {}) {
    if (iceRestart) this.restarts += 1;
    const lines = [
      "m=audio 9 UDP/TLS/RTP/SAVPF 111",
      "a=mid:0",
      `a=ice-ufrag:mine${String(this.restarts)}`,
      "a=ice-pwd:mine",
      "a=candidate:1 1 udp 1 192.0.2.7 5 typ host",
    ];
    return Promise.resolve({ type: "offer", sdp: lines.map((line) => `${line}\r\n`).join("") });
  }
  setLocalDescription(description: { sdp: string }) {
    this.localDescription = description;
    return Promise.resolve();
  }
  setRemoteDescription({ sdp }: { sdp: string }) {
    this.answers.push(sdp);
    return Promise.resolve();
  }
  close() {
    this.closed = true;
  }
  become(state: RTCPeerConnectionState) {
    this.connectionState = state;
    if (state === "connected" || state === "disconnected" || state === "failed") this.iceConnectionState = state;
    if (state === "connected") this.channel.readyState = "open";
    this.onconnectionstatechange?.();
    this.dispatchEvent(new Event("connectionstatechange"));
  }
}

export const problem = (status: number): Problem => ({ ...unreachable(), code: `http_${String(status)}`, status });

/** A call, what it tells, and the server it asks: each offer gets the next answer. */
export function setup(answers: (Accepted | Problem)[] = []) {
  const told: string[] = [];
  const hooks: CallHooks = {
    onLink: (link) => told.push(link),
    onLine: (line) => told.push(line === null ? "let in" : `place ${line.position}${line.lost ? " lost" : ""}`),
    onMessage: (message) => told.push(`message ${message.type}`),
    onVoice: () => told.push("voice"),
    onRefused: ({ code }, begun) => told.push(`refused ${code}${begun ? " later" : ""}`),
    onLost: () => told.push("lost"),
  };
  let offers = 0;
  const signal = {
    offer: vi.fn<Signal["offer"]>(() => {
      const answer = answers[offers++] ?? { sdp: "answer", location: `/api/v1/participation/peers/${offers}` };
      return "sdp" in answer ? Promise.resolve(answer) : Promise.reject(new ApiError(answer));
    }),
    restart: vi.fn<Signal["restart"]>(() => Promise.reject(new ApiError(problem(404)))),
    close: vi.fn<Signal["close"]>(() => Promise.resolve()),
    request: vi.fn<Signal["request"]>(() => Promise.resolve()),
  };
  const track = { kind: "audio" } as MediaStreamTrack;
  const call = new Call(signal, track, hooks, () => new FakePeer() as unknown as RTCPeerConnection);
  return { call, told, signal };
}

/** The newest peer, once its offer was answered. */
export async function peer(): Promise<FakePeer> {
  await vi.advanceTimersByTimeAsync(0);
  const newest = FakePeer.made.at(-1);
  if (newest === undefined) throw new Error("no peer was made");
  return newest;
}

export async function connectedCall() {
  const all = setup();
  all.call.start();
  const first = await peer();
  first.become("connected");
  await vi.advanceTimersByTimeAsync(0);
  return { ...all, first };
}

/** For `beforeEach`: time that the test moves, and no peers of the test before. */
export function stubCalls(): void {
  vi.useFakeTimers();
  vi.stubGlobal(
    "MediaStream",
    class {
      readonly tracks: unknown;
      constructor(tracks?: unknown) {
        this.tracks = tracks;
      }
    },
  );
  FakePeer.made.length = 0;
}
