/** Makes participant links. They are shown once: the server keeps only a hash. */

import { useState } from "react";
import { asProblem, type Problem } from "../api/problem";
import type { CreatedSession, StudyDetail } from "../api/types";
import { CopyButton } from "../shared/CopyButton";
import { count } from "../shared/format";
import { ProblemNote } from "../shared/ProblemNote";
import { useConsole } from "./context";

const COUNT_MAX = 500;

export function CreateLinks({ study }: { study: StudyDetail }) {
  const { api } = useConsole();
  const [form, setForm] = useState({ count: "1", length: "full", language: "", externalId: "", hours: "" });
  const [links, setLinks] = useState<CreatedSession[]>([]);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [sending, setSending] = useState(false);
  const change = (name: keyof typeof form) => (event: { target: { value: string } }) =>
    setForm({ ...form, [name]: event.target.value });
  const number = Number(form.count);
  const valid = Number.isInteger(number) && number >= 1 && number <= COUNT_MAX;

  const create = () => {
    setSending(true);
    setProblem(null);
    const hours = Number(form.hours);
    api
      .createSessions(study.id, {
        count: number,
        length: form.length,
        ...(form.language === "" ? {} : { language: form.language }),
        ...(form.externalId.trim() === "" || number !== 1 ? {} : { external_id: form.externalId.trim() }),
        ...(form.hours === "" || !Number.isInteger(hours) ? {} : { expires_in_hours: hours }),
      })
      .then(setLinks, (error: unknown) => setProblem(asProblem(error)))
      .finally(() => setSending(false));
  };

  return (
    <section className="card links" aria-labelledby="links">
      <h2 id="links">Participant links</h2>
      <p className="muted">Each link is one interview for one person.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (valid) create();
        }}
      >
        <div className="pair">
          <div>
            <label className="label" htmlFor="link-count">
              How many
            </label>
            <input
              id="link-count"
              type="number"
              min={1}
              max={COUNT_MAX}
              required
              value={form.count}
              onChange={change("count")}
            />
          </div>
          <div>
            <label className="label" htmlFor="link-length">
              Length
            </label>
            <select id="link-length" value={form.length} onChange={change("length")}>
              <option value="full">Full interview</option>
              <option value="rehearsal">Rehearsal (short)</option>
            </select>
          </div>
        </div>
        {study.languages.length > 1 && (
          <div>
            <label className="label" htmlFor="link-language">
              Language
            </label>
            <select id="link-language" value={form.language} onChange={change("language")}>
              <option value="">First of the study ({study.languages[0]})</option>
              {study.languages.slice(1).map((language) => (
                <option key={language}>{language}</option>
              ))}
            </select>
          </div>
        )}
        <div className="pair">
          <div>
            <label className="label" htmlFor="link-external">
              External id
            </label>
            <input
              id="link-external"
              type="text"
              autoComplete="off"
              disabled={number !== 1}
              value={form.externalId}
              onChange={change("externalId")}
            />
          </div>
          <div>
            <label className="label" htmlFor="link-hours">
              Hours valid
            </label>
            <input id="link-hours" type="number" min={1} value={form.hours} onChange={change("hours")} />
          </div>
        </div>
        <button type="submit" className="button primary" disabled={!valid || sending} data-testid="create-links">
          {sending ? "Making…" : valid ? `Make ${count(number, "link")}` : `1 to ${COUNT_MAX}`}
        </button>
      </form>
      {problem !== null && <ProblemNote problem={problem} />}
      {links.length > 0 && <Made links={links} />}
    </section>
  );
}

function Made({ links }: { links: CreatedSession[] }) {
  return (
    <div className="made" role="status" data-testid="made-links">
      <p>
        <strong>{count(links.length, "link")} made.</strong> Copy {links.length === 1 ? "it" : "them"} now: links are
        not shown again.
      </p>
      <ul>
        {links.map(({ id, link }) => (
          <li key={id}>
            <code className="breakable" data-testid="made-link">
              {link}
            </code>
          </li>
        ))}
      </ul>
      <CopyButton
        text={links.map(({ link }) => link).join("\n")}
        label={links.length === 1 ? "Copy the link" : "Copy all links"}
        testId="copy-links"
      />
    </div>
  );
}
