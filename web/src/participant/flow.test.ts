import { describe, expect, it } from "vitest";
import type { Problem } from "../api/problem";
import type { Participation } from "../api/types";
import { flow, START, stepOf, type Flow, type FlowEvent, type Step } from "./flow";

const participation: Participation = {
  session_id: "s",
  state: "invited",
  study: {
    title: "T",
    organisation: "O",
    welcome: "W",
    consent_text: "C",
    contact: "c@example",
    language: "en",
    minutes_target: 10,
    phases: [],
  },
  consent: "pending",
  outcome: null,
  completion: null,
  returnable_until: null,
};
const consented = { ...participation, consent: "given" };
const problem: Problem = { code: "x", title: "t", status: 500, detail: "d", remedy: "r", mistakes: [] };
const completion = { message: "m", code: "C", redirect_url: null };

const EVENTS: FlowEvent[] = [
  { type: "loaded", participation },
  { type: "load_failed", problem },
  { type: "retry" },
  { type: "consent_sent", accepted: true },
  { type: "consent_stored", participation: consented },
  { type: "consent_failed", problem },
  { type: "mic_asked" },
  { type: "mic_opened" },
  { type: "mic_heard" },
  { type: "mic_failed", fault: "denied" },
  { type: "started" },
  { type: "refreshed", participation },
  { type: "call_refused", problem, begun: true },
  { type: "call_lost", participation: null },
  { type: "line_left" },
  { type: "replaced" },
  { type: "come_back" },
  { type: "returned", participation: consented },
  { type: "ended", outcome: "complete", completion },
];

const live: Step = { step: "microphone", mic: { status: "live", heard: false }, returning: false };
const STEPS: Step[] = [
  { step: "loading" },
  { step: "problem", problem },
  { step: "welcome", sending: null, problem: null },
  { step: "declined" },
  { step: "microphone", mic: { status: "idle" }, returning: false },
  live,
  { step: "interview" },
  { step: "away", problem: null, begun: true },
  { step: "away", problem: null, begun: false },
  { step: "elsewhere" },
  { step: "thanks", outcome: "complete", completion: null, when: "now" },
];

/** Every step and what leads out of it; whatever is not named here must change nothing. */
const TABLE: Record<string, Partial<Record<FlowEvent["type"], string>>> = {
  loading: { loaded: "welcome", load_failed: "problem" },
  problem: { retry: "loading" },
  welcome: { consent_sent: "welcome accept", consent_stored: "microphone idle", consent_failed: "welcome problem" },
  declined: {},
  "microphone idle": {
    mic_asked: "microphone asking",
    mic_opened: "microphone live",
    mic_failed: "microphone fault",
  },
  "microphone live": {
    mic_asked: "microphone asking",
    mic_heard: "microphone heard",
    mic_failed: "microphone fault",
    started: "interview",
  },
  interview: {
    refreshed: "interview",
    call_refused: "away problem",
    call_lost: "away",
    line_left: "away left",
    replaced: "elsewhere",
    ended: "thanks",
  },
  elsewhere: { come_back: "loading" },
  "away left": { come_back: "loading", returned: "interview", ended: "thanks" },
  away: { come_back: "loading", returned: "interview", ended: "thanks" },
  thanks: {},
};

function name(step: Step): string {
  switch (step.step) {
    case "microphone":
      return `microphone ${step.mic.status === "live" && step.mic.heard ? "heard" : step.mic.status}`;
    case "welcome":
      return `welcome ${step.problem === null ? (step.sending ?? "") : "problem"}`.trim();
    case "away":
      if (step.problem !== null) return "away problem";
      return step.begun ? "away" : "away left";
    case "loading":
    case "problem":
    case "declined":
    case "interview":
    case "elsewhere":
    case "thanks":
      return step.step;
  }
}

describe("every step and every event", () => {
  for (const current of STEPS) {
    for (const event of EVENTS) {
      const expected = TABLE[name(current)]?.[event.type];
      it(`${name(current)} + ${event.type} -> ${expected ?? "unchanged"}`, () => {
        const before: Flow = { current, participation };
        const after = flow(before, event);
        if (expected === undefined) {
          // mic_opened on a live microphone is a change of device: the same step, to be heard anew.
          if (!(current === live && event.type === "mic_opened")) expect(after).toEqual(before);
        } else {
          expect(name(after.current)).toBe(expected);
        }
      });
    }
  }
});

describe("where a session puts the participant", () => {
  it.each([
    [{ ...participation }, "welcome"],
    [{ ...participation, consent: "declined", state: "ended", outcome: "no_consent" }, "declined"],
    [{ ...consented }, "microphone idle"],
    [{ ...consented, state: "paused" }, "microphone idle"],
    [{ ...consented, state: "ended", outcome: "complete" }, "thanks"],
    // An invitation that lapsed before anybody consented.
    [{ ...participation, state: "ended", outcome: "no_show" }, "thanks"],
  ])("case %#", (given, step) => {
    expect(name(stepOf(given))).toBe(step);
  });

  it("knows who comes back", () => {
    expect(stepOf({ ...consented, state: "paused" })).toMatchObject({ returning: true });
    expect(stepOf({ ...consented, state: "active" })).toMatchObject({ returning: true });
    expect(stepOf({ ...consented, state: "invited" })).toMatchObject({ returning: false });
  });

  it("shows the completion code again to who opens a used link", () => {
    expect(stepOf({ ...consented, state: "ended", outcome: "complete", completion })).toMatchObject({
      completion: { code: "C" },
      when: "before",
    });
  });
});

it("a decline is stored and ends the way", () => {
  let state = flow(START, { type: "loaded", participation });
  state = flow(state, { type: "consent_sent", accepted: false });
  expect(state.current).toMatchObject({ sending: "decline" });
  state = flow(state, { type: "consent_stored", participation: { ...participation, consent: "declined" } });
  expect(state.current.step).toBe("declined");
});

it("the interview cannot start without a microphone", () => {
  const state = flow(
    { current: stepOf(consented), participation: consented },
    { type: "mic_failed", fault: "missing" },
  );
  expect(flow(state, { type: "started" })).toBe(state);
});

it("who is away is told the newest moment until which the link is good", () => {
  const before = { ...participation, returnable_until: "2026-11-26T10:00:00Z" };
  const after = { ...before, state: "paused" as const, returnable_until: "2026-11-27T10:00:00Z" };
  const interviewing = { current: { step: "interview" as const }, participation: before };
  expect(flow(interviewing, { type: "call_lost", participation: after }).participation).toBe(after);
  expect(flow(interviewing, { type: "call_lost", participation: null }).participation).toBe(before);
  // Without a network nobody can be asked any more: what was told while the interview ran is what is known.
  const refreshed = flow(interviewing, { type: "refreshed", participation: after });
  expect(flow(refreshed, { type: "call_lost", participation: null }).participation).toBe(after);
});
