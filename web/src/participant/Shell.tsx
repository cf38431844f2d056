/** The frame of every step: who asks, where one is, and a heading that takes the focus. */

import { useEffect, useRef, type ReactNode } from "react";
import { STEPS } from "./words";

interface ShellProps {
  organisation: string | null;
  /** Index into STEPS, or null where there is no way ahead. */
  at: number | null;
  children: ReactNode;
}

export function Shell({ organisation, at, children }: ShellProps) {
  return (
    <div className="p-page">
      <header className="p-header">
        <p className="p-organisation">{organisation ?? "Research interview"}</p>
        {at !== null && (
          <ol className="p-steps" aria-label="Steps">
            {STEPS.map((name, index) => (
              <li
                key={name}
                aria-current={index === at ? "step" : undefined}
                className={index < at ? "done" : index === at ? "now" : ""}
              >
                <span>{name}</span>
              </li>
            ))}
          </ol>
        )}
      </header>
      <main className="p-main">{children}</main>
    </div>
  );
}

interface StepProps {
  title: string;
  testId: string;
  children: ReactNode;
  lead?: ReactNode;
  lang?: string | undefined;
}

/** One step. Its heading is focused when it appears, so that a screen reader starts there. */
export function StepCard({ title, testId, children, lead, lang }: StepProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = title;
    heading.current?.focus();
  }, [title]);
  return (
    <section className="card step" data-testid={testId}>
      <h1 ref={heading} tabIndex={-1} lang={lang}>
        {title}
      </h1>
      {lead !== undefined && <p className="lead">{lead}</p>}
      {children}
    </section>
  );
}
