import { renderHook } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { unreachable, type Problem } from "../api/problem";
import type { Participation } from "../api/types";
import { askingOf, useReturn, type Asking } from "./useReturn";

const participation = { state: "paused" } as Participation;

function away(asking: Asking, lost = true) {
  const ask = vi.fn<() => Promise<Participation>>(() => Promise.reject(new Error("offline")));
  const onAnswer = vi.fn();
  const { unmount } = renderHook(() => useReturn({ asking, lost, ask, onAnswer }));
  return { ask, onAnswer, unmount };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it("asks until the server answers, and then no more", async () => {
  const { ask, onAnswer } = away("asking");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(ask.mock.calls.length).toBeGreaterThan(25);
  expect(onAnswer).not.toHaveBeenCalled();
  ask.mockResolvedValue(participation);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(onAnswer.mock.calls).toEqual([[participation, true]]);
});

it("asks at once when the network is back or the page is seen again", async () => {
  const { ask } = away("asking", false);
  await vi.advanceTimersByTimeAsync(100);
  window.dispatchEvent(new Event("online"));
  await vi.advanceTimersByTimeAsync(0);
  expect(ask).toHaveBeenCalledTimes(1);
  document.dispatchEvent(new Event("visibilitychange"));
  await vi.advanceTimersByTimeAsync(0);
  expect(ask).toHaveBeenCalledTimes(2);
});

it("does not begin to record by itself after a long time", async () => {
  const { ask, onAnswer } = away("asking");
  await vi.advanceTimersByTimeAsync(11 * 60_000);
  ask.mockResolvedValue(participation);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(onAnswer.mock.calls).toEqual([[participation, false]]);
});

it("waits for another network where only that can help", async () => {
  const { ask } = away("network");
  await vi.advanceTimersByTimeAsync(600_000);
  document.dispatchEvent(new Event("visibilitychange"));
  await vi.advanceTimersByTimeAsync(0);
  expect(ask).not.toHaveBeenCalled();
  window.dispatchEvent(new Event("online"));
  await vi.advanceTimersByTimeAsync(0);
  expect(ask).toHaveBeenCalledTimes(1);
});

it("stops when the participant goes another way", async () => {
  const { ask, onAnswer, unmount } = away("asking");
  let answer: (participation: Participation) => void = () => undefined;
  ask.mockImplementation(() => new Promise((resolve) => (answer = resolve)));
  await vi.advanceTimersByTimeAsync(2_500);
  unmount();
  answer(participation);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(ask).toHaveBeenCalledTimes(1);
  expect(onAnswer).not.toHaveBeenCalled();
});

const refused = (status: number, code = "x"): Problem => ({ ...unreachable(), status, code });

it.each<[Problem | null, boolean, Asking]>([
  [null, true, "asking"],
  // Who left the line is not put back in it.
  [null, false, "never"],
  [refused(0, "unreachable"), true, "asking"],
  [refused(503), true, "asking"],
  [refused(429), true, "asking"],
  [refused(0, "media_blocked"), true, "network"],
  [refused(410), true, "never"],
  [refused(422), true, "never"],
  [refused(503), false, "never"],
])("what was refused decides whether asking helps: case %#", (problem, begun, asking) => {
  expect(askingOf(problem, begun)).toBe(asking);
});
