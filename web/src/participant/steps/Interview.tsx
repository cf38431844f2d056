/** The interview itself: who speaks, captions of both sides, where one is, and the way out. */

import { useEffect, useReducer, useRef, useState } from "react";
import type { Problem } from "../../api/problem";
import type { Completion } from "../../api/types";
import { clock, timeLeft } from "../../shared/format";
import { Icon } from "../../shared/icons";
import { useNow } from "../../shared/useTick";
import { RECOVERY_MS } from "../backoff";
import { Call } from "../call";
import { Captions } from "../CaptionLog";
import { EndDialog, MicrophoneDialog } from "../InterviewDialogs";
import { activity, BEGIN, interview, type Interview } from "../interview";
import { Level } from "../Level";
import type { ParticipantApi } from "../signal";
import { listMicrophones } from "../microphone";
import { useDead, type Microphone } from "../useMicrophone";
import { activityWords } from "../words";

interface Props {
  api: ParticipantApi;
  microphone: Microphone;
  stream: MediaStream;
  language: string;
  onEnded: (outcome: string, completion: Completion | null) => void;
  onRefused: (problem: Problem, begun: boolean) => void;
  onLost: () => void;
  onReplaced: () => void;
  /** The interview runs, for the first time or again. */
  onRunning: () => void;
}

/** The interviewer's last syllables are still on their way when the server says that it is over. */
const LAST_WORDS_MS = 700;
/** The participant is listened to and the microphone gives nothing at all. */
const DEAD_AFTER_MS = 20_000;
/** How often the server is asked whether the end has come, if it does not say so itself. */
const END_POLL_MS = 8_000;

export function InterviewStep(props: Props) {
  const { api, microphone, stream, language } = props;
  const [state, tell] = useReducer(interview, BEGIN);
  const [dialog, setDialog] = useState<"none" | "end" | "microphone">("none");
  const [soundBlocked, setSoundBlocked] = useState(false);
  const audio = useRef<HTMLAudioElement>(null);
  const call = useCall(props, tell, audio, setSoundBlocked);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = "Interview";
    heading.current?.focus();
  }, []);
  useStayAwake();
  useLeaveWarning(!state.ending && state.session !== "ended");
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
        <p role="status" className="visually-hidden">
          {state.link === "live" ? "Connected" : activityWords(now)}
        </p>
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
      {/* eslint-disable-next-line jsx-a11y/media-has-caption -- live speech; its captions are the log above */}
      <audio ref={audio} autoPlay data-testid="interviewer-audio" />
    </section>
  );
}

/** Holds the call for as long as the step is shown. */
function useCall(
  props: Props,
  tell: (event: Parameters<typeof interview>[1]) => void,
  audio: React.RefObject<HTMLAudioElement | null>,
  setSoundBlocked: (blocked: boolean) => void,
): React.RefObject<Call | null> {
  const call = useRef<Call | null>(null);
  const latest = useRef(props);
  useEffect(() => {
    latest.current = props;
  });
  useEffect(() => {
    const { api, stream } = latest.current;
    const track = stream.getAudioTracks()[0];
    if (track === undefined) return;
    let goodbye: number | undefined;
    const current = new Call(api, track, {
      onLink: (link) => tell({ type: "link", link }),
      onMessage: (message) => {
        tell({ type: "message", message });
        if (message.type === "state" && message.state === "active") latest.current.onRunning();
        if (message.type === "replaced") latest.current.onReplaced();
        if (message.type !== "ended") return;
        const { outcome, completion } = message;
        goodbye = window.setTimeout(() => latest.current.onEnded(outcome, completion), LAST_WORDS_MS);
      },
      onVoice: (voice) => {
        const element = audio.current;
        if (element === null) return;
        element.srcObject = voice;
        element.play().then(
          () => setSoundBlocked(false),
          (error: unknown) => {
            // Other errors are a newer stream replacing this one.
            if (error instanceof DOMException && error.name === "NotAllowedError") setSoundBlocked(true);
          },
        );
      },
      onRefused: (problem, begun) => latest.current.onRefused(problem, begun),
      onLost: () => latest.current.onLost(),
    });
    call.current = current;
    current.start();
    return () => {
      window.clearTimeout(goodbye);
      current.stop();
      call.current = null;
    };
  }, [tell, audio, setSoundBlocked]);
  return call;
}

/** Takes another microphone, or the same one again, when the one in use was unplugged. */
function useMicrophoneBack(vanished: boolean, change: (deviceId: null) => Promise<boolean>): void {
  const latest = useRef(change);
  useEffect(() => {
    latest.current = change;
  });
  useEffect(() => {
    if (!vanished) return;
    let opening = false;
    const look = () => {
      // One device that is plugged in tells several changes.
      if (opening) return;
      opening = true;
      listMicrophones()
        .then(async (found) => {
          if (found.length > 0) await latest.current(null);
        })
        .catch(() => undefined)
        .finally(() => {
          opening = false;
        });
    };
    look();
    navigator.mediaDevices.addEventListener("devicechange", look);
    return () => navigator.mediaDevices.removeEventListener("devicechange", look);
  }, [vanished]);
}

/** Keeps a phone's screen on: a sleeping phone suspends the microphone. */
function useStayAwake(): void {
  useEffect(() => {
    let lock: WakeLockSentinel | null = null;
    let over = false;
    const hold = () => {
      if (!("wakeLock" in navigator) || document.visibilityState !== "visible") return;
      navigator.wakeLock.request("screen").then(
        (held) => {
          if (over) void held.release();
          else lock = held;
        },
        // Low battery may refuse it; the interview goes on without.
        () => undefined,
      );
    };
    hold();
    document.addEventListener("visibilitychange", hold);
    return () => {
      over = true;
      document.removeEventListener("visibilitychange", hold);
      void lock?.release();
    };
  }, []);
}

function useLeaveWarning(active: boolean): void {
  useEffect(() => {
    if (!active) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [active]);
}

/** After "end" was asked for: should the server's word get lost, ask for it. */
function useEndPoll(api: ParticipantApi, ending: boolean, onEnded: Props["onEnded"]): void {
  const latest = useRef(onEnded);
  useEffect(() => {
    latest.current = onEnded;
  });
  useEffect(() => {
    if (!ending) return;
    const timer = window.setInterval(() => {
      api.participation().then(
        ({ state, outcome, completion }) => {
          if (state === "ended") latest.current(outcome ?? "partial", completion ?? null);
        },
        () => undefined,
      );
    }, END_POLL_MS);
    return () => window.clearInterval(timer);
  }, [api, ending]);
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
