/** The steps at which the way ends or stops: thanks, declined, away, a problem. */

import { useEffect, useState } from "react";
import type { Problem } from "../../api/problem";
import type { Completion } from "../../api/types";
import { CopyButton } from "../../shared/CopyButton";
import { moment } from "../../shared/format";
import { ProblemNote } from "../../shared/ProblemNote";
import { StepCard } from "../Shell";
import { farewell } from "../words";

interface ThanksProps {
  outcome: string;
  completion: Completion | null;
  when: "now" | "before";
  contact: string;
  language: string;
}

export function Thanks({ outcome, completion, when, contact, language }: ThanksProps) {
  const { title, body } = farewell(outcome, when);
  const message = completion?.message ?? "";
  const code = completion?.code ?? null;
  const target = safeTarget(completion?.redirect_url ?? null);
  return (
    <StepCard title={title} testId="step-thanks" lead={body}>
      <div data-testid="outcome" data-outcome={outcome}>
        {message !== "" && (
          <p lang={language} data-testid="completion-message">
            {message}
          </p>
        )}
        {code !== null && code !== "" && (
          <div className="code-box">
            <span className="label">Your completion code</span>
            <code data-testid="completion-code">{code}</code>
            <CopyButton text={code} label="Copy the code" testId="copy-code" />
          </div>
        )}
        {target !== null && <Redirect target={target} automatic={when === "now"} />}
        {contact !== "" && (
          <p className="muted">
            Questions, or want to withdraw? <span className="breakable">{contact}</span>
          </p>
        )}
        {target === null && <p className="muted">You can close this page.</p>}
      </div>
    </StepCard>
  );
}

/** Only web addresses: a study file must not be able to run a script here. */
export function safeTarget(address: string | null): string | null {
  if (address === null || !URL.canParse(address)) return null;
  const { protocol, href } = new URL(address);
  return protocol === "https:" || protocol === "http:" ? href : null;
}

/** Long enough to copy a code. */
const REDIRECT_S = 10;

function Redirect({ target, automatic }: { target: string; automatic: boolean }) {
  const [left, setLeft] = useState(automatic ? REDIRECT_S : null);
  useEffect(() => {
    if (left === null) return;
    if (left === 0) {
      window.location.assign(target);
      return;
    }
    const timer = window.setTimeout(() => setLeft(left - 1), 1000);
    return () => window.clearTimeout(timer);
  }, [left, target]);
  return (
    <div className="redirect">
      <div className="actions">
        <a className="button primary large" href={target} rel="noreferrer" data-testid="redirect">
          Continue to {new URL(target).host}
        </a>
        {left !== null && (
          <button type="button" className="button quiet" onClick={() => setLeft(null)} data-testid="redirect-stay">
            Stay here
          </button>
        )}
      </div>
      {left !== null && (
        <p className="muted" data-testid="redirect-left">
          You are taken there in {left} s.
        </p>
      )}
    </div>
  );
}

export function Declined({ organisation, completion }: { organisation: string; completion: Completion | null }) {
  const target = safeTarget(completion?.redirect_url ?? null);
  return (
    <StepCard
      title="That is perfectly fine"
      testId="step-declined"
      lead={`You chose not to take part. Nothing was recorded, and ${organisation} only learns that the link was declined.`}
    >
      {completion?.code != null && completion.code !== "" && (
        <div className="code-box">
          <span className="label">Code for your panel</span>
          <code data-testid="completion-code">{completion.code}</code>
          <CopyButton text={completion.code} label="Copy the code" />
        </div>
      )}
      {target !== null && (
        <div className="actions">
          <a className="button primary" href={target} rel="noreferrer">
            Return to {new URL(target).host}
          </a>
        </div>
      )}
      <p className="muted">Thank you for considering it. You can close this page.</p>
    </StepCard>
  );
}

function awayTitle(problem: Problem | null, begun: boolean): string {
  if (problem === null) return begun ? "The connection did not come back" : "You have left the line";
  return begun ? "The interview cannot go on right now" : "The interview cannot start right now";
}

interface AwayProps {
  problem: Problem | null;
  /** There are answers to come back to. */
  begun: boolean;
  /** The page goes on as soon as it can. */
  byItself: boolean;
  returnableUntil: string | null;
  onRetry: () => void;
}

export function Away({ problem, begun, byItself, returnableUntil, onRetry }: AwayProps) {
  const until = returnableUntil === null ? "" : ` until ${moment(returnableUntil)}`;
  return (
    <StepCard
      title={awayTitle(problem, begun)}
      testId="step-away"
      lead={begun ? "Your answers so far are saved on the server." : undefined}
    >
      {problem !== null && <ProblemNote problem={problem} />}
      <p>
        {begun
          ? `To go on where you stopped, open this same link again${until}. You will not start from the beginning.`
          : `Nothing is lost: your link stays good${until}.`}
        {problem === null &&
          !begun &&
          " If all places are still taken when you come back, you join the end of the line."}
      </p>
      {byItself && (
        <p role="status" className="muted" data-testid="away-trying">
          This page keeps trying, and goes on by itself as soon as the connection is back.
        </p>
      )}
      <div className="actions">
        <button type="button" className="button primary large" onClick={onRetry} data-testid="come-back">
          Try again now
        </button>
        <CopyButton text={window.location.href} label="Copy my link" />
      </div>
    </StepCard>
  );
}

/** The newer of two pages has the interview; this one says so instead of taking it back. */
export function Elsewhere({ onHere }: { onHere: () => void }) {
  return (
    <StepCard
      title="The interview goes on in another window"
      testId="step-elsewhere"
      lead="You opened your link a second time, in another tab or on another device. Only the newest one is connected."
    >
      <p>Nothing is lost. You can close this page, or go on here: the other one then stops.</p>
      <div className="actions">
        <button type="button" className="button primary large" onClick={onHere} data-testid="continue-here">
          Continue here instead
        </button>
      </div>
    </StepCard>
  );
}

export function LinkProblem({ problem, onRetry }: { problem: Problem; onRetry: () => void }) {
  const temporary = problem.status === 0 || problem.status === 429 || problem.status >= 500;
  return (
    <StepCard title={temporary ? "Not reachable right now" : "This link does not work"} testId="step-problem">
      <ProblemNote problem={problem} />
      <div className="actions">
        <button type="button" className="button" onClick={onRetry} data-testid="retry">
          Try again
        </button>
      </div>
    </StepCard>
  );
}
