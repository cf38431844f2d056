/** The console's words for what the API names. Every table has a way out: an unknown name is shown as it is. */

import type { IconName } from "../shared/icons";
import { clock, dollars, latency, words } from "../shared/format";
import type { SessionSummary } from "../api/types";

export type Tone = "live" | "good" | "warning" | "danger" | "quiet";

export const STATES = ["invited", "waiting", "active", "paused", "closing", "ended"] as const;

/** A session's state, and its outcome once it ended, as one word and one tone. */
export function standing(session: Pick<SessionSummary, "state" | "outcome">): { label: string; tone: Tone } {
  const { state, outcome } = session;
  if (state === "ended") {
    switch (outcome) {
      case "complete":
        return { label: "Complete", tone: "good" };
      case "technical":
        return { label: "Technical fault", tone: "danger" };
      case "budget":
        return { label: "Budget used up", tone: "danger" };
      case "no_consent":
        return { label: "No consent", tone: "quiet" };
      case "no_show":
        return { label: "No show", tone: "quiet" };
      case null:
      case undefined:
        return { label: "Ended", tone: "quiet" };
      default:
        return { label: words(outcome), tone: "warning" };
    }
  }
  switch (state) {
    case "active":
      return { label: "Live", tone: "live" };
    case "waiting":
      return { label: "Joining", tone: "live" };
    case "closing":
      return { label: "Closing", tone: "live" };
    case "paused":
      return { label: "Paused", tone: "warning" };
    default:
      return { label: words(state), tone: "quiet" };
  }
}

export function isLive(state: string): boolean {
  return state === "waiting" || state === "active" || state === "paused" || state === "closing";
}

/** What a job of the work after an interview is about. */
export function jobLabel({ kind, key }: { kind: string; key: string }): string {
  switch (kind) {
    case "code":
      return `Coding of segment ${key}`;
    case "finish_recording":
      return "Recording";
    case "cut_transcript":
      return "Transcript";
    case "report":
      return "Report";
    case "webhook":
      return `Webhook ${key.split("/")[0] ?? key}`;
    default:
      return key === "" ? words(kind) : `${words(kind)} ${key}`;
  }
}

export function reportLabel(report: string): { label: string; tone: Tone } {
  switch (report) {
    case "ready":
      return { label: "Ready", tone: "good" };
    case "working":
      return { label: "In the making", tone: "warning" };
    case "failed":
      return { label: "Failed", tone: "danger" };
    default:
      return { label: "None", tone: "quiet" };
  }
}

const COMPONENTS: Record<string, { group: string; label: string }> = {
  text_in: { group: "Conversation", label: "Text in" },
  text_cached: { group: "Conversation", label: "Text in, cached" },
  audio_in: { group: "Conversation", label: "Audio in" },
  audio_cached: { group: "Conversation", label: "Audio in, cached" },
  text_out: { group: "Conversation", label: "Text out" },
  audio_out: { group: "Conversation", label: "Audio out" },
  connection_ms: { group: "Conversation", label: "Connection time" },
  transcription_ms: { group: "Transcription", label: "Audio transcribed" },
  transcription_in: { group: "Transcription", label: "Tokens in" },
  transcription_out: { group: "Transcription", label: "Tokens out" },
  enrichment_in: { group: "Analysis", label: "Text in" },
  enrichment_cached: { group: "Analysis", label: "Text in, cached" },
  enrichment_out: { group: "Analysis", label: "Text out" },
};

export function componentLabel(component: string): { group: string; label: string } {
  return COMPONENTS[component] ?? { group: "Other", label: words(component) };
}

export interface JournalLine {
  title: string;
  detail: string;
  icon: IconName;
  tone: Tone;
  /** Turns, charges and measurements: many, and shown elsewhere too. */
  routine: boolean;
}

/** One committed fact as a line of the timeline. */
export function journalLine(entry: { kind: string; body: unknown }): JournalLine {
  const body = fieldsOf(entry.body);
  const text = (name: string): string => {
    const value = body[name];
    return typeof value === "string" || typeof value === "number" ? String(value) : "";
  };
  const number = (name: string): number => {
    const value = body[name];
    return typeof value === "number" ? value : 0;
  };
  const line = (title: string, detail: string, icon: IconName, tone: Tone = "quiet", routine = false): JournalLine => ({
    title,
    detail,
    icon,
    tone,
    routine,
  });
  switch (entry.kind) {
    case "session_created":
      return line("Link made", "", "link");
    case "consent_given":
      return line("Consent given", "", "shield", "good");
    case "consent_declined":
      return line("Consent declined", "", "shield", "warning");
    case "peer_up":
      return line("Participant connected", `connection ${text("peer")}`, "link");
    case "peer_lost":
      return line("Participant’s connection lost", `connection ${text("peer")}`, "link", "warning");
    case "link_up":
      return line("Interviewer ready", `link ${text("link")} ${text("vendor_id")}`, "robot");
    case "link_gone":
      return line("Interviewer’s link ended", `${words(text("category"))} ${text("detail")}`, "robot", "warning");
    case "link_fault":
      return line("Fault on the interviewer’s link", `${words(text("category"))} ${text("detail")}`, "alert", "danger");
    case "phase_entered":
      return line(`Phase “${text("phase")}”`, `${at(body)}, moved by ${text("cause")}`, "play", "live");
    case "move_refused":
      return line(`Move to “${text("to")}” refused`, text("reason"), "alert", "warning");
    case "topic_covered":
      return line(`Question “${text("topic")}” covered`, `${at(body)}, in ${text("phase")}`, "check", "good");
    case "nudged":
      return line("Reminded of the time", `in ${text("phase")}`, "clock", "warning");
    case "silence_prompted":
      return line("Participant silent, prompted", number("nth") > 1 ? "for the second time" : "", "clock", "warning");
    case "turn":
      return line(
        text("speaker") === "interviewer" ? "Interviewer spoke" : "Participant spoke",
        `${clock(number("start_ms"))} to ${clock(number("end_ms"))}${text("ending") === "complete" ? "" : `, ${text("ending")}`}`,
        "sound",
        "quiet",
        true,
      );
    case "charged":
      return line("Charged", charged(body), "copy", "quiet", true);
    case "measured":
      return line(words(text("measure")), latency(number("ms")), "clock", "quiet", true);
    case "muted":
      return line(body.muted === true ? "Participant muted" : "Participant unmuted", at(body), "mic-off");
    case "network_gap":
      return line(`Network silent for ${gap(body)}`, `from ${clock(number("from_ms"))}`, "alert", "warning");
    case "paused":
      return line("Paused", at(body), "pause", "warning");
    case "resumed":
      return line("Resumed", at(body), "play", "good");
    case "closing":
      return line("Closing", words(text("outcome")), "stop");
    case "ended":
      return line("Ended", words(text("outcome")), "stop", text("outcome") === "complete" ? "good" : "warning");
    default:
      return line(words(entry.kind), "", "settings");
  }
}

function fieldsOf(body: unknown): Record<string, unknown> {
  return typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
}

function at(body: Record<string, unknown>): string {
  const ms = body.timeline_ms;
  return typeof ms === "number" ? `at ${clock(ms)}` : "";
}

function gap(body: Record<string, unknown>): string {
  const { from_ms: from, to_ms: to } = body;
  return typeof from === "number" && typeof to === "number" ? `${((to - from) / 1000).toFixed(1)} s` : "a while";
}

function charged(body: Record<string, unknown>): string {
  const charges = body.charges;
  if (!Array.isArray(charges)) return "";
  const sum = (charges as unknown[]).reduce<number>((total, charge) => {
    const fields = fieldsOf(charge);
    const cost = fields.cost_micro_usd ?? fields.cost;
    return total + (typeof cost === "number" ? cost : 0);
  }, 0);
  return dollars(sum);
}
