/** The microphone of this page: one open stream at a time, and what a participant must know about it. */

import { useCallback, useEffect, useRef, useState } from "react";
import type { FlowEvent } from "./flow";
import { DEAD_DBFS, faultOf, listMicrophones, meter, openMicrophone, stopStream, supportFault } from "./microphone";
import type { Device } from "./microphone";

export interface Microphone {
  stream: MediaStream | null;
  devices: Device[];
  deviceId: string | null;
  /** The open device disappeared (unplugged, taken by the system). */
  vanished: boolean;
  open: (deviceId: string | null) => Promise<MediaStream | null>;
  close: () => void;
}

export function useMicrophone(tell: (event: FlowEvent) => void): Microphone {
  const [stream, setStream] = useState<MediaStream | null>(null);
  const [devices, setDevices] = useState<Device[]>([]);
  const [vanished, setVanished] = useState(false);
  const current = useRef<MediaStream | null>(null);

  const close = useCallback(() => {
    stopStream(current.current);
    current.current = null;
    setStream(null);
    setVanished(false);
  }, []);

  const open = useCallback(
    async (deviceId: string | null) => {
      const unsupported = supportFault();
      if (unsupported !== null) {
        tell({ type: "mic_failed", fault: unsupported });
        return null;
      }
      if (current.current === null) tell({ type: "mic_asked" });
      try {
        // The new one first: a failed change must not cost the one that works.
        const next = await openMicrophone(deviceId);
        stopStream(current.current);
        current.current = next;
        const track = next.getAudioTracks()[0];
        track?.addEventListener("ended", () => {
          if (current.current === next) setVanished(true);
        });
        setVanished(false);
        setStream(next);
        setDevices(await listMicrophones());
        tell({ type: "mic_opened" });
        return next;
      } catch (error) {
        tell({ type: "mic_failed", fault: faultOf(error) });
        return null;
      }
    },
    [tell],
  );

  useEffect(() => {
    if (stream === null) return;
    const refresh = () => {
      listMicrophones().then(setDevices, () => undefined);
    };
    navigator.mediaDevices.addEventListener("devicechange", refresh);
    return () => navigator.mediaDevices.removeEventListener("devicechange", refresh);
  }, [stream]);

  const deviceId = stream?.getAudioTracks()[0]?.getSettings().deviceId ?? null;
  return { stream, devices, deviceId, vanished, open, close };
}

/** Tells levels of a stream, ten a second. */
export function useMeter(stream: MediaStream | null, onLevel: (level: number) => void): void {
  const latest = useRef(onLevel);
  useEffect(() => {
    latest.current = onLevel;
  });
  useEffect(() => {
    if (stream === null) return;
    return meter(stream, (level) => latest.current(level));
  }, [stream]);
}

/** Whether a stream has been dead (not merely quiet) for `afterMs` while `watching`. */
export function useDead(stream: MediaStream | null, watching: boolean, afterMs: number): boolean {
  const [dead, setDead] = useState(false);
  const aliveAt = useRef(0);
  const watched = useRef(false);
  useMeter(stream, (level) => {
    const now = performance.now();
    // The clock starts when watching starts: silence while the interviewer talks is good manners.
    if (level > DEAD_DBFS || !watching || !watched.current) aliveAt.current = now;
    watched.current = watching;
    const isDead = watching && now - aliveAt.current > afterMs;
    if (isDead !== dead) setDead(isDead);
  });
  return dead && watching;
}
