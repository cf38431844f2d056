/** Pure helpers of the transcript: what plays now, where a quote lies in its words, phases as headings. */

import type { Segment, SessionSummary, Turn } from "../api/types";
import type { SessionFilter } from "./api";

/** The turn that is heard at a moment: of overlapping ones the one that began last. Null in a pause. */
export function turnAt(turns: readonly Turn[], ms: number): number | null {
  return turns.findLast((turn) => turn.start_ms <= ms && ms < turn.end_ms)?.turn ?? null;
}

export interface Piece {
  text: string;
  quoted: boolean;
}

/** A segment's words with its key quote set apart. Positions count Unicode characters, as the server does. */
export function pieces(segment: Pick<Segment, "text" | "quote">): Piece[] {
  const { text, quote } = segment;
  if (quote == null || quote.text === "") return [{ text, quoted: false }];
  const characters = Array.from(text);
  let before = characters.slice(0, quote.start_char).join("");
  if (characters.slice(quote.start_char, quote.end_char).join("") !== quote.text) {
    const at = text.indexOf(quote.text);
    if (at === -1) return [{ text, quoted: false }];
    before = text.slice(0, at);
  }
  return [
    { text: before, quoted: false },
    { text: quote.text, quoted: true },
    { text: text.slice(before.length + quote.text.length), quoted: false },
  ].filter((piece) => piece.text !== "");
}

/** A text with these parts of it set apart: in order, in Unicode characters, not touching each other. */
export function marked(text: string, spans: readonly { from_char: number; to_char: number }[]): Piece[] {
  const characters = Array.from(text);
  const pieces: Piece[] = [];
  let at = 0;
  for (const { from_char, to_char } of spans) {
    pieces.push({ text: characters.slice(at, from_char).join(""), quoted: false });
    pieces.push({ text: characters.slice(from_char, to_char).join(""), quoted: true });
    at = to_char;
  }
  pieces.push({ text: characters.slice(at).join(""), quoted: false });
  return pieces.filter((piece) => piece.text !== "");
}

export interface PhaseGroup {
  phase: string;
  title: string;
  start_ms: number;
  turns: Turn[];
}

/** Turns under the phase in which they began; a phase that is entered again is a new group. */
export function byPhase(turns: readonly Turn[]): PhaseGroup[] {
  const groups: PhaseGroup[] = [];
  for (const turn of turns) {
    const last = groups.at(-1);
    if (last?.phase === turn.phase) last.turns.push(turn);
    else groups.push({ phase: turn.phase, title: turn.phase_title, start_ms: turn.start_ms, turns: [turn] });
  }
  return groups;
}

/** A changed session put into a list: updated in place, added on top, or taken out when the filter no longer fits. */
export function withSession(
  sessions: readonly SessionSummary[],
  changed: SessionSummary,
  filter: SessionFilter,
): SessionSummary[] {
  const fits =
    (filter.study_id === null || filter.study_id === changed.study_id) &&
    (filter.state === null || filter.state === changed.state);
  const at = sessions.findIndex((session) => session.id === changed.id);
  if (!fits) return sessions.filter((session) => session.id !== changed.id);
  return at === -1 ? [changed, ...sessions] : sessions.with(at, changed);
}
