/** What the operations page makes of the server's numbers: words, units and the line of an hour. */

import { count, quantity, words } from "../shared/format";
import type { Answer } from "../api/client";
import type { Tone } from "./labels";

export type Operations = Answer<"/api/v1/operations", "get">["operations"];
export type Capacity = Operations["capacity"];
export type OperationsNumber = Operations["numbers"][number];
export type OperationsAlert = Operations["alerts"][number];
export type TroubledSession = Operations["trouble"][number];

const NAMES: Record<string, string> = {
  sessions: "Live sessions",
  first_voice: "First voice",
  provider_latency: "Provider latency",
  heard_latency: "Heard latency",
  provider_errors: "Provider errors",
  queue: "Coding queue",
  cost: "Cost per session",
};

export function numberName(id: string): string {
  return NAMES[id] ?? words(id);
}

interface Labelled {
  label: string;
  tone: Tone;
}

/** A number's state as a word and a tone: the colour never says it alone. */
export function numberState(state: string): Labelled {
  switch (state) {
    case "good":
      return { label: "on target", tone: "good" };
    case "watch":
      return { label: "watch", tone: "warning" };
    case "alert":
      return { label: "alert", tone: "danger" };
    case "none":
      return { label: "no data", tone: "quiet" };
    default:
      return { label: words(state), tone: "quiet" };
  }
}

/** Whether more interviews can begin. */
export function capacityState(state: string): Labelled {
  switch (state) {
    case "open":
      return { label: "Open", tone: "good" };
    case "busy":
      return { label: "Busy", tone: "warning" };
    case "full":
      return { label: "Full", tone: "danger" };
    default:
      return { label: words(state), tone: "quiet" };
  }
}

export function severity(name: string): Labelled {
  switch (name) {
    case "page":
      return { label: "Urgent", tone: "danger" };
    case "ticket":
      return { label: "Can wait", tone: "warning" };
    default:
      return { label: words(name), tone: "warning" };
  }
}

/** What is wrong with a session; the colours are those of how bad it is for its participant. */
export function troubleLabel(trouble: string): Labelled {
  switch (trouble) {
    case "paused":
      return { label: "Interrupted", tone: "danger" };
    case "provider":
      return { label: "Provider does not answer", tone: "danger" };
    case "silent":
      return { label: "Nothing is heard", tone: "danger" };
    case "slow":
      return { label: "Answers come late", tone: "warning" };
    case "over_budget":
      return { label: "Over its budget", tone: "warning" };
    case "old":
      return { label: "Runs too long", tone: "warning" };
    default:
      return { label: words(trouble), tone: "warning" };
  }
}

/** What wakes somebody comes first. */
export function urgentFirst(alerts: OperationsAlert[]): OperationsAlert[] {
  const rank = (alert: OperationsAlert) => (alert.severity === "page" ? 0 : 1);
  return [...alerts].sort((a, b) => rank(a) - rank(b));
}

/** `1.2 ms`, `640 ms`, `1.24 s`: the operator compares hundredths of a second. */
export function milliseconds(ms: number): string {
  if (ms < 10) return `${plain(ms, 1)} ms`;
  return Math.round(ms) < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** A share of 1 as `12 %`, and as `0.3 %` where it is small. */
export function percent(share: number): string {
  const of100 = share * 100;
  if (of100 > 0 && of100 < 0.1) return "under 0.1 %";
  return `${of100 < 10 ? plain(of100, 1) : quantity(Math.round(of100))} %`;
}

/** A value with its unit, as large as it is on a card. */
export function valueText(unit: string, value: number): string {
  switch (unit) {
    case "ms":
      return milliseconds(value);
    case "share":
      return percent(value);
    case "ratio":
      return `${percent(value)} of target`;
    case "segments":
      return count(Math.round(value), "segment");
    default:
      return quantity(value);
  }
}

/** A target, an alert value or a bound of the hour: beside the value, which has the unit in full. */
export function limitText(unit: string, limit: number): string {
  switch (unit) {
    case "ms":
      return limit < 1000 ? milliseconds(limit) : `${plain(limit / 1000, 2)} s`;
    case "share":
    case "ratio":
      return percent(limit);
    default:
      return quantity(limit);
  }
}

function plain(value: number, decimals: number): string {
  return String(Number(value.toFixed(decimals)));
}

/** How long something goes on, by the server's clock alone: the reader's may be wrong. */
export function ageMs(since: string, at: string): number {
  const age = new Date(at).getTime() - new Date(since).getTime();
  return Number.isNaN(age) ? 0 : Math.max(0, age);
}

export interface Extent {
  lowest: number;
  highest: number;
  /** Null: the last step has no measurement. */
  latest: number | null;
}

/** The bounds of what was measured; null where nothing was. */
export function extent(points: (number | null)[]): Extent | null {
  const measured = points.filter((point) => point !== null);
  if (measured.length === 0) return null;
  return { lowest: Math.min(...measured), highest: Math.max(...measured), latest: points.at(-1) ?? null };
}

/** The hour in words, for those who do not see the line. */
export function hourText(number: OperationsNumber, points: (number | null)[]): string {
  const name = numberName(number.id);
  const bounds = extent(points);
  if (bounds === null) return `${name}, last hour: no data`;
  const text = (value: number) => valueText(number.unit, value);
  const latest = bounds.latest === null ? "no data" : text(bounds.latest);
  return `${name}, last hour: lowest ${text(bounds.lowest)}, highest ${text(bounds.highest)}, latest ${latest}`;
}

export interface Spark {
  /** Of the measured values; a gap is where nothing was measured. */
  path: string;
  /** How far down the lines of target and alert are. */
  target: number;
  alert: number;
}

export const SPARK = { width: 240, height: 48 };

/** The steps of an hour; a server that runs for less has a line that begins later. */
export function stepsOfHour(step_s: number): number {
  return Math.max(2, Math.round(3600 / step_s));
}

/** The line of an hour, from 0 up, with room for the alert line however low the values are. */
export function spark(
  points: (number | null)[],
  { target, alert }: { target: number; alert: number },
  steps: number,
): Spark {
  const shown = points.slice(-steps);
  const top = Math.max(target, alert, extent(shown)?.highest ?? 0) * 1.08;
  const y = (value: number) => tenth(SPARK.height * (top > 0 ? 1 - value / top : 1));
  const x = (at: number) => tenth((SPARK.width * (steps - shown.length + at)) / (steps - 1));
  let path = "";
  shown.forEach((point, at) => {
    if (point === null) return;
    const alone = (shown[at - 1] ?? null) === null && (shown[at + 1] ?? null) === null;
    path += `${(shown[at - 1] ?? null) === null ? "M" : "L"}${x(at)} ${y(point)}`;
    // A line of no length is drawn as a dot.
    if (alone) path += "h0.01";
  });
  return { path, target: y(target), alert: y(alert) };
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}
