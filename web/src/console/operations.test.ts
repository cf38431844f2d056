import { describe, expect, it } from "vitest";
import { operations } from "../../tests/double/fixtures.mjs";
import {
  ageMs,
  capacityState,
  extent,
  hourText,
  limitText,
  milliseconds,
  numberName,
  numberState,
  percent,
  severity,
  SPARK,
  spark,
  stepsOfHour,
  troubleLabel,
  urgentFirst,
  valueText,
} from "./operations";

describe("values", () => {
  it.each([
    [0, "0 ms"],
    [1.24, "1.2 ms"],
    [9.96, "10 ms"],
    [640.4, "640 ms"],
    [999.4, "999 ms"],
    [999.5, "1.00 s"],
    [1_236, "1.24 s"],
    [12_300, "12.30 s"],
  ])("%d ms are %s", (ms, text) => {
    expect(milliseconds(ms)).toBe(text);
  });

  it.each([
    [0, "0 %"],
    [0.0004, "under 0.1 %"],
    [0.003, "0.3 %"],
    [0.02, "2 %"],
    [0.0999, "10 %"],
    [0.125, "13 %"],
    [12.4, "1,240 %"],
  ])("a share of %d is %s", (share, text) => {
    expect(percent(share)).toBe(text);
  });

  it("have their unit", () => {
    expect(valueText("sessions", 1_204)).toBe("1,204");
    expect(valueText("segments", 1)).toBe("1 segment");
    expect(valueText("segments", 31)).toBe("31 segments");
    expect(valueText("ratio", 0.84)).toBe("84 % of target");
    expect(valueText("share", 0.003)).toBe("0.3 %");
  });

  it("limits are short", () => {
    expect(limitText("ms", 800)).toBe("800 ms");
    expect(limitText("ms", 2_000)).toBe("2 s");
    expect(limitText("ms", 2_490)).toBe("2.49 s");
    expect(limitText("ratio", 1.5)).toBe("150 %");
    expect(limitText("share", 0.005)).toBe("0.5 %");
    expect(limitText("segments", 500)).toBe("500");
  });

  it("ages are counted by the server’s clock and never negative", () => {
    expect(ageMs("2026-11-29T13:58:00Z", "2026-11-29T14:00:00Z")).toBe(120_000);
    expect(ageMs("2026-11-29T14:00:01Z", "2026-11-29T14:00:00Z")).toBe(0);
    expect(ageMs("nonsense", "2026-11-29T14:00:00Z")).toBe(0);
  });
});

describe("words", () => {
  it("every state has one, with a tone", () => {
    expect(numberState("good")).toEqual({ label: "on target", tone: "good" });
    expect(numberState("watch")).toEqual({ label: "watch", tone: "warning" });
    expect(numberState("alert")).toEqual({ label: "alert", tone: "danger" });
    expect(numberState("none")).toEqual({ label: "no data", tone: "quiet" });
    expect(["open", "busy", "full"].map((state) => capacityState(state).tone)).toEqual(["good", "warning", "danger"]);
    const wrong = ["paused", "provider", "silent", "slow", "over_budget", "old"].map(troubleLabel);
    expect(new Set(wrong.map(({ label }) => label)).size).toBe(6);
  });

  it("unknown names of a newer server are shown as they are", () => {
    expect(numberName("disk_space")).toBe("Disk space");
    expect(numberState("stuck").label).toBe("Stuck");
    expect(capacityState("drained").label).toBe("Drained");
    expect(severity("info").label).toBe("Info");
    expect(troubleLabel("on_fire").label).toBe("On fire");
    expect(valueText("sheep", 3)).toBe("3");
  });

  it("what wakes somebody comes first, the rest in the server’s order", () => {
    const alert = { since: "", summary: "", runbook: "" };
    const names = urgentFirst([
      { ...alert, name: "a", severity: "ticket" },
      { ...alert, name: "b", severity: "page" },
      { ...alert, name: "c", severity: "ticket" },
    ]).map(({ name }) => name);
    expect(names).toEqual(["b", "a", "c"]);
  });
});

describe("the line of an hour", () => {
  const limits = { target: 50, alert: 100 };

  it("ends at the right edge, and begins later where the server is younger than an hour", () => {
    expect(spark([0, 0, 0], limits, 3).path).toBe("M0 48L120 48L240 48");
    expect(spark([0, 0], limits, 3).path).toBe("M120 48L240 48");
    expect(spark([9, 0, 0, 0], limits, 3).path).toBe("M0 48L120 48L240 48");
    expect(stepsOfHour(15)).toBe(240);
  });

  it("is broken where nothing was measured; a value alone is a dot", () => {
    expect(spark([0, 0, null, 0, null, 0, 0], limits, 7).path).toBe("M0 48L40 48M120 48h0.01M200 48L240 48");
    expect(spark([null, null], limits, 2).path).toBe("");
    expect(spark([], limits, 240).path).toBe("");
  });

  it("has both limits in view, and what is far above them too", () => {
    for (const highest of [0, 1, 100, 5_000]) {
      const line = spark([highest, highest], limits, 2);
      expect(line.alert).toBeGreaterThan(0);
      expect(line.target).toBeGreaterThan(line.alert);
      expect(line.target).toBeLessThan(SPARK.height);
      expect(Number(/^M0 ([\d.]+)/.exec(line.path)?.[1])).toBeGreaterThan(0);
    }
    expect(spark([0], { target: 0, alert: 0 }, 2)).toEqual({ path: "M240 48h0.01", target: 48, alert: 48 });
  });

  it("has words", () => {
    const number = { id: "heard_latency", unit: "ms", state: "good", target: 500, alert: 800 };
    expect(hourText(number, [640, null, 1_240, 700])).toBe(
      "Heard latency, last hour: lowest 640 ms, highest 1.24 s, latest 700 ms",
    );
    expect(hourText(number, [640, null])).toBe(
      "Heard latency, last hour: lowest 640 ms, highest 640 ms, latest no data",
    );
    expect(hourText(number, [null, null])).toBe("Heard latency, last hour: no data");
    expect(extent([])).toBeNull();
  });

  it("of the fixtures has a point for every step", () => {
    for (const { history, numbers } of [operations.healthy, operations.trouble]) {
      expect(history.series.map(({ id }) => id)).toEqual(numbers.map(({ id }) => id));
      for (const { points } of history.series) expect(points).toHaveLength(stepsOfHour(history.step_s));
    }
  });
});
