/** The captions of both sides as a live log that follows the newest words unless one reads back. */

import { useEffect, useRef, useState } from "react";
import type { Caption } from "./captions";

interface Props {
  captions: readonly Caption[];
  language: string;
}

export function Captions({ captions, language }: Props) {
  const [shown, setShown] = useState(true);
  const log = useRef<HTMLDivElement>(null);
  const [follows, setFollows] = useState(true);
  const last = captions.at(-1);
  const scrolled = useRef(0);
  useEffect(() => {
    const element = log.current;
    if (element === null || !follows) return;
    const toEnd = () => {
      element.scrollTop = element.scrollHeight;
    };
    toEnd();
    // A turned phone or a notice above changes the size, and with it what the end is.
    const observer = new ResizeObserver(toEnd);
    observer.observe(element);
    return () => observer.disconnect();
  }, [follows, shown, last?.turn, last?.text]);

  return (
    <div className="captions">
      <div className="captions-head">
        <h2>Captions</h2>
        <button
          type="button"
          className="button quiet small"
          aria-pressed={shown}
          onClick={() => setShown(!shown)}
          data-testid="captions-toggle"
        >
          {shown ? "Hide" : "Show"}
        </button>
      </div>
      {shown && (
        <div
          ref={log}
          className="caption-log"
          role="log"
          aria-live="polite"
          aria-label="Captions"
          // A scrollable region must be reachable by keyboard (WCAG 2.1.1).
          // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- see above
          tabIndex={0}
          onScroll={(event) => {
            const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
            // Only a person scrolls up; growing and resizing do not.
            if (scrollHeight - scrollTop - clientHeight < 40) setFollows(true);
            else if (scrollTop < scrolled.current - 4) setFollows(false);
            scrolled.current = scrollTop;
          }}
          data-testid="captions"
        >
          {captions.length === 0 && <p className="muted empty">What is said appears here.</p>}
          {captions.map((caption) => (
            <p
              key={caption.turn}
              className={`caption ${caption.speaker} ${caption.final ? "" : "partial"}`}
              // Growing text is for the eye; a screen reader gets each utterance once, when it is whole.
              aria-hidden={caption.final ? undefined : true}
              data-testid="caption"
              data-speaker={caption.speaker}
              data-final={caption.final}
            >
              <span className="who">{caption.speaker === "interviewer" ? "Interviewer" : "You"}</span>{" "}
              <span className="spoken" lang={language}>
                {caption.text}
              </span>
            </p>
          ))}
        </div>
      )}
    </div>
  );
}
