/** Types of the fixtures: they must be what the API promises. */

import type {
  Grid,
  Hits,
  Themes,
  Costs,
  Job,
  JournalEntry,
  Lane,
  Participation,
  Report,
  SessionDetail,
  SessionSummary,
  StudyDetail,
  StudySummary,
  Turn,
  Waveform,
} from "../../src/api/types";
import type { Operations } from "../../src/console/operations";

export const participations: Record<string, Participation>;
export const studies: StudySummary[];
export const studyDetails: Record<string, StudyDetail>;
export function sessions(): SessionSummary[];
export function sessionDetail(session: SessionSummary): SessionDetail;
export function turns(coded: boolean): Turn[];
export const report: Report;
export const costs: Costs;
export const journal: JournalEntry[];
export const waveform: Waveform;
export function recording(): Uint8Array;
export const lanes: Lane[];
export const deadLetters: Job[];
export const themes: Themes;
export const grid: Grid;
export const hits: Hits;
export const operations: { healthy: Operations; trouble: Operations };
