/** A level meter: for the eye while it moves, for a screen reader in words elsewhere. */

import { useState } from "react";
import { meterShare } from "./microphone";
import { useMeter } from "./useMicrophone";

const BARS = 24;

export function Level({ stream, muted = false }: { stream: MediaStream | null; muted?: boolean }) {
  const [share, setShare] = useState(0);
  // Falls slower than it rises, as meters do.
  useMeter(stream, (level) => setShare((before) => Math.max(meterShare(level), before - 0.08)));
  const lit = muted ? 0 : Math.round(share * BARS);
  return (
    <div className="level" aria-hidden="true" data-testid="level" data-share={share.toFixed(2)}>
      {Array.from({ length: BARS }, (_, at) => (
        <span key={at} className={at < lit ? (at >= BARS - 3 ? "lit hot" : "lit") : ""} />
      ))}
    </div>
  );
}
