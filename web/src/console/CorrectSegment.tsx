/** A researcher's word about a segment: it stands over what a model said. */

import { useState, type SyntheticEvent } from "react";
import { asProblem, type Problem } from "../api/problem";
import type { Segment } from "../api/types";
import { Dialog } from "../shared/Dialog";
import { ProblemNote } from "../shared/ProblemNote";
import { useConsole } from "./context";

const SENTIMENTS = ["negative", "neutral", "positive", "mixed"] as const;

interface Props {
  session: string;
  /** Null closes the dialog. */
  segment: Segment | null;
  onClose: () => void;
  onSaved: () => void;
}

export function CorrectSegment({ session, segment, onClose, onSaved }: Props) {
  return (
    <Dialog open={segment !== null} title="Correct the coding" onClose={onClose} testId="correct-dialog">
      {segment !== null && (
        <CorrectionForm
          key={segment.segment}
          session={session}
          segment={segment}
          onClose={onClose}
          onSaved={() => {
            onSaved();
            onClose();
          }}
        />
      )}
    </Dialog>
  );
}

function CorrectionForm({
  session,
  segment,
  onClose,
  onSaved,
}: {
  session: string;
  segment: Segment;
  onClose: () => void;
  onSaved: () => void;
}) {
  const { api } = useConsole();
  const [sentiment, setSentiment] = useState(segment.sentiment ?? "neutral");
  const [topics, setTopics] = useState(segment.topics.join("\n"));
  const [problem, setProblem] = useState<Problem | null>(null);
  const fail = (error: unknown) => setProblem(asProblem(error));
  const save = (event: SyntheticEvent) => {
    event.preventDefault();
    const lines = topics.split("\n").filter((line) => line.trim() !== "");
    api.correct(session, segment.segment, { sentiment, topics: lines }).then(onSaved, fail);
  };
  const withdraw = () => {
    api.withdrawCorrection(session, segment.segment).then(onSaved, fail);
  };
  return (
    <form onSubmit={save}>
      <blockquote className="spoken">{segment.text}</blockquote>
      <label className="label" htmlFor="correct-sentiment">
        Sentiment
      </label>
      <select id="correct-sentiment" value={sentiment} onChange={(event) => setSentiment(event.target.value)}>
        {SENTIMENTS.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      <label className="label" htmlFor="correct-topics">
        Topics, one on each line
      </label>
      <textarea id="correct-topics" rows={4} value={topics} onChange={(event) => setTopics(event.target.value)} />
      <p className="muted small">It stands over anything that a model says, now and later. The report is made again.</p>
      {problem !== null && <ProblemNote problem={problem} />}
      <div className="actions">
        <button type="submit" className="button primary" data-testid="correct-save">
          Save
        </button>
        {segment.corrected_at != null && (
          <button type="button" className="button" onClick={withdraw}>
            Take the correction back
          </button>
        )}
        <button type="button" className="button quiet" onClick={onClose}>
          Cancel
        </button>
      </div>
    </form>
  );
}
