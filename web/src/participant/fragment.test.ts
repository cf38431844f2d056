import { expect, it } from "vitest";
import { answerWith, fragmentOf } from "./fragment";

const text = (...lines: string[]) => lines.map((line) => `${line}\r\n`).join("");

/** As Chromium writes it, shortened. */
const OFFER = text(
  "v=0",
  "o=- 4611731400430051336 3 IN IP4 127.0.0.1",
  "s=-",
  "t=0 0",
  "a=group:BUNDLE 0 1",
  "m=audio 51472 UDP/TLS/RTP/SAVPF 111 63",
  "c=IN IP4 192.0.2.7",
  "a=candidate:1 1 udp 2122260223 192.0.2.7 51472 typ host generation 0",
  "a=candidate:2 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active generation 0",
  "a=ice-ufrag:new+",
  "a=ice-pwd:0123456789abcdefghij+/",
  "a=ice-options:trickle",
  "a=fingerprint:sha-256 AA:BB",
  "a=mid:0",
  "m=application 51472 UDP/DTLS/SCTP webrtc-datachannel",
  "c=IN IP4 192.0.2.7",
  "a=ice-ufrag:new+",
  "a=ice-pwd:0123456789abcdefghij+/",
  "a=mid:1",
);

const ANSWER = text(
  "v=0",
  "o=- 1 2 IN IP4 0.0.0.0",
  "s=-",
  "t=0 0",
  "a=ice-lite",
  "a=group:BUNDLE 0 1",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111",
  "a=mid:0",
  "a=ice-ufrag:old1",
  "a=ice-pwd:oldoldoldoldoldoldoldold",
  "a=fingerprint:sha-256 CC:DD",
  "a=setup:passive",
  "a=candidate:9 1 udp 2130706431 198.51.100.1 8081 typ host ufrag old1",
  "a=end-of-candidates",
  "a=sendrecv",
  "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
  "a=mid:1",
  "a=ice-ufrag:old1",
  "a=ice-pwd:oldoldoldoldoldoldoldold",
  "a=setup:passive",
);

const BACK = text(
  "m=audio 9 UDP/TLS/RTP/SAVPF 0",
  "a=mid:0",
  "a=ice-ufrag:back",
  "a=ice-pwd:backbackbackbackbackback",
  "a=candidate:9 1 udp 2130706431 198.51.100.1 8081 typ host ufrag back",
  "a=end-of-candidates",
);

it("an offer becomes the fragment of its first section", () => {
  expect(fragmentOf(OFFER)).toBe(
    text(
      "a=group:BUNDLE 0 1",
      "m=audio 9 UDP/TLS/RTP/SAVPF 0",
      "a=mid:0",
      "a=ice-ufrag:new+",
      "a=ice-pwd:0123456789abcdefghij+/",
      "a=candidate:1 1 udp 2122260223 192.0.2.7 51472 typ host generation 0",
      "a=candidate:2 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active generation 0",
    ),
  );
});

it("credentials of the whole session are those of its sections", () => {
  const lines = OFFER.split("\r\n").filter((line) => !/^a=ice-(ufrag|pwd)/.test(line));
  lines.splice(4, 0, "a=ice-ufrag:sess", "a=ice-pwd:sesssesssesssesssesssess");
  const fragment = fragmentOf(lines.join("\r\n"));
  expect(fragment).toContain("a=mid:0\r\na=ice-ufrag:sess\r\na=ice-pwd:sesssesssesssesssesssess\r\n");
});

it("an answer keeps all but its ICE lines, in every section", () => {
  expect(answerWith(ANSWER, BACK)).toBe(
    text(
      "v=0",
      "o=- 1 2 IN IP4 0.0.0.0",
      "s=-",
      "t=0 0",
      "a=ice-lite",
      "a=group:BUNDLE 0 1",
      "m=audio 9 UDP/TLS/RTP/SAVPF 111",
      "a=mid:0",
      "a=fingerprint:sha-256 CC:DD",
      "a=setup:passive",
      "a=sendrecv",
      "a=ice-ufrag:back",
      "a=ice-pwd:backbackbackbackbackback",
      "a=candidate:9 1 udp 2130706431 198.51.100.1 8081 typ host ufrag back",
      "a=end-of-candidates",
      "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
      "a=mid:1",
      "a=setup:passive",
      "a=ice-ufrag:back",
      "a=ice-pwd:backbackbackbackbackback",
    ),
  );
  expect(answerWith(answerWith(ANSWER, BACK), BACK)).toBe(answerWith(ANSWER, BACK));
});

it("lines may end without a carriage return", () => {
  expect(fragmentOf(OFFER.replaceAll("\r", ""))).toBe(fragmentOf(OFFER));
  expect(answerWith(ANSWER, BACK.replaceAll("\r", ""))).toBe(answerWith(ANSWER, BACK));
});

it.each(["", "a=ice-ufrag:only\r\n", "<html>a proxy</html>"])("%j is no fragment", (body) => {
  expect(() => answerWith(ANSWER, body)).toThrow("the fragment has no ice-");
});

it.each(["", "v=0\r\n", "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n"])("%j is no offer to restart with", (offer) => {
  expect(() => fragmentOf(offer)).toThrow("the offer has no");
});
