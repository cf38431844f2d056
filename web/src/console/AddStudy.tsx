/** Hands a study file to the server, which names every mistake with its line and remedy. */

import { useState } from "react";
import { asProblem, type Problem } from "../api/problem";
import { Dialog } from "../shared/Dialog";
import { ProblemNote } from "../shared/ProblemNote";
import { useConsole } from "./context";

interface Props {
  open: boolean;
  onClose: () => void;
  onAdded: (id: string) => void;
}

export function AddStudy({ open, onClose, onAdded }: Props) {
  const { api } = useConsole();
  const [source, setSource] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [sending, setSending] = useState(false);
  const send = () => {
    setSending(true);
    setProblem(null);
    api.putStudy(source).then(
      (study) => {
        setSending(false);
        onClose();
        onAdded(study.id);
      },
      (error: unknown) => {
        setSending(false);
        setProblem(asProblem(error));
      },
    );
  };
  const read = (file: File | undefined) => {
    if (file === undefined) return;
    file.text().then(setSource, (error: unknown) => setProblem(asProblem(error)));
  };
  return (
    <Dialog open={open} title="Add a study" onClose={onClose} wide testId="add-study-dialog">
      <p className="muted">
        Choose a study file (YAML) or paste it. A file with the id of a known study becomes its next version; sessions
        under way keep theirs.
      </p>
      <div>
        <label className="label" htmlFor="study-file">
          File
        </label>
        <input
          id="study-file"
          type="file"
          accept=".yaml,.yml,text/yaml"
          onChange={(event) => read(event.target.files?.[0])}
        />
      </div>
      <div>
        <label className="label" htmlFor="study-source">
          Study
        </label>
        <textarea
          id="study-source"
          rows={10}
          spellCheck={false}
          value={source}
          onChange={(event) => setSource(event.target.value)}
        />
      </div>
      {problem !== null && <ProblemNote problem={problem} />}
      <div className="actions end">
        <button type="button" className="button" onClick={onClose}>
          Cancel
        </button>
        <button
          type="button"
          className="button primary"
          disabled={sending || source.trim() === ""}
          onClick={send}
          data-testid="study-send"
        >
          {sending ? "Checking…" : "Check and add"}
        </button>
      </div>
    </Dialog>
  );
}
