/** The words of the participant's page in one place: plain, kind, and ready to be translated. */

import type { MicFault } from "./flow";
import type { Activity } from "./interview";
import type { Line } from "./line";

export const STEPS = ["Welcome", "Microphone", "Interview", "Finish"] as const;

export interface Help {
  title: string;
  meaning: string;
  steps: string[];
}

/** What a microphone fault is, what it means, what to do. `denied` takes its steps from the browser at hand. */
export function micHelp(fault: MicFault, unblock: string[]): Help {
  switch (fault) {
    case "denied":
      return {
        title: "The microphone is blocked",
        meaning:
          "This browser has been told not to let this page use the microphone, so the interviewer cannot hear you.",
        steps: unblock,
      };
    case "dismissed":
      return {
        title: "The question was closed",
        meaning: "The browser asked whether this page may use the microphone and got no answer.",
        steps: ["Press “Try again” and choose Allow."],
      };
    case "missing":
      return {
        title: "No microphone was found",
        meaning: "This device has no microphone that the browser can see.",
        steps: [
          "Plug in a headset or a microphone, or switch on your Bluetooth headset.",
          "On a desktop computer check that the microphone is chosen in the sound settings.",
          "Press “Try again”. Or open your link on a phone or a laptop.",
        ],
      };
    case "busy":
      return {
        title: "The microphone is in use or does not answer",
        meaning: "Another program may be holding it, or the system has switched it off for browsers.",
        steps: [
          "Close other calls and recorders: Zoom, Teams, Meet, voice memos.",
          "Unplug the microphone and plug it in again.",
          "Press “Try again”. If that does not help, restart the browser.",
        ],
      };
    case "insecure":
      return {
        title: "This page was opened without a secure connection",
        meaning: "Browsers give the microphone only to pages whose address begins with https.",
        steps: ["Open the link exactly as you received it.", "If it begins with http, tell the person who sent it."],
      };
    case "unsupported":
      return {
        title: "This browser cannot hold a voice interview",
        meaning: "It is too old, or it is the small browser inside another app.",
        steps: [
          "Open your link in a current Chrome, Edge, Firefox or Safari.",
          "Inside an app: open the menu and choose “Open in browser”.",
        ],
      };
    case "failed":
      return {
        title: "The microphone did not start",
        meaning: "The browser gave no reason.",
        steps: ["Press “Try again”.", "If that does not help, restart the browser or use another device."],
      };
  }
}

export const SILENT_HELP = [
  "Check for a mute switch on your headset or keyboard.",
  "Choose another microphone from the list above.",
  "In the system’s sound settings turn the input volume up.",
];

/** What is going on, in a line. */
export function activityWords(activity: Activity): string {
  switch (activity) {
    case "connecting":
      return "Connecting to the interviewer…";
    case "reconnecting":
      return "Connection lost. Reconnecting…";
    case "waiting":
      return "The interviewer is about to speak";
    case "closing":
      return "The interview is coming to its end";
    case "ending":
      return "Ending the interview…";
    case "muted":
      return "Your microphone is off";
    case "interviewer":
      return "The interviewer is speaking";
    case "participant":
      return "Listening to you";
    case "listening":
      return "Your turn. Take your time";
  }
}

/** Where one stands in line, as a sentence; where one stood, while the server cannot be asked. */
export function placeWords(position: number, lost = false): string {
  const you = lost ? "You were" : "You are";
  return position === 1 ? `${you} next.` : `${you} number ${position} in line.`;
}

/** The tab's title: the number first, so that it is seen from another tab. */
export function lineTitle(position: number): string {
  return `(${position}) Waiting for your interview`;
}

export const LINE_LOST = "Connection lost. We keep trying.";

/** What a screen reader hears in the line, each time it changes. */
export function lineWords({ position, lost }: Line): string {
  return lost ? LINE_LOST : placeWords(position);
}

export interface Farewell {
  title: string;
  body: string;
}

/** The last page, by outcome. `before` is for a link that is opened again. */
export function farewell(outcome: string, when: "now" | "before"): Farewell {
  if (when === "before") {
    if (outcome === "no_show") {
      return {
        title: "This interview is closed",
        body: "Nobody joined in time, so the session was closed. If you still want to take part, ask for a new link.",
      };
    }
    return {
      title: "You have already taken part",
      body: "This link has done its work: each link is good for one interview. Your answers are saved, and nothing more is needed from you.",
    };
  }
  switch (outcome) {
    case "complete":
      return {
        title: "Thank you",
        body: "The interview is complete and your answers are saved.",
      };
    case "partial":
      return {
        title: "Thank you",
        body: "The interview ended before its last section. What you said up to then is saved.",
      };
    case "screened_out":
      return {
        title: "Thank you for your interest",
        body: "This study looks for other participants this time. Nothing is wrong with your answers.",
      };
    case "quota_full":
      return {
        title: "Thank you for your interest",
        body: "Enough people have taken part already, so the interview ends here.",
      };
    case "withdrawn":
      return { title: "You have withdrawn", body: "Your answers are not used." };
    case "no_consent":
      return { title: "That is perfectly fine", body: "You chose not to take part. Nothing was recorded." };
    case "no_show":
      return {
        title: "The session was closed",
        body: "We did not hear anything, so the session was closed. Ask for a new link if you still want to take part.",
      };
    case "technical":
    case "budget":
      return {
        title: "The interview had to stop",
        body: "This was our fault, not yours. What you said up to then is saved.",
      };
    default:
      return { title: "The interview has ended", body: "What you said is saved." };
  }
}
