/** The work after interviews: what waits in each lane, and what was given up and waits for a person. */

import { useEffect, useState } from "react";
import { asProblem, type Problem } from "../../api/problem";
import type { Job, Lane } from "../../api/types";
import { moment, quantity, words } from "../../shared/format";
import { ProblemNote } from "../../shared/ProblemNote";
import { useConsole, useLive } from "../context";
import { jobLabel } from "../labels";
import { Empty, PageHead, Shown } from "../parts";
import { Link, paths } from "../router";
import { useResource, useThrottled } from "../useResource";

export function WorkPage() {
  const { api } = useConsole();
  const lanes = useResource("lanes", (signal) => api.lanes(signal));
  const dead = useResource("dead", (signal) => api.deadLetters(null, signal));
  const [problem, setProblem] = useState<Problem | null>(null);
  const [said, setSaid] = useState("");
  const reload = () => {
    lanes.reload();
    dead.reload();
  };
  const refresh = useThrottled(reload, 1000);
  useLive({ onSession: refresh, onReopened: refresh });
  useEffect(() => {
    document.title = "Work · Colloquy";
  }, []);

  const replay = (id: number | null) => {
    setProblem(null);
    api.replay(id).then(
      (count) => {
        setSaid(count === 1 ? "1 job was put back." : `${quantity(count)} jobs were put back.`);
        reload();
      },
      (error: unknown) => setProblem(asProblem(error)),
    );
  };

  return (
    <>
      <PageHead title="Work after interviews" />
      <Shown of={lanes}>
        {({ lanes: list, stopped }) => (
          <>
            {stopped != null && (
              <div className="card note danger" role="alert" data-testid="stopped">
                <p className="note-title">Coding stands still</p>
                <p>{stopped}. Nothing is lost: jobs wait.</p>
              </div>
            )}
            <Lanes lanes={list} />
          </>
        )}
      </Shown>
      <p className="muted small" role="status" data-testid="replayed">
        {said}
      </p>
      {problem !== null && <ProblemNote problem={problem} />}
      <section aria-labelledby="dead-letters">
        <div className="section-head">
          <h2 id="dead-letters">Dead letters</h2>
          {(dead.data?.jobs.length ?? 0) > 0 && (
            <button type="button" className="button small" onClick={() => replay(null)} data-testid="replay-all">
              Put all back
            </button>
          )}
        </div>
        <Shown of={dead}>
          {({ jobs, next_before }) =>
            jobs.length === 0 ? (
              <Empty title="Nothing was given up">
                A job that fails again and again, or that no retry can help, is kept here with its reason.
              </Empty>
            ) : (
              <>
                <DeadLetters jobs={jobs} onReplay={replay} />
                {next_before != null && (
                  <p className="muted small">
                    The newest {quantity(jobs.length)} are shown; “Put all back” is for all.
                  </p>
                )}
              </>
            )
          }
        </Shown>
      </section>
    </>
  );
}

function Lanes({ lanes }: { lanes: Lane[] }) {
  return (
    <div className="table-frame card">
      <table className="rows" data-testid="lanes">
        <thead>
          <tr>
            <th scope="col">Lane</th>
            <th scope="col" className="number">
              Waiting
            </th>
            <th scope="col" className="number">
              Under way
            </th>
            <th scope="col" className="number">
              Given up
            </th>
            <th scope="col">Oldest since</th>
          </tr>
        </thead>
        <tbody>
          {lanes.map((lane) => (
            <tr key={lane.lane} data-testid={`lane-${lane.lane}`}>
              <th scope="row">{words(lane.lane)}</th>
              <td className="number" data-label="Waiting">
                {quantity(lane.ready)}
              </td>
              <td className="number" data-label="Under way">
                {quantity(lane.leased)}
              </td>
              <td className="number" data-label="Given up">
                {quantity(lane.dead)}
              </td>
              <td data-label="Oldest since">{lane.oldest_at == null ? "–" : moment(lane.oldest_at)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function DeadLetters({ jobs, onReplay }: { jobs: Job[]; onReplay: (id: number) => void }) {
  return (
    <div className="table-frame card">
      <table className="rows" data-testid="dead-letters">
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">Session</th>
            <th scope="col">Why</th>
            <th scope="col">Given up</th>
            <th scope="col">
              <span className="visually-hidden">Put back</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((job) => (
            <tr key={job.id} data-testid="dead-letter">
              <th scope="row">{jobLabel(job)}</th>
              <td data-label="Session">
                <Link to={paths.session(job.session_id)}>{job.session_id}</Link>
              </td>
              <td data-label="Why">{job.last_error ?? "–"}</td>
              <td data-label="Given up">{job.ended_at == null ? "–" : moment(job.ended_at)}</td>
              <td>
                <button
                  type="button"
                  className="button small"
                  onClick={() => onReplay(job.id)}
                  aria-label={`Put back: ${jobLabel(job)}`}
                >
                  Put back
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
