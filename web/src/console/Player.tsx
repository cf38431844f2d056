/** The recording of both tracks: participant above, interviewer below, as they lie in the stereo file. */

import { useEffect, useImperativeHandle, useRef, useState, type Ref } from "react";
import WaveSurfer from "wavesurfer.js";
import type { Waveform } from "../api/types";
import { clock } from "../shared/format";
import { Icon } from "../shared/icons";

export interface PlayerHandle {
  /** Plays a stretch and stops at its end. */
  play(fromMs: number, toMs: number): void;
}

interface Props {
  recording: Blob;
  waveform: Waveform;
  onTime: (ms: number, playing: boolean) => void;
  ref?: Ref<PlayerHandle>;
}

const SPEEDS = [0.75, 1, 1.25, 1.5, 2];

export function Player({ recording, waveform, onTime, ref }: Props) {
  const container = useRef<HTMLDivElement>(null);
  const surfer = useRef<WaveSurfer | null>(null);
  const [playing, setPlaying] = useState(false);
  const [ms, setMs] = useState(0);
  const [speed, setSpeed] = useState(1);
  const [fault, setFault] = useState(false);
  const latest = useRef(onTime);
  useEffect(() => {
    latest.current = onTime;
  });

  useEffect(() => {
    if (container.current === null) return;
    const url = URL.createObjectURL(recording);
    const wave = WaveSurfer.create({
      container: container.current,
      url,
      peaks: [waveform.participant.map(share), waveform.interviewer.map(share)],
      duration: waveform.duration_ms / 1000,
      height: 54,
      barWidth: 2,
      barGap: 1,
      barRadius: 1,
      cursorWidth: 2,
      dragToSeek: true,
      ...colours(),
    });
    surfer.current = wave;
    const scheme = window.matchMedia("(prefers-color-scheme: dark)");
    const recolour = () => wave.setOptions(colours());
    scheme.addEventListener("change", recolour);
    wave.on("play", () => setPlaying(true));
    wave.on("pause", () => setPlaying(false));
    wave.on("finish", () => setPlaying(false));
    wave.on("error", () => setFault(true));
    wave.on("timeupdate", (seconds) => {
      setMs(seconds * 1000);
      latest.current(seconds * 1000, wave.isPlaying());
    });
    return () => {
      scheme.removeEventListener("change", recolour);
      wave.destroy();
      surfer.current = null;
      URL.revokeObjectURL(url);
    };
  }, [recording, waveform]);

  useImperativeHandle(
    ref,
    () => ({
      play: (fromMs, toMs) => {
        // A newer play() interrupts an older one; that rejection is no fault.
        surfer.current?.play(fromMs / 1000, toMs / 1000).catch(() => undefined);
      },
    }),
    [],
  );

  return (
    <div className="player card" data-testid="player" data-playing={playing}>
      <div className="tracks">
        <div className="track-names" aria-hidden="true">
          <span className="participant">Participant</span>
          <span className="interviewer">Interviewer</span>
        </div>
        <div ref={container} className="wave" data-testid="waveform" />
      </div>
      <div className="player-controls">
        <button
          type="button"
          className="button primary"
          onClick={() => void surfer.current?.playPause().catch(() => undefined)}
          data-testid="play"
        >
          <Icon name={playing ? "pause" : "play"} /> {playing ? "Pause" : "Play"}
        </button>
        <span className="time" data-testid="player-time">
          {clock(ms)} / {clock(waveform.duration_ms)}
        </span>
        <input
          type="range"
          aria-label="Position"
          aria-valuetext={clock(ms)}
          min={0}
          max={Math.ceil(waveform.duration_ms / 1000)}
          step={1}
          value={Math.floor(ms / 1000)}
          onChange={(event) => surfer.current?.setTime(Number(event.target.value))}
        />
        <label>
          <span className="visually-hidden">Speed</span>
          <select
            value={speed}
            onChange={(event) => {
              const rate = Number(event.target.value);
              setSpeed(rate);
              surfer.current?.setPlaybackRate(rate, true);
            }}
          >
            {SPEEDS.map((rate) => (
              <option key={rate} value={rate}>
                {rate}×
              </option>
            ))}
          </select>
        </label>
      </div>
      {fault && (
        <p role="alert" className="muted">
          This browser cannot play the recording (Ogg Opus). Chrome, Edge, Firefox and Safari from 18.4 can.
        </p>
      )}
    </div>
  );
}

function share(peak: number): number {
  return peak / 255;
}

/** The design's colours as they are now: a canvas knows no CSS variables. */
function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(name).trim();
  const channel = (name: string) => ({ waveColor: of(name), progressColor: of(name) });
  return {
    cursorColor: of("--ink"),
    waveColor: of("--line-strong"),
    progressColor: of("--ink"),
    splitChannels: [channel("--participant"), channel("--interviewer")],
  };
}
