/** All places are taken: where one stands, and that waiting needs nothing more from the participant. */

import { useEffect } from "react";
import { CopyButton } from "../../shared/CopyButton";
import { hourOfDay } from "../../shared/format";
import { Icon } from "../../shared/icons";
import { KEPT_S, type Line } from "../line";
import { StepCard } from "../Shell";
import { LINE_LOST, lineTitle, placeWords } from "../words";

interface Props {
  line: Line;
  vanished: boolean;
  onLeave: () => void;
}

/** What a screen reader hears of it is said by the interview's one status, which outlives this step. */
export function LineStep({ line, vanished, onLeave }: Props) {
  const { position, waiting, since, lost } = line;
  useEffect(() => {
    document.title = lineTitle(position);
  }, [position]);
  return (
    <StepCard title="All places are taken right now" testId="step-line">
      <p className="lead line-place" data-testid="line-place">
        {placeWords(position, lost)}
      </p>
      {lost && (
        <div className="note warning" data-testid="line-lost">
          <Icon name="alert" />
          <div>
            <p className="note-title">{LINE_LOST}</p>
            <p>Your place is kept for {KEPT_S} seconds. After that you may have to start at the end of the line.</p>
          </div>
        </div>
      )}
      {vanished && (
        <div className="note danger" role="alert" data-testid="mic-vanished">
          <Icon name="mic-off" />
          <div>
            <p className="note-title">Your microphone has gone</p>
            <p>You keep your place. When you plug it in again, this page takes it by itself.</p>
          </div>
        </div>
      )}
      <div className="prose">
        <p>
          A place becomes free when another interview ends. We cannot say how long that takes. You can leave this page
          open: it lets you in by itself when it is your turn, and the interviewer begins to speak.
        </p>
        <p>Your microphone stays on for that. Nothing is sent or recorded before you are let in.</p>
        <p>You would rather come back later? Your link stays good. Only your place in the line is given up.</p>
        <p className="muted" data-testid="line-since">
          You have waited since <time dateTime={new Date(since).toISOString()}>{hourOfDay(since)}</time>.
          {waiting > 1 && ` There are ${waiting} people in line, you among them.`}
        </p>
      </div>
      <div className="actions">
        <button type="button" className="button" onClick={onLeave} data-testid="leave-line">
          Leave the line
        </button>
        <CopyButton text={window.location.href} label="Copy my link" />
      </div>
    </StepCard>
  );
}
