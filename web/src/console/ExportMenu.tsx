/** Files of an interview or a study: choose, download. A link could not carry the token, so the file is fetched. */

import { useId, useState } from "react";
import { asProblem, type Problem } from "../api/problem";
import { ProblemNote } from "../shared/ProblemNote";
import { useConsole } from "./context";

export interface ExportChoice {
  value: string;
  label: string;
  format: string;
  table?: string;
}

export const OF_SESSION: ExportChoice[] = [
  { value: "docx", label: "Transcript (Word)", format: "docx" },
  { value: "txt", label: "Transcript (text)", format: "txt" },
  { value: "vtt", label: "Subtitles (WebVTT)", format: "vtt" },
  { value: "srt", label: "Subtitles (SRT)", format: "srt" },
  { value: "turns", label: "Turns (CSV)", format: "csv", table: "turns" },
  { value: "codings", label: "Codings (CSV)", format: "csv", table: "codings" },
  { value: "quotes", label: "Quotes (CSV)", format: "csv", table: "quotes" },
  { value: "codings-parquet", label: "Codings (Parquet)", format: "parquet", table: "codings" },
  { value: "jsonl", label: "Everything (JSON)", format: "jsonl" },
];

export const OF_STUDY: ExportChoice[] = [
  { value: "zip", label: "All tables (ZIP)", format: "zip" },
  { value: "sessions", label: "Sessions (CSV)", format: "csv", table: "sessions" },
  { value: "turns", label: "Turns (CSV)", format: "csv", table: "turns" },
  { value: "codings", label: "Codings (CSV)", format: "csv", table: "codings" },
  { value: "quotes", label: "Quotes (CSV)", format: "csv", table: "quotes" },
  { value: "sessions-parquet", label: "Sessions (Parquet)", format: "parquet", table: "sessions" },
  { value: "turns-parquet", label: "Turns (Parquet)", format: "parquet", table: "turns" },
  { value: "codings-parquet", label: "Codings (Parquet)", format: "parquet", table: "codings" },
  { value: "quotes-parquet", label: "Quotes (Parquet)", format: "parquet", table: "quotes" },
  { value: "jsonl", label: "Everything (JSON Lines)", format: "jsonl" },
];

interface ExportMenuProps {
  of: "sessions" | "studies";
  id: string;
  choices: ExportChoice[];
}

export function ExportMenu({ of, id, choices }: ExportMenuProps) {
  const { api } = useConsole();
  const field = useId();
  const [chosen, setChosen] = useState(choices[0]?.value ?? "");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const download = () => {
    const choice = choices.find((candidate) => candidate.value === chosen);
    if (choice === undefined) return;
    setBusy(true);
    setProblem(null);
    api
      .exported(of, id, choice)
      .then(({ blob, name }) => save(blob, name))
      .catch((error: unknown) => setProblem(asProblem(error)))
      .finally(() => setBusy(false));
  };
  return (
    <div className="export" data-testid="export">
      <label className="visually-hidden" htmlFor={field}>
        Export as
      </label>
      <select id={field} value={chosen} onChange={(event) => setChosen(event.target.value)}>
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.label}
          </option>
        ))}
      </select>
      <button type="button" className="button" onClick={download} disabled={busy} data-testid="export-download">
        {busy ? "Exporting…" : "Export"}
      </button>
      {problem !== null && <ProblemNote problem={problem} />}
    </div>
  );
}

/** Hands a file to the browser as a download. */
function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
