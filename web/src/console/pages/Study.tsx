/** One study: its protocol as the interviewer will follow it, and participant links. */

import { useEffect } from "react";
import type { StudyDetail } from "../../api/types";
import { Icon } from "../../shared/icons";
import { useConsole } from "../context";
import { CreateLinks } from "../CreateLinks";
import { ExportMenu, OF_STUDY } from "../ExportMenu";
import { PageHead, Shown } from "../parts";
import { Link, paths } from "../router";
import { useResource } from "../useResource";

export function StudyPage({ id }: { id: string }) {
  const { api } = useConsole();
  const study = useResource(`study:${id}`, (signal) => api.study(id, signal));
  const title = study.data?.title ?? "Study";
  useEffect(() => {
    document.title = `${title} · Colloquy`;
  }, [title]);
  return (
    <>
      {study.data === null && <PageHead title="Study" />}
      <Shown of={study}>{(data) => <Protocol study={data} />}</Shown>
    </>
  );
}

function Protocol({ study }: { study: StudyDetail }) {
  const { min, target, max } = study.minutes;
  return (
    <>
      <PageHead
        title={study.title}
        above={
          <p className="crumbs">
            <Link to={paths.studies}>
              <Icon name="back" size={16} /> Studies
            </Link>
          </p>
        }
      >
        <Link to={paths.results(study.id)} className="button" testId="study-results">
          Results
        </Link>
        <ExportMenu of="studies" id={study.id} choices={OF_STUDY} />
        <Link to={paths.sessionsOf(study.id)} className="button">
          Sessions of this study
        </Link>
      </PageHead>
      <p className="muted">
        {study.organisation} · <code>{study.id}</code> version {study.version} · {study.languages.join(", ")} · about{" "}
        {target} min ({min} to {max})
      </p>
      {study.warnings.length > 0 && (
        <div className="note warning" data-testid="warnings">
          <Icon name="alert" />
          <div>
            <p className="note-title">Allowed, but probably not meant</p>
            <ul>
              {study.warnings.map((warning) => (
                <li key={warning}>{warning}</li>
              ))}
            </ul>
          </div>
        </div>
      )}
      <div className="columns">
        <section aria-labelledby="guide">
          <h2 id="guide">Interview guide</h2>
          <ol className="phases">
            {study.phases.map((phase) => (
              <li key={phase.id} className="card phase" data-testid="phase">
                <h3>{phase.title}</h3>
                <p className="muted">{phase.objective}</p>
                <ol className="topics">
                  {phase.topics.map((topic) => (
                    <li key={topic.id}>
                      <span className="spoken">{topic.question}</span>{" "}
                      <span className={topic.required ? "tag required" : "tag"}>
                        {topic.required ? "required" : "optional"}
                      </span>
                    </li>
                  ))}
                </ol>
              </li>
            ))}
          </ol>
          <details className="source">
            <summary>Study file</summary>
            {/* A scrollable region must be reachable by keyboard. */}
            {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- see above */}
            <pre tabIndex={0}>{study.source}</pre>
          </details>
        </section>
        <CreateLinks study={study} />
      </div>
    </>
  );
}
