/** The participant's microphone: opening it, naming what went wrong, listing devices, measuring the level. */

import type { MicFault } from "./flow";

export interface Device {
  id: string;
  label: string;
}

/** Whether this browser can hold an interview at all. */
export function supportFault(): MicFault | null {
  if (!window.isSecureContext) return "insecure";
  // Old and in-app browsers lack these, whatever the types say.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (typeof RTCPeerConnection === "undefined" || devices?.getUserMedia === undefined) return "unsupported";
  return null;
}

/** Opens a microphone with the browser's own echo and noise treatment; the chosen one, or the default. */
export function openMicrophone(deviceId: string | null): Promise<MediaStream> {
  return navigator.mediaDevices.getUserMedia({
    audio: {
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
      channelCount: 1,
      ...(deviceId === null ? {} : { deviceId: { exact: deviceId } }),
    },
  });
}

/** What a refused `getUserMedia` means. Names: https://w3c.github.io/mediacapture-main/#dom-mediadevices-getusermedia */
export function faultOf(error: unknown): MicFault {
  if (!(error instanceof DOMException)) return "failed";
  switch (error.name) {
    case "NotAllowedError":
      // Chrome says "Permission dismissed" when the question was closed without an answer.
      return error.message.includes("dismissed") ? "dismissed" : "denied";
    case "SecurityError":
      return "denied";
    case "NotFoundError":
    case "OverconstrainedError":
      return "missing";
    case "NotReadableError":
    case "AbortError":
      return "busy";
    default:
      return "failed";
  }
}

/** The microphones that the browser names (labels only after permission). */
export async function listMicrophones(): Promise<Device[]> {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices
    .filter((device) => device.kind === "audioinput" && device.deviceId !== "")
    .map((device, at) => ({ id: device.deviceId, label: device.label || `Microphone ${at + 1}` }));
}

/** Whether the browser has already been told no, without asking. */
export async function permissionDenied(): Promise<boolean> {
  try {
    const status = await navigator.permissions.query({ name: "microphone" });
    return status.state === "denied";
  } catch {
    return false;
  }
}

/** Quieter than this is a dead microphone or a hardware mute, not a quiet room: measured rooms are above -75 dBFS. */
export const DEAD_DBFS = -85;
/** Louder than this is somebody speaking near the microphone. */
export const SPEECH_DBFS = -45;

/** Decibels below full scale of a block of samples; -Infinity for digital silence. */
export function dbfs(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return 10 * Math.log10(sum / Math.max(1, samples.length));
}

/** A level as a share of the meter: -60 dBFS is empty, -12 dBFS is full. */
export function meterShare(level: number): number {
  return Math.min(1, Math.max(0, (level + 60) / 48));
}

/** Measures a stream ten times a second until stopped. */
export function meter(stream: MediaStream, onLevel: (level: number) => void): () => void {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 2048;
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = window.setInterval(() => {
    if (context.state === "suspended") void context.resume();
    analyser.getFloatTimeDomainData(samples);
    onLevel(dbfs(samples));
  }, 100);
  return () => {
    window.clearInterval(timer);
    void context.close();
  };
}

/** Two soft tones, so that a participant knows that the loudspeaker works. */
export function playTestSound(): void {
  const context = new AudioContext();
  const begin = context.currentTime + 0.05;
  for (const [at, frequency] of [
    [0, 523.25],
    [0.28, 659.25],
    [0.56, 783.99],
  ] as const) {
    const tone = context.createOscillator();
    const gain = context.createGain();
    tone.frequency.value = frequency;
    gain.gain.setValueAtTime(0, begin + at);
    gain.gain.linearRampToValueAtTime(0.25, begin + at + 0.03);
    gain.gain.exponentialRampToValueAtTime(0.001, begin + at + 0.5);
    tone.connect(gain).connect(context.destination);
    tone.start(begin + at);
    tone.stop(begin + at + 0.55);
    if (at === 0.56) tone.onended = () => void context.close();
  }
}

export function stopStream(stream: MediaStream | null): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
