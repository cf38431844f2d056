import { describe, expect, it } from "vitest";
import { latestQuestion, withCaption, type Caption } from "./captions";
import { activity, BEGIN, interview, type Interview, type InterviewEvent } from "./interview";
import { parseMessage, type Message } from "./messages";

const say = (turn: number, speaker: Caption["speaker"], text: string, final = true): Caption => ({
  turn,
  speaker,
  text,
  final,
});

describe("captions", () => {
  it("grow in place and keep speech order", () => {
    let captions: readonly Caption[] = [];
    captions = withCaption(captions, say(1, "interviewer", "How", false));
    captions = withCaption(captions, say(1, "interviewer", "How are you?"));
    captions = withCaption(captions, say(3, "interviewer", "I see."));
    captions = withCaption(captions, say(2, "participant", "Fine."));
    expect(captions.map(({ text }) => text)).toEqual(["How are you?", "Fine.", "I see."]);
  });

  it("a late partial text does not undo a final one", () => {
    const captions = [say(1, "interviewer", "How are you?")];
    expect(withCaption(captions, say(1, "interviewer", "How", false))).toBe(captions);
  });

  it("a final text may be shorter: what was cut was not heard", () => {
    const captions = withCaption(
      [say(1, "interviewer", "How are you today?", false)],
      say(1, "interviewer", "How are"),
    );
    expect(captions[0]?.text).toBe("How are");
  });

  it("an empty text neither adds nor erases", () => {
    expect(withCaption([], say(1, "participant", "", false))).toEqual([]);
    expect(withCaption([say(1, "participant", "Well", false)], say(1, "participant", ""))[0]?.text).toBe("Well");
  });

  it("the latest question is the interviewer's", () => {
    expect(latestQuestion([say(1, "interviewer", "Q"), say(2, "participant", "A")])?.text).toBe("Q");
    expect(latestQuestion([])).toBeNull();
  });
});

describe("messages", () => {
  it.each<[string, Message]>([
    ['{"type":"state","state":"active"}', { type: "state", state: "active" }],
    [
      '{"type":"caption","turn":3,"speaker":"interviewer","text":"Hi","final":false,"new":1}',
      { type: "caption", turn: 3, speaker: "interviewer", text: "Hi", final: false },
    ],
    [
      '{"type":"ended","outcome":"complete","completion":{"message":"m","code":"C"}}',
      { type: "ended", outcome: "complete", completion: { message: "m", code: "C", redirect_url: null } },
    ],
    ['{"type":"ended","outcome":"partial","completion":null}', { type: "ended", outcome: "partial", completion: null }],
  ])("reads %s", (text, message) => {
    expect(parseMessage(text)).toEqual(message);
  });

  it.each([
    "",
    "{",
    "null",
    "[]",
    '"state"',
    '{"type":"state"}',
    '{"type":"tomorrow","x":1}',
    '{"type":"caption","turn":"3","speaker":"interviewer","text":"Hi"}',
    '{"type":"caption","turn":3,"speaker":"cat","text":"Hi"}',
    '{"type":"time","elapsed_s":1}',
    '{"type":"cost","micro_usd":12}',
  ])("ignores %s", (text) => {
    expect(parseMessage(text)).toBeNull();
  });

  it("ignores binary data", () => {
    expect(parseMessage(new ArrayBuffer(4))).toBeNull();
  });
});

function after(...events: (InterviewEvent | Message)[]): Interview {
  return events.reduce<Interview>(
    (state, event) =>
      interview(
        state,
        ["link", "line", "message", "muted", "repeat_asked", "end_asked", "trouble_dismissed"].includes(event.type)
          ? (event as InterviewEvent)
          : { type: "message", message: event as Message },
      ),
    BEGIN,
  );
}

const LIVE: InterviewEvent = { type: "link", link: "live" };
const voice = (speaking: boolean): Message => ({ type: "speaking", speaker: "interviewer", speaking });

describe("what is going on", () => {
  it.each<[string, (InterviewEvent | Message)[]]>([
    ["connecting", []],
    ["waiting", [LIVE]],
    ["interviewer", [LIVE, voice(true)]],
    ["listening", [LIVE, voice(true), voice(false)]],
    ["participant", [LIVE, voice(true), voice(false), { type: "speaking", speaker: "participant", speaking: true }]],
    ["muted", [LIVE, voice(true), voice(false), { type: "muted", muted: true }]],
    ["interviewer", [LIVE, { type: "muted", muted: true }, voice(true)]],
    ["ending", [LIVE, voice(true), { type: "end_asked" }]],
    ["closing", [LIVE, voice(true), { type: "state", state: "closing" }]],
    ["reconnecting", [LIVE, voice(true), { type: "link", link: "reconnecting" }]],
    ["listening", [LIVE, voice(true), { type: "link", link: "reconnecting" }, LIVE]],
  ])("%s", (expected, events) => {
    expect(activity(after(...events))).toBe(expected);
  });
});

it("the place in line is kept until one is let in", () => {
  const line = { position: 3, waiting: 5, since: 1, lost: false };
  const waiting = after({ type: "link", link: "connecting" }, { type: "line", line });
  expect(waiting.line).toEqual(line);
  expect(interview(waiting, { type: "line", line: null })).toEqual({ ...waiting, line: null });
});

it("captions, section and mute outlive a lost connection", () => {
  const state = after(
    LIVE,
    { type: "caption", turn: 1, speaker: "interviewer", text: "Hello", final: true },
    { type: "phase", id: "warmup", title: "You", index: 0, count: 4 },
    { type: "muted", muted: true },
    { type: "link", link: "reconnecting" },
  );
  expect(state.captions).toHaveLength(1);
  expect(state.section?.title).toBe("You");
  expect(state.muted).toBe(true);
});

describe("troubles", () => {
  const lost: Message = { type: "trouble", code: "provider_trouble", text: "One moment." };
  const silent: Message = { type: "trouble", code: "silent_microphone", text: "We do not hear you." };

  it("are said once each", () => {
    expect(after(LIVE, lost, lost, silent).troubles).toHaveLength(2);
  });

  it("go when whoever had them speaks again", () => {
    expect(after(LIVE, lost, silent, voice(true)).troubles.map(({ code }) => code)).toEqual(["silent_microphone"]);
    expect(
      after(LIVE, lost, silent, { type: "speaking", speaker: "participant", speaking: true }).troubles.map(
        ({ code }) => code,
      ),
    ).toEqual(["provider_trouble"]);
  });

  it("can be put away", () => {
    expect(after(LIVE, lost, { type: "trouble_dismissed", code: "provider_trouble" }).troubles).toEqual([]);
  });
});

it("a repeat is asked for until the interviewer speaks", () => {
  expect(after(LIVE, voice(true), voice(false), { type: "repeat_asked" }).repeating).toBe(true);
  expect(after(LIVE, { type: "repeat_asked" }, voice(true)).repeating).toBe(false);
});
