import { expect, it } from "vitest";
import { SseParser } from "./sse";

const STREAM = ': open\n\nevent: session\ndata: {"id":"a"}\n\n: keep-alive\n\ndata: one\ndata: two\n\n';
const EVENTS = [
  { event: "session", data: '{"id":"a"}' },
  { event: "message", data: "one\ntwo" },
];

it("reads events and skips comments", () => {
  expect(new SseParser().push(STREAM)).toEqual(EVENTS);
});

it("reads the same however the stream is cut and whatever its line ends", () => {
  for (const text of [STREAM, STREAM.replaceAll("\n", "\r\n"), STREAM.replaceAll("\n", "\r") + ":"]) {
    for (let size = 1; size <= 7; size++) {
      const parser = new SseParser();
      const events = [];
      for (let at = 0; at < text.length; at += size) events.push(...parser.push(text.slice(at, at + size)));
      expect(events).toEqual(EVENTS);
    }
  }
});

it("does not tell an event that is not complete", () => {
  expect(new SseParser().push('event: session\ndata: {"id":"a"}\n')).toEqual([]);
});

it("does not tell an event without data, and forgets its name", () => {
  expect(new SseParser().push("event: session\n\ndata: x\n\n")).toEqual([{ event: "message", data: "x" }]);
});
