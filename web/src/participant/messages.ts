/** What the server says on the data channel `colloquy`. Unknown messages are ignored, so that a newer server works. */

import type { Completion } from "../api/types";

export type Speaker = "interviewer" | "participant";

export type Message =
  | { type: "state"; state: string }
  | { type: "caption"; turn: number; speaker: Speaker; text: string; final: boolean }
  | { type: "phase"; id: string; title: string; index: number; count: number }
  | { type: "time"; elapsed_s: number; left_s: number }
  | { type: "speaking"; speaker: Speaker; speaking: boolean }
  | { type: "trouble"; code: string; text: string }
  | { type: "ended"; outcome: string; completion: Completion | null }
  /** Another tab or device took this one's place. */
  | { type: "replaced" };

export type Request = "mute" | "unmute" | "repeat" | "end";

/** Reads one message; null for anything that is not one we know. */
export function parseMessage(data: unknown): Message | null {
  if (typeof data !== "string") return null;
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  return read(value as Record<string, unknown>);
}

function read(m: Record<string, unknown>): Message | null {
  switch (m.type) {
    case "state":
      return text(m.state) ? { type: "state", state: m.state } : null;
    case "caption": {
      const { turn, speaker, text: words, final } = m;
      if (!integer(turn) || !isSpeaker(speaker) || !text(words)) return null;
      return { type: "caption", turn, speaker, text: words, final: final === true };
    }
    case "phase": {
      const { id, title, index, count } = m;
      if (!text(id) || !text(title) || !integer(index) || !integer(count)) return null;
      return { type: "phase", id, title, index, count };
    }
    case "time": {
      const { elapsed_s, left_s } = m;
      return integer(elapsed_s) && integer(left_s) ? { type: "time", elapsed_s, left_s } : null;
    }
    case "speaking":
      return isSpeaker(m.speaker) ? { type: "speaking", speaker: m.speaker, speaking: m.speaking === true } : null;
    case "trouble":
      return text(m.code) && text(m.text) ? { type: "trouble", code: m.code, text: m.text } : null;
    case "replaced":
      return { type: "replaced" };
    case "ended":
      return text(m.outcome) ? { type: "ended", outcome: m.outcome, completion: readCompletion(m.completion) } : null;
    default:
      return null;
  }
}

function readCompletion(value: unknown): Completion | null {
  if (typeof value !== "object" || value === null) return null;
  const { message, code, redirect_url } = value as Record<string, unknown>;
  return {
    message: text(message) ? message : "",
    code: text(code) ? code : null,
    redirect_url: text(redirect_url) ? redirect_url : null,
  };
}

function text(value: unknown): value is string {
  return typeof value === "string";
}

function integer(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value);
}

function isSpeaker(value: unknown): value is Speaker {
  return value === "interviewer" || value === "participant";
}
