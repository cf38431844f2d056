import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError, unreachable, type Problem } from "../api/problem";
import { RECOVERY_MS, waitMs } from "./backoff";
import { Call, isFinal, type CallHooks } from "./call";
import type { Accepted, Signal } from "./signal";

const SDP =
  "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:secret\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";
const FRAGMENT = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=ice-ufrag:back\r\na=ice-pwd:other\r\n";

/** A peer connection that does what the test says. */
class FakePeer extends EventTarget {
  static readonly made: FakePeer[] = [];
  connectionState: RTCPeerConnectionState = "new";
  iceGatheringState = "complete";
  localDescription = { sdp: SDP };
  remoteDescription = { sdp: SDP };
  restarts = 0;
  onconnectionstatechange: (() => void) | null = null;
  ontrack: ((event: unknown) => void) | null = null;
  onicegatheringstatechange: (() => void) | null = null;
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
  createOffer(options?: RTCOfferOptions) {
    if (options?.iceRestart === true) this.restarts += 1;
    return Promise.resolve({ type: "offer", sdp: "offer" });
  }
  setLocalDescription() {
    return Promise.resolve();
  }
  setRemoteDescription(description: { sdp: string }) {
    this.remoteDescription = description;
    return Promise.resolve();
  }
  close() {
    this.closed = true;
  }
  become(state: RTCPeerConnectionState) {
    this.connectionState = state;
    if (state === "connected") this.channel.readyState = "open";
    this.onconnectionstatechange?.();
    this.dispatchEvent(new Event("connectionstatechange"));
  }
}

const problem = (status: number): Problem => ({ ...unreachable(), code: `http_${String(status)}`, status });

function setup(answers: (Accepted | Problem)[] = []) {
  const told: string[] = [];
  const hooks: CallHooks = {
    onLink: (link) => told.push(link),
    onMessage: (message) => told.push(`message ${message.type}`),
    onVoice: () => told.push("voice"),
    onRefused: ({ code }, begun) => told.push(`refused ${code}${begun ? " later" : ""}`),
    onLost: () => told.push("lost"),
  };
  let offers = 0;
  const signal = {
    offer: vi.fn<Signal["offer"]>(() => {
      const answer = answers[offers++] ?? { sdp: SDP, location: `/api/v1/participation/peers/${offers}` };
      return "sdp" in answer ? Promise.resolve(answer) : Promise.reject(new ApiError(answer));
    }),
    restart: vi.fn<Signal["restart"]>(() => Promise.resolve(FRAGMENT)),
    close: vi.fn<Signal["close"]>(() => Promise.resolve()),
    request: vi.fn<Signal["request"]>(() => Promise.resolve()),
  };
  const track = { kind: "audio" } as MediaStreamTrack;
  const call = new Call(signal, track, hooks, () => new FakePeer() as unknown as RTCPeerConnection);
  return { call, told, signal };
}

/** The newest peer, once its offer was answered. */
async function peer(): Promise<FakePeer> {
  await vi.advanceTimersByTimeAsync(0);
  const newest = FakePeer.made.at(-1);
  if (newest === undefined) throw new Error("no peer was made");
  return newest;
}

async function connectedCall() {
  const all = setup();
  all.call.start();
  const first = await peer();
  first.become("connected");
  await vi.advanceTimersByTimeAsync(0);
  return { ...all, first };
}

beforeEach(() => {
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
});

afterEach(() => {
  vi.useRealTimers();
});

it("connects, and speaks on the data channel", async () => {
  const { call, told, first, signal } = await connectedCall();
  expect(told).toEqual(["connecting", "live"]);
  call.request("repeat");
  expect(first.channel.sent).toEqual(['{"type":"repeat"}']);
  expect(signal.request).not.toHaveBeenCalled();
});

it("asks by HTTP while the data channel is gone", async () => {
  const { call, first, signal } = await connectedCall();
  first.channel.readyState = "closed";
  call.request("end");
  expect(signal.request).toHaveBeenCalledWith("end");
});

it("tells what the server says and nothing that it cannot read", async () => {
  const { told, first } = await connectedCall();
  first.channel.onmessage?.({ data: '{"type":"state","state":"active"}' });
  first.channel.onmessage?.({ data: "not json" });
  expect(told.slice(2)).toEqual(["message state"]);
});

describe("a lost connection", () => {
  it("is replaced at once by a fresh offer when it failed", async () => {
    const { told, first, signal } = await connectedCall();
    first.become("failed");
    const second = await peer();
    expect(first.closed).toBe(true);
    expect(second).not.toBe(first);
    second.become("connected");
    await vi.advanceTimersByTimeAsync(0);
    expect(told).toEqual(["connecting", "live", "reconnecting", "live"]);
    expect(signal.offer).toHaveBeenCalledTimes(2);
    // The server replaces the peer by itself: no goodbye that could close the new one.
    expect(signal.close).not.toHaveBeenCalled();
  });

  it("is mended in place when it is only disconnected", async () => {
    const { told, first, signal } = await connectedCall();
    first.become("disconnected");
    await vi.advanceTimersByTimeAsync(100);
    expect(signal.restart.mock.calls.map(([location]) => location)).toEqual(["/api/v1/participation/peers/1"]);
    expect(first.remoteDescription.sdp).toContain("a=ice-ufrag:back");
    first.become("connected");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakePeer.made).toHaveLength(1);
    expect(signal.restart).toHaveBeenCalledTimes(1);
    expect(signal.offer).toHaveBeenCalledTimes(1);
    expect(told.slice(0, 4)).toEqual(["connecting", "live", "reconnecting", "live"]);
  });

  it("is replaced at once when the server no longer knows it", async () => {
    const { first, signal } = await connectedCall();
    signal.restart.mockImplementation(() => Promise.reject(new ApiError(problem(404))));
    first.become("disconnected");
    await vi.advanceTimersByTimeAsync(100);
    expect(first.closed).toBe(true);
    expect(signal.offer).toHaveBeenCalledTimes(2);
  });

  it("is mended again and again for as long as the server keeps it, also after the browser gave up", async () => {
    const { first, signal } = await connectedCall();
    signal.restart.mockImplementation(() => Promise.reject(new ApiError(unreachable())));
    first.become("disconnected");
    await vi.advanceTimersByTimeAsync(10_000);
    first.become("failed");
    await vi.advanceTimersByTimeAsync(12_000);
    expect(first.closed).toBe(false);
    expect(signal.restart.mock.calls.length).toBeGreaterThan(8);
    expect(signal.offer).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(first.closed).toBe(true);
    expect(signal.offer).toHaveBeenCalledTimes(2);
  });

  it("is mended before anybody notices when the network is another one", async () => {
    const { told, signal } = await connectedCall();
    window.dispatchEvent(new Event("online"));
    await vi.advanceTimersByTimeAsync(100);
    expect(signal.restart).toHaveBeenCalledTimes(1);
    expect(told).not.toContain("reconnecting");
  });

  it("is tried for the whole recovery window and then given up once", async () => {
    const { told, first, signal } = await connectedCall();
    signal.offer.mockImplementation(() => Promise.reject(new ApiError(unreachable())));
    first.become("failed");
    await vi.advanceTimersByTimeAsync(RECOVERY_MS - 10_000);
    expect(told).not.toContain("lost");
    expect(signal.offer.mock.calls.length).toBeGreaterThan(12);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told.filter((word) => word === "lost")).toHaveLength(1);
  });

  it("is tried again as soon as the network is back", async () => {
    const { first, signal } = await connectedCall();
    signal.offer.mockImplementation(() => Promise.reject(new ApiError(unreachable())));
    first.become("failed");
    await vi.advanceTimersByTimeAsync(20_000);
    const before = signal.offer.mock.calls.length;
    window.dispatchEvent(new Event("online"));
    await vi.advanceTimersByTimeAsync(0);
    expect(signal.offer).toHaveBeenCalledTimes(before + 1);
  });

  it("is not tried again when the session is over meanwhile", async () => {
    const { told, first, signal } = await connectedCall();
    signal.offer.mockImplementation(() => Promise.reject(new ApiError(problem(410))));
    first.become("failed");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told.at(-1)).toBe("refused http_410 later");
    expect(signal.offer).toHaveBeenCalledTimes(2);
  });

  it("is no loss after the server said that it is over", async () => {
    const { call, told, first, signal } = await connectedCall();
    first.channel.onmessage?.({ data: '{"type":"ended","outcome":"complete","completion":null}' });
    first.channel.onclose?.();
    first.become("failed");
    await vi.advanceTimersByTimeAsync(10_000);
    call.stop();
    expect(signal.close).not.toHaveBeenCalled();
    expect(told.at(-1)).toBe("message ended");
    expect(signal.offer).toHaveBeenCalledTimes(1);
  });
});

it("does not take back what another page took over", async () => {
  const { call, first, signal, told } = await connectedCall();
  first.channel.onmessage?.({ data: '{"type":"replaced"}' });
  first.channel.onclose?.();
  first.become("failed");
  await vi.advanceTimersByTimeAsync(10_000);
  expect(told.at(-1)).toBe("message replaced");
  expect(signal.offer).toHaveBeenCalledTimes(1);
  call.stop();
});

describe("the first connection", () => {
  it("tells at once that the server is full", async () => {
    const { call, told } = setup([problem(503)]);
    call.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(told).toEqual(["connecting", "refused http_503"]);
  });

  it("names a blocked network when the answer comes and the audio does not", async () => {
    const { call, told } = setup();
    call.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told.at(-1)).toBe("refused media_blocked");
    expect(FakePeer.made.every((made) => made.closed)).toBe(true);
  });
});

it("says goodbye with the address that the server gave", async () => {
  const { call, first, signal } = await connectedCall();
  call.stop();
  call.stop();
  expect(signal.close.mock.calls).toEqual([["/api/v1/participation/peers/1"]]);
  expect(first.closed).toBe(true);
});

it("says goodbye to a connection that was answered after the page gave up", async () => {
  const { call, signal } = setup();
  call.start();
  call.stop();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(signal.offer.mock.calls.length - signal.close.mock.calls.length).toBe(0);
});

it("changes the microphone without a new connection", async () => {
  const { call, first } = await connectedCall();
  const other = { kind: "audio" } as MediaStreamTrack;
  await call.replaceTrack(other);
  expect(first.sender.replaceTrack).toHaveBeenCalledWith(other);
  expect(FakePeer.made).toHaveLength(1);
});

it("waits longer each time, never longer than eight seconds, and spread", () => {
  expect([0, 1, 2, 3, 4, 5, 6, 20].map((attempt) => waitMs(attempt, () => 0))).toEqual([
    0, 500, 1000, 2000, 2000, 2000, 2000, 2000,
  ]);
  expect(waitMs(20, () => 1)).toBe(1600);
});

it("knows which refusals are final", () => {
  for (const status of [400, 401, 404, 409, 410, 422]) expect(isFinal(problem(status), false)).toBe(true);
  for (const status of [0, 408, 429, 500, 502, 503]) expect(isFinal(problem(status), false)).toBe(false);
  expect(isFinal(problem(503), true)).toBe(true);
});
