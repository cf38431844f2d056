/** Names for what the API answers, taken from the paths so that a renamed schema changes nothing here. */

import type { Answer } from "./client";

export type Participation = Answer<"/api/v1/participation", "get">["participation"];
export type Completion = NonNullable<Participation["completion"]>;
export type StudySummary = Answer<"/api/v1/studies", "get">["studies"][number];
export type StudyDetail = Answer<"/api/v1/studies/{id}", "get">["study"];
export type CreatedSession = Answer<"/api/v1/studies/{id}/sessions", "post">["sessions"][number];
export type SessionSummary = Answer<"/api/v1/sessions", "get">["sessions"][number];
export type SessionDetail = Answer<"/api/v1/sessions/{id}", "get">["session"];
export type Turn = Answer<"/api/v1/sessions/{id}/turns", "get">["turns"][number];
export type Segment = Turn["segments"][number];
export type Second = NonNullable<Turn["second"]>;
export type Report = Answer<"/api/v1/sessions/{id}/report", "get">["report"];
export type Costs = Answer<"/api/v1/sessions/{id}/costs", "get">["costs"];
export type JournalEntry = Answer<"/api/v1/sessions/{id}/journal", "get">["entries"][number];
export type Waveform = Answer<"/api/v1/sessions/{id}/waveform", "get">["waveform"];
export type Lanes = Answer<"/api/v1/lanes", "get">;
export type Lane = Lanes["lanes"][number];
export type Jobs = Answer<"/api/v1/jobs", "get">;
export type Job = Jobs["jobs"][number];
export type Themes = Answer<"/api/v1/studies/{id}/themes", "get">;
export type Theme = Themes["themes"][number];
export type Grid = Answer<"/api/v1/studies/{id}/grid", "get">;
export type Cell = Grid["rows"][number]["cells"][number];
export type Hits = Answer<"/api/v1/studies/{id}/search", "get">;
