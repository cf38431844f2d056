/** What came out of the interview: summary, key quotes, topics, coverage. Every quote leads back to the sound. */

import type { Report, SessionDetail } from "../api/types";
import type { Problem } from "../api/problem";
import { clock, count, moment } from "../shared/format";
import { Icon } from "../shared/icons";
import { ProblemNote } from "../shared/ProblemNote";
import { isLive } from "./labels";
import { Sentiment } from "./parts";

interface Props {
  session: SessionDetail;
  report: Report | null;
  problem: Problem | null;
  onPlay: ((fromMs: number, toMs: number) => void) | null;
}

export function ReportRail({ session, report, problem, onPlay }: Props) {
  return (
    <aside className="rail" aria-label="Report">
      {report === null ? (
        <Pending session={session} problem={problem} />
      ) : (
        <>
          <section>
            <h2>Summary</h2>
            <p data-testid="summary">{report.summary}</p>
          </section>
          <Quotes quotes={report.quotes} onPlay={onPlay} language={session.language} />
          <Topics topics={report.topics} />
        </>
      )}
      <Coverage session={session} answers={report?.coverage ?? []} onPlay={onPlay} />
      {report !== null && (
        <p className="muted small">
          Coded from the text by {report.method.model}, prompt {report.method.prompt_version},{" "}
          {moment(report.generated_at)}. Sentiment is read from words, never from the voice.
        </p>
      )}
    </aside>
  );
}

function Pending({ session, problem }: { session: SessionDetail; problem: Problem | null }) {
  if (problem !== null && problem.status !== 404) return <ProblemNote problem={problem} />;
  if (session.report === "failed") {
    return (
      <div className="note danger" data-testid="report-failed">
        <Icon name="alert" />
        <div>
          <p className="note-title">The report could not be made</p>
          <p>Transcript and recording are complete. The server’s log names the cause; the work can be repeated.</p>
        </div>
      </div>
    );
  }
  return (
    <section>
      <h2>Report</h2>
      <p className="muted" role="status" data-testid="report-pending">
        {isLive(session.state)
          ? "Made when the interview has ended."
          : session.report === "working"
            ? "Being made. It appears here by itself."
            : "There is none: nothing was said that could be analysed."}
      </p>
    </section>
  );
}

function Quotes({ quotes, onPlay, language }: { quotes: Report["quotes"]; onPlay: Props["onPlay"]; language: string }) {
  return (
    <section>
      <h2>Key quotes</h2>
      {quotes.length === 0 ? (
        <p className="muted">No quote stood out.</p>
      ) : (
        <ul className="quotes" data-testid="quotes">
          {quotes.map((quote) => (
            <li key={`${quote.turn}:${quote.segment}:${quote.text}`}>
              <button
                type="button"
                disabled={onPlay === null}
                onClick={() => onPlay?.(quote.start_ms, quote.end_ms)}
                data-testid="quote"
              >
                <span className="spoken" lang={language}>
                  “{quote.text}”
                </span>
                <span className="codes">
                  <span className="muted">
                    <Icon name="play" size={12} /> {clock(quote.start_ms)}
                  </span>
                  <Sentiment value={quote.sentiment} />
                </span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

const SENTIMENTS = ["positive", "mixed", "neutral", "negative"] as const;

function Topics({ topics }: { topics: Report["topics"] }) {
  if (topics.length === 0) return null;
  const most = Math.max(...topics.map((topic) => topic.segments), 1);
  return (
    <section>
      <h2>Topics</h2>
      <ul className="topic-bars">
        {topics.map((topic) => (
          <li key={topic.topic}>
            <span>{topic.label}</span>
            <span className="muted">{count(topic.segments, "segment")}</span>
            <span className="bar" style={{ width: `${(100 * topic.segments) / most}%` }} aria-hidden="true">
              {SENTIMENTS.filter((sentiment) => topic.sentiment[sentiment] > 0).map((sentiment) => (
                <i key={sentiment} className={sentiment} style={{ flexGrow: topic.sentiment[sentiment] }} />
              ))}
            </span>
            <span className="visually-hidden">
              {SENTIMENTS.map((sentiment) => `${topic.sentiment[sentiment]} ${sentiment}`).join(", ")}
            </span>
          </li>
        ))}
      </ul>
      <p className="legend" aria-hidden="true">
        {SENTIMENTS.map((sentiment) => (
          <Sentiment key={sentiment} value={sentiment} />
        ))}
      </p>
    </section>
  );
}

type Answer = Report["coverage"][number];

const ANSWERS: Record<NonNullable<Answer["answer"]>, string | null> = {
  answered: "Answered",
  partial: "Partly answered",
  refused: "Refused",
  off_topic: "Off topic",
  not_asked: "Not asked",
  not_judged: null,
};

function Coverage({
  session,
  answers,
  onPlay,
}: {
  session: SessionDetail;
  answers: Answer[];
  onPlay: Props["onPlay"];
}) {
  const answerTo = (phase: string, topic: string) =>
    answers.find((answer) => answer.phase === phase && answer.topic === topic);
  const covered = session.topics.filter((topic) => topic.covered).length;
  if (session.topics.length === 0) return null;
  return (
    <section>
      <h2>
        Coverage{" "}
        <span className="muted">
          {covered} of {session.topics.length}
        </span>
      </h2>
      <ul className="coverage" data-testid="coverage">
        {session.topics.map((topic) => (
          <li key={`${topic.phase}:${topic.id}`} className={topic.covered ? "covered" : ""}>
            {topic.covered ? <Icon name="check" size={16} /> : <span className="open-mark" aria-hidden="true" />}
            <span>
              <span className="visually-hidden">{topic.covered ? "Covered: " : "Not covered: "}</span>
              {topic.question}
              <AnswerMark answer={answerTo(topic.phase, topic.id)} question={topic.question} onPlay={onPlay} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What became of a question; the turn that shows it plays. */
function AnswerMark({
  answer,
  question,
  onPlay,
}: {
  answer: Answer | undefined;
  question: string;
  onPlay: Props["onPlay"];
}) {
  const label = answer === undefined ? null : ANSWERS[answer.answer ?? "not_judged"];
  if (answer === undefined || label === null) return null;
  const place = answer.answered_at;
  return (
    <span className={`answer-mark ${answer.answer}`} data-testid="answer">
      <span>{label}</span>
      {place != null && (
        <button
          type="button"
          className="link"
          disabled={onPlay === null}
          onClick={() => onPlay?.(place.start_ms, place.end_ms)}
          aria-label={`Play from ${clock(place.start_ms)}: ${question}`}
        >
          <Icon name="play" size={12} /> {clock(place.start_ms)}
        </button>
      )}
    </span>
  );
}
