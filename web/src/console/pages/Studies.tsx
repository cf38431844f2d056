/** All studies, with what happens in each. */

import { useEffect, useState } from "react";
import type { StudySummary } from "../../api/types";
import { count, moment, quantity } from "../../shared/format";
import { useConsole, useLive } from "../context";
import { Badge, Empty, PageHead, Shown } from "../parts";
import { Link, navigate, paths } from "../router";
import { AddStudy } from "../AddStudy";
import { useResource, useThrottled } from "../useResource";

export function StudiesPage() {
  const { api } = useConsole();
  const studies = useResource("studies", (signal) => api.studies(signal));
  const refresh = useThrottled(studies.reload, 1000);
  useLive({ onSession: refresh, onReopened: refresh });
  const [adding, setAdding] = useState(false);
  useEffect(() => {
    document.title = "Studies · Colloquy";
  }, []);
  return (
    <>
      <PageHead title="Studies">
        <button type="button" className="button" onClick={() => setAdding(true)} data-testid="add-study">
          Add a study
        </button>
      </PageHead>
      <Shown of={studies}>
        {(list) =>
          list.length === 0 ? (
            <Empty title="No studies yet">A study is a file with phases and questions. Add one to begin.</Empty>
          ) : (
            <ul className="study-list" data-testid="studies">
              {list.map((study) => (
                <StudyCard key={study.id} study={study} />
              ))}
            </ul>
          )
        }
      </Shown>
      <AddStudy open={adding} onClose={() => setAdding(false)} onAdded={(id) => navigate(paths.study(id))} />
    </>
  );
}

function StudyCard({ study }: { study: StudySummary }) {
  return (
    <li className="card study-card">
      <div>
        <h2>
          <Link to={paths.study(study.id)} testId="study-link">
            {study.title}
          </Link>
        </h2>
        <p className="muted small">
          <code>{study.id}</code> · version {study.version} · {moment(study.created_at)}
        </p>
      </div>
      <div className="study-counts">
        {study.live > 0 && <Badge tone="live">{quantity(study.live)} live</Badge>}
        <span>
          <strong>{quantity(study.completed)}</strong> complete
        </span>
        <Link to={paths.sessionsOf(study.id)}>{count(study.sessions, "session")}</Link>
      </div>
    </li>
  );
}
