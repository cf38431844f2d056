/** The running interview as the page shows it, as a pure reducer over messages, connection changes and clicks. */

import { withCaption, type Caption } from "./captions";
import type { Line } from "./line";
import type { Message } from "./messages";

export type Link = "connecting" | "live" | "reconnecting";

export interface Trouble {
  code: string;
  text: string;
}

export interface Interview {
  link: Link;
  /** Where one stands while all places are taken. */
  line: Line | null;
  /** The server's word for the session; "closing" while the goodbye is spoken. */
  session: string;
  captions: readonly Caption[];
  section: { title: string; index: number; count: number } | null;
  leftS: number | null;
  speaking: { interviewer: boolean; participant: boolean };
  /** Becomes true with the interviewer's first sound or words. */
  begun: boolean;
  muted: boolean;
  /** A repeat was asked for and has not begun. */
  repeating: boolean;
  /** The participant asked for the end. */
  ending: boolean;
  troubles: readonly Trouble[];
}

export type InterviewEvent =
  | { type: "link"; link: Link }
  | { type: "line"; line: Line | null }
  | { type: "message"; message: Message }
  | { type: "muted"; muted: boolean }
  | { type: "repeat_asked" }
  | { type: "end_asked" }
  | { type: "trouble_dismissed"; code: string };

export const SILENT = "silent_microphone";

export const BEGIN: Interview = {
  link: "connecting",
  line: null,
  session: "waiting",
  captions: [],
  section: null,
  leftS: null,
  speaking: { interviewer: false, participant: false },
  begun: false,
  muted: false,
  repeating: false,
  ending: false,
  troubles: [],
};

export function interview(state: Interview, event: InterviewEvent): Interview {
  switch (event.type) {
    case "link":
      return event.link === "live"
        ? { ...state, link: "live" }
        : { ...state, link: event.link, speaking: { interviewer: false, participant: false }, repeating: false };
    case "line":
      return { ...state, line: event.line };
    case "message":
      return heard(state, event.message);
    case "muted":
      return { ...state, muted: event.muted };
    case "repeat_asked":
      return { ...state, repeating: true };
    case "end_asked":
      return { ...state, ending: true };
    case "trouble_dismissed":
      return { ...state, troubles: state.troubles.filter((trouble) => trouble.code !== event.code) };
  }
}

function heard(state: Interview, message: Message): Interview {
  switch (message.type) {
    case "state":
      return { ...state, session: message.state };
    case "caption": {
      const { turn, speaker, text, final } = message;
      return signOfLife(
        { ...state, captions: withCaption(state.captions, { turn, speaker, text, final }) },
        speaker,
        text !== "",
      );
    }
    case "phase":
      return { ...state, section: { title: message.title, index: message.index, count: message.count } };
    case "time":
      return { ...state, leftS: message.left_s };
    case "speaking":
      return signOfLife(
        { ...state, speaking: { ...state.speaking, [message.speaker]: message.speaking } },
        message.speaker,
        message.speaking,
      );
    case "trouble":
      return {
        ...state,
        troubles: [
          ...state.troubles.filter((trouble) => trouble.code !== message.code),
          { code: message.code, text: message.text },
        ],
      };
    case "ended":
      return { ...state, session: "ended" };
    case "replaced":
      return state;
  }
}

/** Whoever speaks again has no trouble any more. */
function signOfLife(state: Interview, speaker: "interviewer" | "participant", alive: boolean): Interview {
  if (!alive) return state;
  if (speaker === "interviewer") {
    const troubles = state.troubles.filter((trouble) => trouble.code === SILENT);
    return { ...state, begun: true, repeating: false, troubles };
  }
  return { ...state, troubles: state.troubles.filter((trouble) => trouble.code !== SILENT) };
}

/** What the page says is going on, most important first. */
export type Activity =
  | "connecting"
  | "reconnecting"
  | "waiting"
  | "closing"
  | "ending"
  | "muted"
  | "interviewer"
  | "participant"
  | "listening";

export function activity(state: Interview): Activity {
  if (state.link === "reconnecting") return "reconnecting";
  if (state.link === "connecting") return "connecting";
  if (state.session === "closing" || state.session === "ended") return "closing";
  if (state.ending) return "ending";
  if (!state.begun) return "waiting";
  if (state.speaking.interviewer) return "interviewer";
  if (state.muted) return "muted";
  return state.speaking.participant ? "participant" : "listening";
}
