import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakePeer, peer, problem, setup, stubCalls } from "../../tests/peer";
import { ApiError, unreachable, type Problem } from "../api/problem";
import { askAgainMs, inLine, KEPT_S, type Line } from "./line";
import { lineTitle, lineWords } from "./words";

const full = (position?: number, retryAfterS?: number): Problem => ({
  ...problem(503),
  code: "full",
  ...(position !== undefined && { place: { position, waiting: 5 } }),
  ...(retryAfterS !== undefined && { retryAfterS }),
});
const third: Line = { position: 3, waiting: 5, since: 100, lost: false };

describe("where one stands after a refusal", () => {
  it.each<[string, Line | null, Problem, Line | null]>([
    ["full with a place begins to wait", null, full(3), { ...third, since: 900 }],
    ["full with another place moves up, and waits since the same moment", third, full(2), { ...third, position: 2 }],
    ["full ends a lost connection", { ...third, lost: true }, full(3), third],
    ["full of an older server is an error", null, full(), null],
    ["full of an older server is an error in the line too", third, full(), null],
    ["no answer begins no line", null, unreachable(), null],
    ["no answer keeps the place", third, unreachable(), { ...third, lost: true }],
    ["a server that restarts keeps the place", third, problem(503), { ...third, lost: true }],
    ["a proxy without a server keeps the place", third, problem(502), { ...third, lost: true }],
    ["being asked too often is an answer", third, problem(429), third],
    ["a link that is over ends the line", third, problem(410), null],
    ["an offer that cannot be answered ends the line", third, problem(422), null],
  ])("%s", (_, line, refusal, expected) => {
    expect(inLine(line, refusal, 900)).toEqual(expected);
  });
});

it.each([
  [full(3, 5), 5_000],
  [full(3), 5_000],
  [full(3, 0), 2_000],
  [full(3, 60), 10_000],
  [{ ...problem(429), retryAfterS: 7 }, 7_000],
  [unreachable(), 2_000],
])("it asks again in time to keep its place, and not too often: case %#", (refusal, ms) => {
  expect(askAgainMs(refusal)).toBe(ms);
  expect(ms).toBeLessThan(KEPT_S * 1_000);
});

it("the place is a whole sentence, and the title begins with the number", () => {
  expect(lineWords(third)).toBe("You are number 3 in line.");
  expect(lineWords({ ...third, position: 1 })).toBe("You are next.");
  expect(lineWords({ ...third, lost: true })).toBe("Connection lost. We keep trying.");
  expect(lineTitle(3)).toMatch(/^\(3\) /);
});

describe("a call in line", () => {
  beforeEach(stubCalls);
  afterEach(() => {
    vi.useRealTimers();
  });

  it("is let in by itself, with the offer that it made at first", async () => {
    const { call, told, signal } = setup([full(3, 5), full(3, 5), full(1, 5)]);
    call.start();
    await vi.advanceTimersByTimeAsync(14_900);
    expect(signal.offer).toHaveBeenCalledTimes(3);
    await vi.advanceTimersByTimeAsync(200);
    expect(signal.offer).toHaveBeenCalledTimes(4);
    (await peer()).become("connected");
    await vi.advanceTimersByTimeAsync(0);
    expect(told).toEqual(["connecting", "place 3", "place 3", "place 1", "let in", "live"]);
    expect(FakePeer.made).toHaveLength(1);
    call.stop();
  });

  it("has no limit of time", async () => {
    const { call, told, signal } = setup();
    signal.offer.mockImplementation(() => Promise.reject(new ApiError(full(2, 5))));
    call.start();
    await vi.advanceTimersByTimeAsync(2 * 3_600_000);
    expect(new Set(told)).toEqual(new Set(["connecting", "place 2"]));
    expect(signal.offer.mock.calls.length).toBeGreaterThan(1_400);
    expect(FakePeer.made).toHaveLength(1);
    call.stop();
  });

  it("keeps waiting without a network, and offers anew once there is one", async () => {
    const { call, told, signal } = setup([full(2, 5), unreachable(), unreachable(), full(2, 5)]);
    call.start();
    await vi.advanceTimersByTimeAsync(9_100);
    expect(told).toEqual(["connecting", "place 2", "place 2 lost", "place 2 lost", "place 2"]);
    expect(signal.offer).toHaveBeenCalledTimes(4);
    // The addresses in the first offer may be those of the network that was lost.
    expect(FakePeer.made).toHaveLength(3);
    expect(FakePeer.made.map(({ closed }) => closed)).toEqual([true, true, false]);
    call.stop();
  });

  it("gives a first connection its whole time once it is let in", async () => {
    const { call, told } = setup(Array.from({ length: 12 }, () => full(1, 5)));
    call.start();
    await vi.advanceTimersByTimeAsync(61_000);
    expect(told.at(-1)).toBe("let in");
    await vi.advanceTimersByTimeAsync(15_000);
    (await peer()).become("connected");
    await vi.advanceTimersByTimeAsync(0);
    expect(told.at(-1)).toBe("live");
    call.stop();
  });

  it("names a network that blocks audio when it is let in and cannot be heard", async () => {
    const { call, told } = setup([full(1, 5)]);
    call.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told).toEqual(["connecting", "place 1", "let in", "refused media_blocked"]);
  });

  it("is no error any more, unless the server gives no place", async () => {
    const { call, told } = setup([full()]);
    call.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told).toEqual(["connecting", "refused full"]);
  });

  it("ends when the link does", async () => {
    const { call, told, signal } = setup([full(2, 5), problem(410)]);
    call.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told).toEqual(["connecting", "place 2", "refused http_410"]);
    expect(signal.offer).toHaveBeenCalledTimes(2);
    expect(FakePeer.made.every((made) => made.closed)).toBe(true);
  });

  it("asks at once when the page is looked at again, but not again and again", async () => {
    const { call, signal } = setup(Array.from({ length: 9 }, () => full(2, 10)));
    call.start();
    await vi.advanceTimersByTimeAsync(3_000);
    for (let look = 0; look < 5; look++) {
      document.dispatchEvent(new Event("visibilitychange"));
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(signal.offer).toHaveBeenCalledTimes(2);
    call.stop();
  });

  it("offers anew at once over another network", async () => {
    const { call, signal } = setup(Array.from({ length: 9 }, () => full(2, 10)));
    call.start();
    await vi.advanceTimersByTimeAsync(3_000);
    window.dispatchEvent(new Event("online"));
    await vi.advanceTimersByTimeAsync(100);
    expect(signal.offer).toHaveBeenCalledTimes(2);
    expect(FakePeer.made.map(({ closed }) => closed)).toEqual([true, false]);
    call.stop();
  });

  it("speaks through the microphone that was changed while it waited", async () => {
    const { call } = setup([full(1, 5)]);
    call.start();
    const first = await peer();
    const other = { kind: "audio" } as MediaStreamTrack;
    await call.replaceTrack(other);
    expect(first.sender.replaceTrack).toHaveBeenCalledWith(other);
    call.stop();
  });

  it("asks no more once it is stopped", async () => {
    const { call, signal } = setup([full(2, 5)]);
    call.start();
    await vi.advanceTimersByTimeAsync(1_000);
    call.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(signal.offer).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
    expect(FakePeer.made.every((made) => made.closed)).toBe(true);
    // Nothing was answered, so there is nothing to close.
    expect(signal.close).not.toHaveBeenCalled();
  });
});
