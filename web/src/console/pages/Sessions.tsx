/** All sessions, live ones first to be noticed; the table changes by itself. */

import { useEffect, useState } from "react";
import { asProblem, type Problem } from "../../api/problem";
import type { SessionSummary } from "../../api/types";
import { dollars, duration, moment, quantity, words } from "../../shared/format";
import { ProblemNote } from "../../shared/ProblemNote";
import type { SessionFilter } from "../api";
import { useConsole, useLive } from "../context";
import { reportLabel, standing, STATES } from "../labels";
import { Badge, Empty, PageHead, Shown } from "../parts";
import { Link, navigate, paths, useLocation } from "../router";
import { withSession } from "../transcript";
import { useResource, useThrottled } from "../useResource";

export function SessionsPage() {
  const { api } = useConsole();
  const query = useLocation().searchParams;
  const filter: SessionFilter = { study_id: query.get("study"), state: query.get("state") };
  const key = `sessions:${filter.study_id ?? ""}:${filter.state ?? ""}`;
  const page = useResource(key, (signal) => api.sessions(filter, null, signal));
  const studies = useResource("studies", (signal) => api.studies(signal));
  const [problem, setProblem] = useState<Problem | null>(null);
  const refresh = useThrottled(page.reload, 1000);
  useLive({
    onSession: (changed) => page.set((data) => ({ ...data, sessions: withSession(data.sessions, changed, filter) })),
    onReopened: refresh,
  });
  useEffect(() => {
    document.title = "Sessions · Colloquy";
  }, []);

  const choose = (name: string, value: string) => {
    const next = new URLSearchParams(query);
    if (value === "") next.delete(name);
    else next.set(name, value);
    const text = next.toString();
    navigate(text === "" ? paths.sessions : `${paths.sessions}?${text}`, "replace");
  };
  const more = (before: string) => {
    setProblem(null);
    api.sessions(filter, before).then(
      (older) =>
        page.set((data) => {
          const known = new Set(data.sessions.map((session) => session.id));
          const added = older.sessions.filter((session) => !known.has(session.id));
          return { sessions: [...data.sessions, ...added], next_before: older.next_before ?? null };
        }),
      (error: unknown) => setProblem(asProblem(error)),
    );
  };

  return (
    <>
      <PageHead title="Sessions" />
      <div className="filters">
        <div>
          <label className="label" htmlFor="filter-study">
            Study
          </label>
          <select
            id="filter-study"
            value={filter.study_id ?? ""}
            onChange={(event) => choose("study", event.target.value)}
          >
            <option value="">All studies</option>
            {(studies.data ?? []).map((study) => (
              <option key={study.id} value={study.id}>
                {study.title}
              </option>
            ))}
          </select>
        </div>
        <div>
          <label className="label" htmlFor="filter-state">
            State
          </label>
          <select
            id="filter-state"
            value={filter.state ?? ""}
            onChange={(event) => choose("state", event.target.value)}
            data-testid="filter-state"
          >
            <option value="">All states</option>
            {STATES.map((state) => (
              <option key={state} value={state}>
                {words(state)}
              </option>
            ))}
          </select>
        </div>
      </div>
      <Shown of={page}>
        {({ sessions, next_before }) =>
          sessions.length === 0 ? (
            <Empty title="No sessions here">
              {filter.study_id === null && filter.state === null
                ? "Make participant links on a study’s page; each becomes a session."
                : "Nothing fits this filter."}
            </Empty>
          ) : (
            <>
              <SessionTable sessions={sessions} />
              {problem !== null && <ProblemNote problem={problem} />}
              {next_before != null && next_before !== "" && (
                <button type="button" className="button" onClick={() => more(next_before)}>
                  Show older sessions
                </button>
              )}
            </>
          )
        }
      </Shown>
    </>
  );
}

function SessionTable({ sessions }: { sessions: SessionSummary[] }) {
  return (
    <div className="table-frame card">
      <table className="rows" data-testid="sessions">
        <thead>
          <tr>
            <th scope="col">Session</th>
            <th scope="col">State</th>
            <th scope="col">Section</th>
            <th scope="col">Started</th>
            <th scope="col" className="number">
              Length
            </th>
            <th scope="col" className="number">
              Turns
            </th>
            <th scope="col" className="number">
              Cost
            </th>
            <th scope="col">Report</th>
          </tr>
        </thead>
        <tbody>
          {sessions.map((session) => (
            <SessionRow key={session.id} session={session} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function SessionRow({ session }: { session: SessionSummary }) {
  const { label, tone } = standing(session);
  const report = reportLabel(session.report);
  return (
    <tr data-testid="session-row" data-session={session.id} data-state={session.state}>
      <th scope="row">
        <Link to={paths.session(session.id)} testId="session-link">
          {session.external_id ?? <code>{shortId(session.id)}</code>}
        </Link>
        <span className="muted small">
          {session.study_title}
          {session.length === "rehearsal" && " · rehearsal"}
        </span>
      </th>
      <td data-label="State">
        <Badge tone={tone} testId="session-state">
          {label}
        </Badge>
      </td>
      <td data-label="Section">{session.phase_title ?? "–"}</td>
      <td data-label="Started">{session.started_at == null ? "–" : moment(session.started_at)}</td>
      <td data-label="Length" className="number">
        {session.duration_ms == null ? "–" : duration(session.duration_ms)}
      </td>
      <td data-label="Turns" className="number">
        {quantity(session.turns)}
      </td>
      <td data-label="Cost" className="number">
        {dollars(session.cost_micro_usd)}
      </td>
      <td data-label="Report">{session.report === "none" ? "–" : <Badge tone={report.tone}>{report.label}</Badge>}</td>
    </tr>
  );
}

/** The last characters of a ULID: the first ones are the time and alike in a batch. */
export function shortId(id: string): string {
  return `…${id.slice(-8)}`;
}
