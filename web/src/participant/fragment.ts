/**
 * The two texts of an ICE restart (WHIP, RFC 9725, 4.3.2): what of an offer is sent, as an SDP fragment (RFC 8840, 9),
 * and the answer that the fragment sent back makes of the one before.
 */

export const FRAGMENT_TYPE = "application/trickle-ice-sdpfrag";

/** Attributes that an ICE restart changes (RFC 8839, 4.4.1). */
const ICE = /^a=(ice-ufrag|ice-pwd|candidate|end-of-candidates)\b/;

/** The fragment for an offer: credentials and candidates of its first media section, which BUNDLE makes all of them. */
export function fragmentOf(offer: string): string {
  const { session, sections } = parse(offer);
  const first = sections[0] ?? [];
  const of = (name: string) => {
    const line = [...first, ...session].find((candidate) => candidate.startsWith(`a=${name}:`));
    if (line === undefined) throw new Error(`the offer has no ${name}`);
    return line;
  };
  const [media = "", , proto = ""] = (first[0] ?? "").split(" ");
  const whole = session.filter((line) => /^a=(ice-options|group:BUNDLE)\b/.test(line));
  const candidates = first.filter((line) => /^a=(candidate|end-of-candidates)\b/.test(line));
  // Port and format are those that RFC 8840 wants where nothing is offered.
  return text([...whole, `${media} 9 ${proto} 0`, of("mid"), of("ice-ufrag"), of("ice-pwd"), ...candidates]);
}

/** The answer in force with credentials and candidates of the fragment that came back; everything else stays. */
export function answerWith(answer: string, fragment: string): string {
  const lines = linesOf(fragment);
  const credentials = ["ice-ufrag", "ice-pwd"].map((name) => {
    const line = lines.find((candidate) => candidate.startsWith(`a=${name}:`));
    if (line === undefined) throw new Error(`the fragment has no ${name}`);
    return line;
  });
  const candidates = lines.filter((line) => /^a=(candidate|end-of-candidates)\b/.test(line));
  const { session, sections } = parse(answer);
  const kept = sections.map((section, at) => [
    ...section.filter((line) => !ICE.test(line)),
    ...credentials,
    ...(at === 0 ? candidates : []),
  ]);
  return text([...session.filter((line) => !ICE.test(line)), ...kept.flat()]);
}

function parse(sdp: string): { session: string[]; sections: string[][] } {
  const session: string[] = [];
  const sections: string[][] = [];
  for (const line of linesOf(sdp)) {
    if (line.startsWith("m=")) sections.push([line]);
    else (sections.at(-1) ?? session).push(line);
  }
  return { session, sections };
}

function linesOf(sdp: string): string[] {
  return sdp.split(/\r?\n/).filter((line) => line !== "");
}

function text(lines: string[]): string {
  return lines.map((line) => `${line}\r\n`).join("");
}
