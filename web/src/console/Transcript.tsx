/** The conversation in speech order: who, in which phase, when; a click plays it. */

import { useEffect, useRef } from "react";
import type { Second, Segment, Turn } from "../api/types";
import { clock, count, quantity } from "../shared/format";
import { Icon } from "../shared/icons";
import { Empty, Sentiment } from "./parts";
import { byPhase, marked, pieces } from "./transcript";

interface Props {
  turns: Turn[];
  language: string;
  live: boolean;
  /** The turn that is heard now. */
  current: number | null;
  /** Follow the recording while it plays. */
  follow: boolean;
  /** Null while there is no recording. */
  onPlay: ((turn: Turn) => void) | null;
  /** Opens the correction of a coding. */
  onCorrect: (segment: Segment) => void;
}

export function Transcript({ turns, language, live, current, follow, onPlay, onCorrect }: Props) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!follow || current === null) return;
    list.current?.querySelector(`[data-turn="${current}"]`)?.scrollIntoView({ block: "nearest" });
  }, [follow, current, turns.length]);
  if (turns.length === 0) {
    return (
      <Empty title="Nothing was said yet">
        {live ? "Turns appear here as soon as they are complete." : "The transcript is empty."}
      </Empty>
    );
  }
  return (
    <div ref={list} className="transcript" data-testid="transcript">
      <h2 className="visually-hidden">Transcript</h2>
      {byPhase(turns).map((group) => (
        <section key={`${group.phase}:${group.start_ms}`} aria-label={group.title}>
          <h3 className="phase-head">
            {group.title} <span className="muted">{clock(group.start_ms)}</span>
          </h3>
          <ol>
            {group.turns.map((turn) => (
              <TurnItem
                key={turn.turn}
                turn={turn}
                language={language}
                isCurrent={turn.turn === current}
                onPlay={onPlay}
                onCorrect={onCorrect}
              />
            ))}
          </ol>
        </section>
      ))}
    </div>
  );
}

interface ItemProps {
  turn: Turn;
  language: string;
  isCurrent: boolean;
  onPlay: ((turn: Turn) => void) | null;
  onCorrect: (segment: Segment) => void;
}

function TurnItem({ turn, language, isCurrent, onPlay, onCorrect }: ItemProps) {
  const name = turn.speaker === "interviewer" ? "Interviewer" : "Participant";
  const coded = turn.segments.length > 0;
  return (
    <li
      className={`turn ${turn.speaker} ${isCurrent ? "current" : ""}`}
      data-testid="turn"
      data-turn={turn.turn}
      data-speaker={turn.speaker}
      aria-current={isCurrent ? "true" : undefined}
    >
      <button
        type="button"
        className="turn-play"
        disabled={onPlay === null}
        onClick={() => onPlay?.(turn)}
        aria-label={`Play: ${name}, ${clock(turn.start_ms)}`}
        data-testid="turn-play"
      >
        <Icon name="play" size={14} />
        {clock(turn.start_ms)}
      </button>
      {/* The button is for keyboard and screen reader; the words are a larger target for the mouse. */}
      {/* eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-static-element-interactions -- see above */}
      <div
        className={onPlay === null ? "turn-body" : "turn-body playable"}
        onClick={() => {
          // Selecting words to copy them is not a wish to hear them.
          if (window.getSelection()?.isCollapsed !== false) onPlay?.(turn);
        }}
      >
        <span className="who">{name}</span>
        {coded ? (
          turn.segments.map((segment) => (
            <Coded key={segment.segment} segment={segment} language={language} onCorrect={onCorrect} />
          ))
        ) : (
          <p className="spoken" lang={language}>
            {turn.text === "" ? <span className="muted">(no words)</span> : turn.text}
          </p>
        )}
        {turn.second != null && turn.second.differing > 0 && (
          <SecondText second={turn.second} live={turn.text} language={language} />
        )}
        {turn.unheard !== "" && (
          <p className="unheard" data-testid="unheard">
            <span className="label">Interrupted. Not heard by the participant:</span>{" "}
            <span className="spoken" lang={language}>
              {turn.unheard}
            </span>
          </p>
        )}
        {turn.unheard === "" && turn.ending !== "complete" && <p className="unheard label">{turn.ending}</p>}
      </div>
    </li>
  );
}

/** What a second model heard, where it is not what the live transcript says: its other words are marked. */
function SecondText({ second, live, language }: { second: Second; live: string; language: string }) {
  const told =
    live === ""
      ? "The live transcript failed; these are the words of "
      : `${count(second.differing, "word")} of ${quantity(second.words)} heard otherwise by `;
  return (
    <p className="unheard" data-testid="second">
      <span className="label">
        {told}
        {second.model}:
      </span>{" "}
      <span className="spoken" lang={language}>
        {second.text === ""
          ? "(no words)"
          : marked(second.text, live === "" ? [] : second.spans).map((piece, at) =>
              piece.quoted ? <mark key={at}>{piece.text}</mark> : <span key={at}>{piece.text}</span>,
            )}
      </span>
    </p>
  );
}

interface CodedProps {
  segment: Segment;
  language: string;
  onCorrect: (segment: Segment) => void;
}

function Coded({ segment, language, onCorrect }: CodedProps) {
  return (
    <>
      <p className="spoken" lang={language}>
        {pieces(segment).map((piece, at) =>
          piece.quoted ? <mark key={at}>{piece.text}</mark> : <span key={at}>{piece.text}</span>,
        )}
      </p>
      <p className="codes">
        {segment.sentiment != null && <Sentiment value={segment.sentiment} />}
        {segment.topics.map((topic) => (
          <span key={topic} className="tag" data-testid="topic">
            {topic}
          </span>
        ))}
        {segment.corrected_at != null && (
          <span className="tag" data-testid="corrected">
            corrected
          </span>
        )}
        <button
          type="button"
          className="button quiet small"
          onClick={(event) => {
            // The words around it are played by a click.
            event.stopPropagation();
            onCorrect(segment);
          }}
          data-testid="correct"
        >
          Correct
        </button>
      </p>
    </>
  );
}
