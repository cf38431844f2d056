/** The console's side of the HTTP API. It has no private door: these are the calls that anybody with the token can make. */

import { Client, type Options } from "../api/client";
import type {
  Costs,
  CreatedSession,
  Grid,
  Hits,
  Jobs,
  JournalEntry,
  Lanes,
  Report,
  SessionDetail,
  SessionSummary,
  StudyDetail,
  StudySummary,
  Themes,
  Turn,
  Waveform,
} from "../api/types";
import type { Operations } from "./operations";

export type NewSessions = NonNullable<Options<"/api/v1/studies/{id}/sessions", "post">["json"]>;

export interface SessionFilter {
  study_id: string | null;
  state: string | null;
}

export interface SessionPage {
  sessions: SessionSummary[];
  next_before?: string | null;
}

/** A page of the sessions table. */
const PAGE = 100;

export class ConsoleApi {
  readonly #client: Client;

  constructor(token: string) {
    this.#client = new Client(token);
  }

  async studies(signal: AbortSignal): Promise<StudySummary[]> {
    return (await this.#client.get("/api/v1/studies", { signal })).studies;
  }

  async study(id: string, signal: AbortSignal): Promise<StudyDetail> {
    return (await this.#client.get("/api/v1/studies/{id}", { path: { id }, signal })).study;
  }

  async themes(id: string, signal: AbortSignal): Promise<Themes> {
    return this.#client.get("/api/v1/studies/{id}/themes", { path: { id }, signal });
  }

  async grid(id: string, before: string | null, signal?: AbortSignal): Promise<Grid> {
    const query = before === null ? {} : { before };
    return this.#client.get("/api/v1/studies/{id}/grid", {
      path: { id },
      query,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async search(id: string, q: string, before: string | null): Promise<Hits> {
    const query = before === null ? { q } : { q, before };
    return this.#client.get("/api/v1/studies/{id}/search", { path: { id }, query });
  }

  async putStudy(source: string): Promise<StudyDetail> {
    const text = { body: source, type: "text/yaml" };
    return (await this.#client.post("/api/v1/studies", { text })).study;
  }

  async createSessions(id: string, json: NewSessions): Promise<CreatedSession[]> {
    return (await this.#client.post("/api/v1/studies/{id}/sessions", { path: { id }, json })).sessions;
  }

  async sessions(filter: SessionFilter, before: string | null, signal?: AbortSignal): Promise<SessionPage> {
    const query = {
      limit: PAGE,
      ...(filter.study_id === null ? {} : { study_id: filter.study_id }),
      ...(filter.state === null ? {} : { state: filter.state }),
      ...(before === null ? {} : { before }),
    };
    return this.#client.get("/api/v1/sessions", { query, ...(signal === undefined ? {} : { signal }) });
  }

  async session(id: string, signal: AbortSignal): Promise<SessionDetail> {
    return (await this.#client.get("/api/v1/sessions/{id}", { path: { id }, signal })).session;
  }

  async turns(id: string, signal: AbortSignal): Promise<Turn[]> {
    return (await this.#client.get("/api/v1/sessions/{id}/turns", { path: { id }, signal })).turns;
  }

  async report(id: string, signal: AbortSignal): Promise<Report> {
    return (await this.#client.get("/api/v1/sessions/{id}/report", { path: { id }, signal })).report;
  }

  async costs(id: string, signal: AbortSignal): Promise<Costs> {
    return (await this.#client.get("/api/v1/sessions/{id}/costs", { path: { id }, signal })).costs;
  }

  async journal(id: string, signal: AbortSignal): Promise<JournalEntry[]> {
    return (await this.#client.get("/api/v1/sessions/{id}/journal", { path: { id }, signal })).entries;
  }

  async waveform(id: string, signal: AbortSignal): Promise<Waveform> {
    return (await this.#client.get("/api/v1/sessions/{id}/waveform", { path: { id }, signal })).waveform;
  }

  /** The whole recording: an audio element cannot send a token, and a seekable blob can be played from anywhere. */
  async recording(id: string, signal: AbortSignal): Promise<Blob> {
    const response = await this.#client.send("get", "/api/v1/sessions/{id}/recording", { path: { id }, signal });
    return response.blob();
  }

  /** A file of a session or a study, with the name that the server gives it. */
  async exported(
    of: "sessions" | "studies",
    id: string,
    { format, table }: { format: string; table?: string },
  ): Promise<{ blob: Blob; name: string }> {
    const query = { format, ...(table === undefined ? {} : { table }) };
    const path = of === "sessions" ? "/api/v1/sessions/{id}/export" : "/api/v1/studies/{id}/export";
    // A large study takes as long as it takes; leaving the page ends it.
    const signal = new AbortController().signal;
    const response = await this.#client.send("get", path, { path: { id }, query, signal });
    const disposition = response.headers.get("Content-Disposition") ?? "";
    const name = /filename="([^"]+)"/.exec(disposition)?.[1] ?? `${id}.${format}`;
    return { blob: await response.blob(), name };
  }

  async correct(id: string, segment: number, json: { sentiment: string; topics: string[] }): Promise<void> {
    await this.#client.send("put", "/api/v1/sessions/{id}/segments/{segment}/correction", {
      path: { id, segment },
      json,
    });
  }

  async withdrawCorrection(id: string, segment: number): Promise<void> {
    await this.#client.send("delete", "/api/v1/sessions/{id}/segments/{segment}/correction", { path: { id, segment } });
  }

  async endSession(id: string): Promise<void> {
    await this.#client.post("/api/v1/sessions/{id}/end", { path: { id } });
  }

  async lanes(signal: AbortSignal): Promise<Lanes> {
    return this.#client.get("/api/v1/lanes", { signal });
  }

  /** A page of the jobs that were given up, newest first. */
  async deadLetters(before: number | null, signal: AbortSignal): Promise<Jobs> {
    const query = { state: "dead", limit: PAGE, ...(before === null ? {} : { before }) };
    return this.#client.get("/api/v1/jobs", { query, signal });
  }

  /** Puts one dead letter back, or all; says how many that were. */
  async replay(id: number | null): Promise<number> {
    if (id === null) return (await this.#client.post("/api/v1/jobs/replay", { json: {} })).replayed;
    return (await this.#client.post("/api/v1/jobs/{id}/replay", { path: { id } })).replayed;
  }

  async operations(signal: AbortSignal): Promise<Operations> {
    return (await this.#client.get("/api/v1/operations", { signal })).operations;
  }

  events(signal: AbortSignal): Promise<Response> {
    return this.#client.send("get", "/api/v1/events", { signal });
  }
}
