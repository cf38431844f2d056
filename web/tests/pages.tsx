/** Helpers for component tests: an API that answers from a table, and a microphone that does what the test says. */

import { vi } from "vitest";

type Reply = () => Response | Promise<Response>;

/** Answers `fetch` by "METHOD path"; the query is left out. Whatever is not in the table fails as a dead network does. */
export function stubApi(table: Record<string, unknown>) {
  const calls: { call: string; body: unknown }[] = [];
  vi.stubGlobal(
    "fetch",
    vi.fn((input: string, init: RequestInit = {}) => {
      const path = input.replace(/\?.*$/, "").replace("/api/v1", "");
      const call = `${init.method ?? "GET"} ${path}`;
      calls.push({ call, body: typeof init.body === "string" ? init.body : null });
      const reply = table[call];
      if (reply === undefined) return Promise.reject(new TypeError(`no answer for ${call}`));
      if (typeof reply === "function") return Promise.resolve((reply as Reply)());
      return Promise.resolve(Response.json(reply));
    }),
  );
  return calls;
}

export function refusal(status: number, code: string, title: string, remedy: string): Reply {
  return () =>
    new Response(JSON.stringify({ type: `/problems/${code}`, title, status, detail: `Detail of ${code}.`, remedy }), {
      status,
      headers: { "Content-Type": "application/problem+json" },
    });
}

class FakeTrack extends EventTarget {
  readonly kind = "audio";
  enabled = true;
  stopped = false;
  getSettings() {
    return { deviceId: "mic-1" };
  }
  stop() {
    this.stopped = true;
  }
}

/** A microphone that opens, or fails with a name; its level is set through `level` (amplitude, 0 to 1). */
export function stubMicrophone(outcome: { fails?: string; permission?: string } = {}) {
  const microphone = { amplitude: 0, tracks: [] as FakeTrack[], asked: 0, plugged: true, devices: new EventTarget() };
  const stream = () => {
    const track = new FakeTrack();
    microphone.tracks.push(track);
    return { getTracks: () => [track], getAudioTracks: () => [track] };
  };
  const devices = Object.assign(microphone.devices, {
    getUserMedia: () => {
      microphone.asked += 1;
      return outcome.fails === undefined
        ? Promise.resolve(stream())
        : Promise.reject(new DOMException("no", outcome.fails));
    },
    enumerateDevices: () =>
      Promise.resolve(microphone.plugged ? [{ kind: "audioinput", deviceId: "mic-1", label: "Desk microphone" }] : []),
  });
  vi.stubGlobal("isSecureContext", true);
  // One that can do nothing but be closed: calls are tested by themselves.
  vi.stubGlobal(
    "RTCPeerConnection",
    class {
      readonly close = () => undefined;
    },
  );
  vi.stubGlobal(
    "AudioContext",
    class {
      readonly state = "running";
      createAnalyser() {
        return { fftSize: 0, getFloatTimeDomainData: (into: Float32Array) => into.fill(microphone.amplitude) };
      }
      createMediaStreamSource() {
        return { connect: () => undefined };
      }
      close() {
        return Promise.resolve();
      }
    },
  );
  Object.defineProperty(navigator, "mediaDevices", { configurable: true, value: devices });
  Object.defineProperty(navigator, "permissions", {
    configurable: true,
    value: { query: () => Promise.resolve({ state: outcome.permission ?? "prompt" }) },
  });
  return microphone;
}
