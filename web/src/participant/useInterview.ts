/** What the interview's page does besides showing it: the call, the microphone that comes back, the screen that stays on. */

import { useEffect, useRef } from "react";
import type { Problem } from "../api/problem";
import type { Completion } from "../api/types";
import { Call } from "./call";
import type { interview } from "./interview";
import { listMicrophones } from "./microphone";
import type { ParticipantApi } from "./signal";
import type { Microphone } from "./useMicrophone";

export interface InterviewProps {
  api: ParticipantApi;
  session: string;
  microphone: Microphone;
  stream: MediaStream;
  language: string;
  onEnded: (outcome: string, completion: Completion | null) => void;
  onRefused: (problem: Problem, begun: boolean) => void;
  onLost: () => void;
  onReplaced: () => void;
  /** The participant would rather come back later than wait. */
  onLeave: () => void;
  /** The interview runs, for the first time or again. */
  onRunning: () => void;
}

/** The interviewer's last syllables are still on their way when the server says that it is over. */
const LAST_WORDS_MS = 700;
/** How often the server is asked whether the end has come, if it does not say so itself. */
const END_POLL_MS = 8_000;

/** Holds the call for as long as the step is shown. */
export function useCall(
  props: InterviewProps,
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
      onLine: (line) => tell({ type: "line", line }),
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

/**
 * Of several tabs with one link only the newest waits: whichever is let in, the next question of another one would take
 * the interview from it.
 */
export function useNewestInLine(session: string, inLine: boolean, live: boolean, onNewer: () => void): void {
  const channel = useRef<BroadcastChannel | null>(null);
  const latest = useRef({ inLine, onNewer });
  useEffect(() => {
    latest.current = { inLine, onNewer };
  });
  useEffect(() => {
    if (!("BroadcastChannel" in window)) return;
    const current = new BroadcastChannel(`colloquy-line:${session}`);
    current.onmessage = () => {
      if (latest.current.inLine) latest.current.onNewer();
    };
    channel.current = current;
    return () => current.close();
  }, [session]);
  const here = inLine || live;
  useEffect(() => {
    if (here) channel.current?.postMessage("here");
  }, [here]);
}

/** Takes another microphone, or the same one again, when the one in use was unplugged. */
export function useMicrophoneBack(vanished: boolean, change: (deviceId: null) => Promise<boolean>): void {
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
export function useStayAwake(): void {
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

export function useLeaveWarning(active: boolean): void {
  useEffect(() => {
    if (!active) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [active]);
}

/** After "end" was asked for: should the server's word get lost, ask for it. */
export function useEndPoll(api: ParticipantApi, ending: boolean, onEnded: InterviewProps["onEnded"]): void {
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
