/** The captions of one interview: whole texts keyed by turn, kept in speech order. */

import type { Speaker } from "./messages";

export interface Caption {
  turn: number;
  speaker: Speaker;
  text: string;
  final: boolean;
}

/** Puts in a caption or replaces the one of its turn. A final caption is not undone by a late partial one. */
export function withCaption(captions: readonly Caption[], next: Caption): readonly Caption[] {
  const at = captions.findIndex((known) => known.turn === next.turn);
  const known = captions[at];
  if (known !== undefined) {
    if (known.final && !next.final) return captions;
    if (next.text === "" && known.text !== "") return captions;
    return captions.with(at, next);
  }
  if (next.text === "") return captions;
  // Mostly the newest turn; participant words may be recognised after the answer to them has begun.
  const before = captions.findLastIndex((other) => other.turn < next.turn);
  return captions.toSpliced(before + 1, 0, next);
}

/** The interviewer's latest words: what the participant is answering. */
export function latestQuestion(captions: readonly Caption[]): Caption | null {
  return captions.findLast((caption) => caption.speaker === "interviewer") ?? null;
}
