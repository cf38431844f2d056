/** The interview itself: who speaks, captions of both sides, where one is, and the way out. */

import { useEffect, useReducer, useRef, useState } from "react";
import { clock, timeLeft } from "../../shared/format";
import { Icon } from "../../shared/icons";
import { useNow } from "../../shared/useTick";
import { RECOVERY_MS } from "../backoff";
import { Captions } from "../CaptionLog";
import { EndDialog, MicrophoneDialog } from "../InterviewDialogs";
import { activity, BEGIN, interview, type Interview } from "../interview";
import { Level } from "../Level";
import {
  useCall,
  useEndPoll,
  useLeaveWarning,
  useMicrophoneBack,
  useNewestInLine,
  useStayAwake,
  type InterviewProps,
} from "../useInterview";
import { useDead } from "../useMicrophone";
import { activityWords, lineWords } from "../words";
import { LineStep } from "./Line";

/** The participant is listened to and the microphone gives nothing at all. */
const DEAD_AFTER_MS = 20_000;

export function InterviewStep(props: InterviewProps) {
  const { api, microphone, stream, language } = props;
  const [state, tell] = useReducer(interview, BEGIN);
  const [dialog, setDialog] = useState<"none" | "end" | "microphone">("none");
  const [soundBlocked, setSoundBlocked] = useState(false);
  const audio = useRef<HTMLAudioElement>(null);
  const call = useCall(props, tell, audio, setSoundBlocked);
  const heading = useRef<HTMLHeadingElement>(null);
  const { line } = state;
  const inLine = line !== null;
  useEffect(() => {
    if (inLine) return;
    document.title = "Interview";
    heading.current?.focus();
  }, [inLine]);
  useStayAwake();
  // Who waits in line has said nothing yet, and is free to go.
  useLeaveWarning(!inLine && !state.ending && state.session !== "ended");
  useNewestInLine(props.session, inLine, state.link === "live", props.onReplaced);
  useEndPoll(api, state.ending, props.onEnded);

  const now = activity(state);
  const listening = state.link === "live" && !state.muted && !state.speaking.interviewer && state.begun;
  const dead = useDead(stream, listening, DEAD_AFTER_MS);

  const mute = (muted: boolean) => {
    for (const track of stream.getAudioTracks()) track.enabled = !muted;
    tell({ type: "muted", muted });
    call.current?.request(muted ? "mute" : "unmute");
  };
  const changeMicrophone = async (deviceId: string | null) => {
    const next = await microphone.open(deviceId);
    const track = next?.getAudioTracks()[0];
    if (track === undefined) return false;
    track.enabled = !state.muted;
    await call.current?.replaceTrack(track);
    return true;
  };
  useMicrophoneBack(microphone.vanished, changeMicrophone);

  return (
    <>
      {/* One for the whole way, so that being in line and being let in are said as changes. */}
      <p role="status" className="visually-hidden" data-testid="status">
        {line !== null ? lineWords(line) : state.link === "live" ? "Connected" : activityWords(now)}
      </p>
      {line === null ? running() : <LineStep line={line} vanished={microphone.vanished} onLeave={props.onLeave} />}
      {/* Here already in the line: the interviewer's voice comes as soon as one is let in. */}
      {/* eslint-disable-next-line jsx-a11y/media-has-caption -- live speech; its captions are the log */}
      <audio ref={audio} autoPlay data-testid="interviewer-audio" />
    </>
  );

  function running() {
    return (
      <section className="interview" data-testid="step-interview" data-activity={now} data-link={state.link}>
        <h1 ref={heading} tabIndex={-1} className="visually-hidden">
          Interview
        </h1>
        <Progress state={state} />
        <div className={`stage ${now}`}>
          <div className="voice" aria-hidden="true">
            <span />
            <span />
            <span />
            <span />
            <span />
          </div>
          <p className="activity" data-testid="activity">
            {activityWords(now)}
          </p>
          {state.link === "reconnecting" && <Countdown />}
          <div className="own-level">
            <Icon name={state.muted ? "mic-off" : "mic"} size={16} />
            <Level stream={stream} muted={state.muted} />
          </div>
        </div>
        <Notices
          state={state}
          dead={dead}
          vanished={microphone.vanished}
          soundBlocked={soundBlocked}
          onSound={() => {
            void audio.current?.play().then(() => setSoundBlocked(false));
          }}
          onMicrophone={() => setDialog("microphone")}
          onDismiss={(code) => tell({ type: "trouble_dismissed", code })}
        />
        <Captions captions={state.captions} language={language} />
        <div className="controls" role="group" aria-label="Interview controls">
          <button
            type="button"
            className={state.muted ? "control on" : "control"}
            aria-pressed={state.muted}
            onClick={() => mute(!state.muted)}
            data-testid="mute"
          >
            <Icon name={state.muted ? "mic-off" : "mic"} />
            <span>{state.muted ? "Unmute" : "Mute"}</span>
          </button>
          <button
            type="button"
            className="control"
            disabled={state.link !== "live" || !state.begun || state.repeating || state.ending}
            onClick={() => {
              tell({ type: "repeat_asked" });
              call.current?.request("repeat");
            }}
            data-testid="repeat"
          >
            <Icon name="repeat" />
            <span>{state.repeating ? "Asked" : "Repeat"}</span>
          </button>
          <button
            type="button"
            className="control"
            onClick={() => setDialog("microphone")}
            data-testid="microphone-settings"
          >
            <Icon name="settings" />
            <span>Audio</span>
          </button>
          <button
            type="button"
            className="control danger"
            disabled={state.ending}
            onClick={() => setDialog("end")}
            data-testid="end"
          >
            <Icon name="stop" />
            <span>End</span>
          </button>
        </div>
        <EndDialog
          open={dialog === "end"}
          section={state.section}
          onClose={() => setDialog("none")}
          onEnd={() => {
            setDialog("none");
            tell({ type: "end_asked" });
            call.current?.request("end");
          }}
        />
        <MicrophoneDialog
          open={dialog === "microphone"}
          microphone={microphone}
          onChoose={changeMicrophone}
          onClose={() => setDialog("none")}
        />
      </section>
    );
  }
}

function Progress({ state }: { state: Interview }) {
  const { section, leftS } = state;
  return (
    <div className="progress">
      <div className="progress-line">
        <p data-testid="section">
          {section === null ? (
            "Getting ready"
          ) : (
            <>
              <span className="muted">
                Section {section.index + 1} of {section.count}
              </span>{" "}
              <strong>{section.title}</strong>
            </>
          )}
        </p>
        {leftS !== null && (
          <p className="muted" data-testid="time-left">
            {timeLeft(leftS)}
          </p>
        )}
      </div>
      {section !== null && (
        <div className="progress-bar" aria-hidden="true">
          {Array.from({ length: section.count }, (_, at) => (
            <span key={at} className={at < section.index ? "done" : at === section.index ? "now" : ""} />
          ))}
        </div>
      )}
    </div>
  );
}

/** How long the server keeps the place, counted on this page. */
function Countdown() {
  const [since] = useState(() => Date.now());
  const now = useNow(true);
  const left = Math.max(0, RECOVERY_MS - (now - since));
  return (
    <p className="muted" aria-hidden="true" data-testid="reconnect-left">
      Your answers are saved. Trying for another {clock(left)}.
    </p>
  );
}

interface NoticesProps {
  state: Interview;
  dead: boolean;
  vanished: boolean;
  soundBlocked: boolean;
  onSound: () => void;
  onMicrophone: () => void;
  onDismiss: (code: string) => void;
}

function Notices({ state, dead, vanished, soundBlocked, onSound, onMicrophone, onDismiss }: NoticesProps) {
  return (
    <div className="notices">
      {soundBlocked && (
        <div className="note warning" role="alert" data-testid="sound-blocked">
          <Icon name="sound" />
          <div>
            <p className="note-title">Your browser has silenced the interviewer</p>
            <button type="button" className="button primary" onClick={onSound}>
              Turn on sound
            </button>
          </div>
        </div>
      )}
      {vanished && (
        <div className="note danger" role="alert" data-testid="mic-vanished">
          <Icon name="mic-off" />
          <div>
            <p className="note-title">Your microphone has gone</p>
            <p>
              It was unplugged or taken by another program, so the interviewer cannot hear you. Nothing said is lost.
              When you plug it in again, this page takes it by itself.
            </p>
            <button type="button" className="button" onClick={onMicrophone}>
              Choose a microphone
            </button>
          </div>
        </div>
      )}
      {dead && !vanished && (
        <div className="note warning" role="alert" data-testid="mic-dead">
          <Icon name="mic-off" />
          <div>
            <p className="note-title">Your microphone gives no sound at all</p>
            <p>If you are thinking, take your time. If you are speaking, check its mute switch or choose another.</p>
            <button type="button" className="button" onClick={onMicrophone}>
              Choose a microphone
            </button>
          </div>
        </div>
      )}
      {state.troubles.map((trouble) => (
        <div key={trouble.code} className="note warning" role="alert" data-testid="trouble" data-code={trouble.code}>
          <Icon name="alert" />
          <div>
            <p>{trouble.text}</p>
            <button type="button" className="button quiet small" onClick={() => onDismiss(trouble.code)}>
              Hide
            </button>
          </div>
        </div>
      ))}
    </div>
  );
}
