/** The participant's way through the page, as a pure reducer: which step is shown, and what moves it. */

import type { Problem } from "../api/problem";
import type { Completion, Participation } from "../api/types";

export type MicFault = "denied" | "dismissed" | "missing" | "busy" | "insecure" | "unsupported" | "failed";

export type Mic =
  { status: "idle" } | { status: "asking" } | { status: "live"; heard: boolean } | { status: "fault"; fault: MicFault };

export type Step =
  | { step: "loading" }
  | { step: "problem"; problem: Problem }
  | { step: "welcome"; sending: "accept" | "decline" | null; problem: Problem | null }
  | { step: "declined" }
  | { step: "microphone"; mic: Mic; returning: boolean }
  | { step: "interview" }
  /**
   * The connection could not be made, or not be brought back; the server keeps what was said, if anything. Without a
   * problem and not begun: the participant left the line.
   */
  | { step: "away"; problem: Problem | null; begun: boolean }
  /** Another tab or device has the interview. */
  | { step: "elsewhere" }
  | { step: "thanks"; outcome: string; completion: Completion | null; when: "now" | "before" };

export interface Flow {
  current: Step;
  participation: Participation | null;
}

export type FlowEvent =
  | { type: "loaded"; participation: Participation }
  | { type: "load_failed"; problem: Problem }
  | { type: "retry" }
  | { type: "consent_sent"; accepted: boolean }
  | { type: "consent_stored"; participation: Participation }
  | { type: "consent_failed"; problem: Problem }
  | { type: "mic_asked" }
  | { type: "mic_opened" }
  | { type: "mic_heard" }
  | { type: "mic_failed"; fault: MicFault }
  | { type: "started" }
  /** The server's newest word while the interview runs: what must be known before the network is gone. */
  | { type: "refreshed"; participation: Participation }
  | { type: "call_refused"; problem: Problem; begun: boolean }
  /** With the server's word on the session, if it could be had: until when one can come back changes with a drop. */
  | { type: "call_lost"; participation: Participation | null }
  /** All places are taken, and the participant would rather come back later. */
  | { type: "line_left" }
  | { type: "replaced" }
  | { type: "come_back" }
  /** The server answers again and the microphone is open: on without a click. */
  | { type: "returned"; participation: Participation }
  | { type: "ended"; outcome: string; completion: Completion | null };

export const START: Flow = { current: { step: "loading" }, participation: null };

/** Applies one event. An event that does not belong to the current step changes nothing. */
export function flow(state: Flow, event: FlowEvent): Flow {
  switch (event.type) {
    case "loaded":
      return state.current.step === "loading"
        ? { current: stepOf(event.participation), participation: event.participation }
        : state;
    case "load_failed":
      return state.current.step === "loading" ? to(state, { step: "problem", problem: event.problem }) : state;
    case "retry":
      return state.current.step === "problem" ? to(state, { step: "loading" }) : state;
    case "consent_sent":
    case "consent_stored":
    case "consent_failed":
      return state.current.step === "welcome" ? consent(state, event) : state;
    case "mic_asked":
    case "mic_opened":
    case "mic_heard":
    case "mic_failed":
      return state.current.step === "microphone"
        ? to(state, { ...state.current, mic: microphone(state.current.mic, event) })
        : state;
    case "started":
      return state.current.step === "microphone" && state.current.mic.status === "live"
        ? to(state, { step: "interview" })
        : state;
    case "refreshed":
      return state.current.step === "interview" ? { ...state, participation: event.participation } : state;
    case "call_refused":
      return state.current.step === "interview"
        ? to(state, { step: "away", problem: event.problem, begun: event.begun })
        : state;
    case "call_lost":
      return state.current.step === "interview"
        ? {
            current: { step: "away", problem: null, begun: true },
            participation: event.participation ?? state.participation,
          }
        : state;
    case "line_left":
      return state.current.step === "interview" ? to(state, { step: "away", problem: null, begun: false }) : state;
    case "replaced":
      return state.current.step === "interview" ? to(state, { step: "elsewhere" }) : state;
    case "come_back":
      // Everything is asked anew: the session may have ended meanwhile, and the browser may want the gesture.
      return state.current.step === "away" || state.current.step === "elsewhere"
        ? to(state, { step: "loading" })
        : state;
    case "returned":
      return state.current.step === "away"
        ? { current: { step: "interview" }, participation: event.participation }
        : state;
    case "ended":
      return state.current.step === "interview" || state.current.step === "away"
        ? to(state, { step: "thanks", outcome: event.outcome, completion: event.completion, when: "now" })
        : state;
  }
}

function to(state: Flow, current: Step): Flow {
  return { ...state, current };
}

type ConsentEvent = Extract<FlowEvent, { type: `consent_${string}` }>;

function consent(state: Flow, event: ConsentEvent): Flow {
  switch (event.type) {
    case "consent_sent":
      return to(state, { step: "welcome", sending: event.accepted ? "accept" : "decline", problem: null });
    case "consent_failed":
      return to(state, { step: "welcome", sending: null, problem: event.problem });
    case "consent_stored":
      return { current: stepOf(event.participation), participation: event.participation };
  }
}

type MicEvent = Extract<FlowEvent, { type: `mic_${string}` }>;

function microphone(mic: Mic, event: MicEvent): Mic {
  switch (event.type) {
    case "mic_asked":
      return { status: "asking" };
    case "mic_opened":
      return { status: "live", heard: false };
    case "mic_heard":
      return mic.status === "live" ? { status: "live", heard: true } : mic;
    case "mic_failed":
      return { status: "fault", fault: event.fault };
  }
}

/** Where a session, as the server tells it, puts the participant. */
export function stepOf(participation: Participation): Step {
  const { state, consent: given, outcome, completion } = participation;
  if (given === "declined") return { step: "declined" };
  if (state === "ended") {
    return { step: "thanks", outcome: outcome ?? "partial", completion: completion ?? null, when: "before" };
  }
  if (given !== "given") return { step: "welcome", sending: null, problem: null };
  const returning = state === "active" || state === "paused";
  return { step: "microphone", mic: { status: "idle" }, returning };
}
