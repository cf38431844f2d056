/** Small pieces that every console page is made of. */

import type { ReactNode } from "react";
import type { Problem } from "../api/problem";
import { ProblemNote } from "../shared/ProblemNote";
import type { Tone } from "./labels";
import type { Resource } from "./useResource";

export function Badge({ tone, children, testId }: { tone: Tone; children: ReactNode; testId?: string }) {
  return (
    <span className={`badge ${tone}`} data-testid={testId}>
      {children}
    </span>
  );
}

export function Sentiment({ value }: { value: string }) {
  const signs: Record<string, string> = { positive: "+", negative: "−", mixed: "±", neutral: "○" };
  return (
    <span className={`sentiment ${value}`} data-testid="sentiment">
      <span aria-hidden="true">{signs[value] ?? ""}</span> {value}
    </span>
  );
}

export function PageHead({ title, children, above }: { title: ReactNode; children?: ReactNode; above?: ReactNode }) {
  return (
    <header className="page-head">
      <div>
        {above}
        <h1>{title}</h1>
      </div>
      {children !== undefined && <div className="actions">{children}</div>}
    </header>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty-state" data-testid="empty">
      <p className="note-title">{title}</p>
      {children !== undefined && <p className="muted">{children}</p>}
    </div>
  );
}

export function Failure({ problem, onRetry }: { problem: Problem; onRetry: () => void }) {
  return (
    <ProblemNote problem={problem}>
      <button type="button" className="button" onClick={onRetry}>
        Try again
      </button>
    </ProblemNote>
  );
}

interface ShownProps<T> {
  of: Resource<T> & { reload: () => void };
  children: (data: T) => ReactNode;
}

/** Loading, failure with a way out, or the thing itself (with a note if it could not be refreshed). */
export function Shown<T>({ of, children }: ShownProps<T>) {
  if (of.status === "loading") {
    return (
      <p className="loading" role="status">
        Loading…
      </p>
    );
  }
  if (of.status === "failed") {
    return (
      <>
        <Failure problem={of.problem} onRetry={of.reload} />
        {of.data !== null && children(of.data)}
      </>
    );
  }
  return children(of.data);
}

export function Figure({ label, value, hint }: { label: string; value: ReactNode; hint?: string }) {
  return (
    <div className="figure">
      <dt>{label}</dt>
      <dd>
        {value}
        {hint !== undefined && <span className="hint">{hint}</span>}
      </dd>
    </div>
  );
}
