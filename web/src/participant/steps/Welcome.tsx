/** Who asks, that it is an AI, what is recorded, how long: and consent by an act. */

import { useState } from "react";
import type { Problem } from "../../api/problem";
import type { Participation } from "../../api/types";
import { Dialog } from "../../shared/Dialog";
import { Icon, type IconName } from "../../shared/icons";
import { ProblemNote } from "../../shared/ProblemNote";
import { StepCard } from "../Shell";

interface Props {
  study: Participation["study"];
  sending: "accept" | "decline" | null;
  problem: Problem | null;
  onConsent: (accepted: boolean) => void;
}

export function Welcome({ study, sending, problem, onConsent }: Props) {
  const [declining, setDeclining] = useState(false);
  return (
    <StepCard title={study.title} testId="step-welcome" lang={study.language}>
      <div className="prose lead" lang={study.language} data-testid="welcome">
        <Paragraphs text={study.welcome} />
      </div>
      <ul className="facts">
        <Fact icon="robot" title="The interviewer is an AI">
          You talk with a computer voice, not with a person. People at {study.organisation} read or hear what you say
          later.
        </Fact>
        <Fact icon="mic" title="Your voice is recorded">
          From the start of the conversation to its end, together with a written transcript. Nothing is recorded or sent
          before you agree and start.
        </Fact>
        <Fact icon="clock" title={`It takes about ${study.minutes_target} minutes`}>
          {study.phases.length > 1 && `In ${study.phases.length} sections. `}You can ask for a question again, skip what
          you do not want to answer, and stop at any time.
        </Fact>
      </ul>
      <section className="consent" aria-labelledby="consent-heading">
        <h2 id="consent-heading">
          <Icon name="shield" /> Your consent
        </h2>
        <div className="prose" lang={study.language} data-testid="consent-text">
          <Paragraphs text={study.consent_text} />
        </div>
        {study.contact !== "" && (
          <p className="muted">
            Questions, or want to withdraw later? <span className="breakable">{study.contact}</span>
          </p>
        )}
      </section>
      {problem !== null && <ProblemNote problem={problem} />}
      <div className="actions">
        <button
          type="button"
          className="button primary large"
          disabled={sending !== null}
          onClick={() => onConsent(true)}
          data-testid="consent-accept"
        >
          {sending === "accept" ? "One moment…" : "I agree and want to take part"}
        </button>
        <button
          type="button"
          className="button quiet large"
          disabled={sending !== null}
          onClick={() => setDeclining(true)}
          data-testid="consent-decline"
        >
          {sending === "decline" ? "One moment…" : "No, thank you"}
        </button>
      </div>
      <Dialog open={declining} title="Not take part?" onClose={() => setDeclining(false)} testId="decline-dialog">
        <p>That is perfectly fine. Your link is then closed, and you do not need to give a reason.</p>
        <div className="actions end">
          <button type="button" className="button" onClick={() => setDeclining(false)}>
            Back
          </button>
          <button
            type="button"
            className="button primary"
            onClick={() => {
              setDeclining(false);
              onConsent(false);
            }}
            data-testid="decline-confirm"
          >
            I do not want to take part
          </button>
        </div>
      </Dialog>
    </StepCard>
  );
}

function Fact({ icon, title, children }: { icon: IconName; title: string; children: React.ReactNode }) {
  return (
    <li>
      <span className="fact-icon">
        <Icon name={icon} size={22} />
      </span>
      <div>
        <strong>{title}</strong>
        <p>{children}</p>
      </div>
    </li>
  );
}

/** A researcher's plain text: empty lines part paragraphs. */
function Paragraphs({ text }: { text: string }) {
  return text
    .trim()
    .split(/\n\s*\n/)
    .map((paragraph, at) => <p key={`${at}:${paragraph.slice(0, 12)}`}>{paragraph}</p>);
}
