import { describe, expect, it } from "vitest";
import { bytes, clock, count, dollars, duration, latency, timeLeft, words } from "./format";

describe("dollars", () => {
  it.each([
    [0, "$0.00"],
    [1, "$0.0000"],
    [49, "$0.0000"],
    [50, "$0.0001"],
    [20_300, "$0.0203"],
    [999_949, "$0.9999"],
    [999_950, "$1.0000"],
    [1_000_000, "$1.00"],
    [1_994_999, "$1.99"],
    [1_995_000, "$2.00"],
    [1_234_567_890_000, "$1,234,567.89"],
    [-20_300, "−$0.0203"],
    [-1, "$0.0000"],
  ])("%d micro-dollars are %s", (micro, text) => {
    expect(dollars(micro)).toBe(text);
  });

  it("keeps four decimals where a column asks for them", () => {
    expect(dollars(1_118_204, 4)).toBe("$1.1182");
    expect(dollars(0, 4)).toBe("$0.0000");
  });

  it("does not round by floating point", () => {
    // 1.005 dollars as a float is a little less and would become 1.00.
    expect(dollars(1_005_000)).toBe("$1.01");
    // The largest safe integer keeps every cent.
    expect(dollars(9_007_199_254_740_991)).toBe("$9,007,199,254.74");
  });
});

it("a clock counts whole seconds and shows hours only when there are any", () => {
  expect(clock(0)).toBe("0:00");
  expect(clock(59_999)).toBe("0:59");
  expect(clock(247_000)).toBe("4:07");
  expect(clock(3_729_000)).toBe("1:02:09");
  expect(clock(-5)).toBe("0:00");
});

it("durations and latencies are in the unit that fits", () => {
  expect(duration(42_400)).toBe("42 s");
  expect(duration(59_700)).toBe("1 min");
  expect(duration(750_000)).toBe("12 min 30 s");
  expect(duration(3_720_000)).toBe("1 h 2 min");
  expect(latency(640)).toBe("640 ms");
  expect(latency(1_310)).toBe("1.3 s");
});

it("time left goes down in steps that do not flicker", () => {
  expect(timeLeft(740)).toBe("about 13 minutes left");
  expect(timeLeft(61)).toBe("about 2 minutes left");
  expect(timeLeft(60)).toBe("about 1 minute left");
  expect(timeLeft(59)).toBe("less than a minute left");
  expect(timeLeft(0)).toBe("finishing");
});

it("counts and names read as words", () => {
  expect(count(1, "session")).toBe("1 session");
  expect(count(1_204, "session")).toBe("1,204 sessions");
  expect(words("phase_entered")).toBe("Phase entered");
  expect(bytes(612_400)).toBe("612 kB");
  expect(bytes(4_600_000)).toBe("4.6 MB");
});
