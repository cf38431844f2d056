import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { connectedCall, FakePeer, peer, problem, setup, stubCalls } from "../../tests/peer";
import { ApiError, unreachable } from "../api/problem";
import { RECOVERY_MS, waitMs } from "./backoff";
import { isFinal } from "./refusal";
import type { Signal } from "./signal";

beforeEach(stubCalls);
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

  it("is replaced at once when it failed above ICE", async () => {
    const { first, signal } = await connectedCall();
    first.connectionState = "failed";
    first.onconnectionstatechange?.();
    await peer();
    expect(signal.restart).not.toHaveBeenCalled();
    expect(signal.offer).toHaveBeenCalledTimes(2);
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

const BACK = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=ice-ufrag:back\r\na=ice-pwd:back\r\n";

describe("a connection that is disconnected", () => {
  const offline = () => Promise.reject(new ApiError(unreachable()));

  it("gets another path, and nothing above it changes", async () => {
    const { told, first, signal } = await connectedCall();
    signal.restart.mockResolvedValue(BACK);
    first.become("disconnected");
    await vi.advanceTimersByTimeAsync(100);
    expect(told.at(-1)).toBe("reconnecting");
    const [location, fragment] = signal.restart.mock.calls[0] ?? [];
    expect(location).toBe("/api/v1/participation/peers/1");
    expect(fragment).toContain("a=ice-ufrag:mine1\r\n");
    expect(first.answers.at(-1)).toContain("a=setup:passive\r\na=ice-ufrag:back\r\na=ice-pwd:back\r\n");
    first.become("connected");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told).toEqual(["connecting", "live", "reconnecting", "live"]);
    expect(signal.restart).toHaveBeenCalledTimes(1);
    expect(FakePeer.made).toHaveLength(1);
  });

  it("is tried for as long as the server keeps it, each time with other credentials", async () => {
    const { told, first, signal } = await connectedCall();
    signal.restart.mockImplementation(offline);
    first.become("disconnected");
    first.become("failed");
    await vi.advanceTimersByTimeAsync(18_000);
    const fragments = signal.restart.mock.calls.map(([, fragment]) => fragment);
    expect(fragments.length).toBeGreaterThan(8);
    expect(new Set(fragments).size).toBe(fragments.length);
    expect(signal.offer).toHaveBeenCalledTimes(1);
    signal.restart.mockResolvedValue(BACK);
    await vi.advanceTimersByTimeAsync(2_000);
    first.become("connected");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told).toEqual(["connecting", "live", "reconnecting", "live"]);
    expect(signal.offer).toHaveBeenCalledTimes(1);
  });

  it("is offered anew when the server cannot have kept it any longer", async () => {
    const { first, signal } = await connectedCall();
    signal.restart.mockImplementation(offline);
    first.become("disconnected");
    await vi.advanceTimersByTimeAsync(19_000);
    expect(signal.offer).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(signal.offer).toHaveBeenCalledTimes(2);
    expect(first.closed).toBe(true);
  });

  it.each([404, 405, 409, 412, 422, 503])(
    "is offered anew at once when a restart is answered with %d",
    async (status) => {
      const { first, signal } = await connectedCall();
      signal.restart.mockRejectedValue(new ApiError(problem(status)));
      first.become("disconnected");
      await vi.advanceTimersByTimeAsync(100);
      expect(signal.restart).toHaveBeenCalledTimes(1);
      expect(signal.offer).toHaveBeenCalledTimes(2);
    },
  );

  it("is offered anew when what comes back is no fragment", async () => {
    const { first, signal } = await connectedCall();
    signal.restart.mockResolvedValue("<html>a proxy</html>");
    first.become("disconnected");
    await vi.advanceTimersByTimeAsync(100);
    expect(signal.offer).toHaveBeenCalledTimes(2);
  });

  it("is restarted again when the new path does not come about", async () => {
    const { first, signal } = await connectedCall();
    signal.restart.mockResolvedValue(BACK);
    first.become("disconnected");
    await vi.advanceTimersByTimeAsync(7_000);
    expect(signal.restart).toHaveBeenCalledTimes(2);
    expect(signal.offer).toHaveBeenCalledTimes(1);
  });

  it("takes no answer that belongs to a network before", async () => {
    const { first, signal } = await connectedCall();
    const answers: ((fragment: string) => void)[] = [];
    signal.restart.mockImplementation(() => new Promise((resolve) => answers.push(resolve)));
    first.become("disconnected");
    await vi.advanceTimersByTimeAsync(1_000);
    window.dispatchEvent(new Event("online"));
    answers[0]?.(BACK.replaceAll("back", "late"));
    await vi.advanceTimersByTimeAsync(100);
    answers[1]?.(BACK);
    await vi.advanceTimersByTimeAsync(100);
    expect(signal.restart).toHaveBeenCalledTimes(2);
    expect(first.answers.filter((sdp) => sdp.includes("late"))).toEqual([]);
    expect(first.answers.at(-1)).toContain("a=ice-ufrag:back");
  });

  it("is left alone by a restart that a new offer overtook", async () => {
    const { first, signal } = await connectedCall();
    const answers: ((fragment: string) => void)[] = [];
    signal.restart.mockImplementation(() => new Promise((resolve) => answers.push(resolve)));
    first.become("disconnected");
    await vi.advanceTimersByTimeAsync(100);
    first.channel.onclose?.();
    const second = await peer();
    second.become("connected");
    await vi.advanceTimersByTimeAsync(100);
    second.become("disconnected");
    await vi.advanceTimersByTimeAsync(100);
    // The first one's is over now; the second one's is still the only one.
    answers[0]?.("too late");
    await vi.advanceTimersByTimeAsync(100);
    second.become("failed");
    await vi.advanceTimersByTimeAsync(100);
    expect(signal.restart).toHaveBeenCalledTimes(2);
    answers[1]?.(BACK);
    second.become("connected");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(second.closed).toBe(false);
    expect(signal.offer).toHaveBeenCalledTimes(2);
  });
});

describe("another network", () => {
  const change = () => window.dispatchEvent(new Event("online"));

  it("is taken before the old one is missed, and without a word", async () => {
    const { told, first, signal } = await connectedCall();
    signal.restart.mockResolvedValue(BACK);
    change();
    await vi.advanceTimersByTimeAsync(100);
    expect(signal.restart).toHaveBeenCalledTimes(1);
    expect(first.answers.at(-1)).toContain("a=ice-ufrag:back");
    expect(told).toEqual(["connecting", "live"]);
  });

  it("costs no connection that works, unless the server has let go of it", async () => {
    const { first, signal } = await connectedCall();
    signal.restart.mockRejectedValue(new ApiError(problem(503)));
    change();
    await vi.advanceTimersByTimeAsync(100);
    expect(first.closed).toBe(false);
    signal.restart.mockRejectedValue(new ApiError(problem(404)));
    change();
    await vi.advanceTimersByTimeAsync(100);
    expect(first.closed).toBe(true);
  });

  it("gives up an offer that waits for an answer over the old one", async () => {
    const { first, signal } = await connectedCall();
    const never: Signal["offer"] = (_, over) =>
      new Promise((_resolve, reject) => over.addEventListener("abort", () => reject(new ApiError(unreachable()))));
    signal.offer.mockImplementation(never);
    first.become("failed");
    await vi.advanceTimersByTimeAsync(1_000);
    change();
    await vi.advanceTimersByTimeAsync(0);
    expect(signal.offer).toHaveBeenCalledTimes(3);
  });
});

describe("a page that is looked at again", () => {
  const show = () => document.dispatchEvent(new Event("visibilitychange"));

  it("leaves a connection alone that works", async () => {
    const { signal } = await connectedCall();
    show();
    await vi.advanceTimersByTimeAsync(100);
    expect(signal.restart).not.toHaveBeenCalled();
  });

  it("knows that its machine slept, and renews its path at once", async () => {
    const { signal } = await connectedCall();
    signal.restart.mockResolvedValue(BACK);
    vi.setSystemTime(Date.now() + 3_600_000);
    show();
    await vi.advanceTimersByTimeAsync(100);
    expect(signal.restart).toHaveBeenCalledTimes(1);
  });

  it("knocks at once instead of waiting for its timer", async () => {
    const { first, signal } = await connectedCall();
    signal.offer.mockImplementation(() => Promise.reject(new ApiError(unreachable())));
    first.become("failed");
    await vi.advanceTimersByTimeAsync(20_000);
    const before = signal.offer.mock.calls.length;
    show();
    await vi.advanceTimersByTimeAsync(0);
    expect(signal.offer).toHaveBeenCalledTimes(before + 1);
  });

  it("connects anew when the browser had put it away", async () => {
    const { signal } = await connectedCall();
    window.dispatchEvent(new Event("pagehide"));
    expect(signal.close).toHaveBeenCalledTimes(1);
    window.dispatchEvent(new Event("pageshow"));
    await vi.advanceTimersByTimeAsync(0);
    expect(signal.offer).toHaveBeenCalledTimes(2);
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
