/** The microphone check: asked for on a click, chosen, seen, and helped with. */

import { useEffect, useRef } from "react";
import { Icon } from "../../shared/icons";
import { browserOf, unblockSteps } from "../browser";
import type { Mic } from "../flow";
import { Level } from "../Level";
import { permissionDenied, playTestSound, SPEECH_DBFS } from "../microphone";
import { StepCard } from "../Shell";
import { useDead, useMeter, type Microphone } from "../useMicrophone";
import { micHelp, SILENT_HELP } from "../words";

interface Props {
  mic: Mic;
  microphone: Microphone;
  returning: boolean;
  onHeard: () => void;
  onDenied: () => void;
  onStart: () => void;
}

export function MicrophoneStep({ mic, microphone, returning, onHeard, onDenied, onStart }: Props) {
  const idle = mic.status === "idle";
  useEffect(() => {
    if (!idle) return;
    let gone = false;
    void permissionDenied().then((denied) => {
      if (denied && !gone) onDenied();
    });
    return () => {
      gone = true;
    };
  }, [idle, onDenied]);

  return (
    <StepCard
      title={returning ? "Welcome back" : "Check your microphone"}
      testId="step-microphone"
      lead={
        returning
          ? "Your answers so far are saved, and the interview goes on where it stopped. First a short sound check."
          : "A quiet room and a headset work best. Nothing is recorded yet."
      }
    >
      {mic.status === "fault" ? (
        <MicFaultHelp fault={mic.fault} onRetry={() => void microphone.open(null)} />
      ) : mic.status === "live" ? (
        <LiveCheck mic={mic} microphone={microphone} returning={returning} onHeard={onHeard} onStart={onStart} />
      ) : (
        <div className="mic-ask">
          <p>
            {mic.status === "asking"
              ? "Your browser is asking whether this page may use the microphone. Please choose Allow."
              : "When you press the button, your browser will ask whether this page may use the microphone. Please choose Allow."}
          </p>
          <div className="actions">
            <button
              type="button"
              className="button primary large"
              disabled={mic.status === "asking"}
              onClick={() => void microphone.open(null)}
              data-testid="mic-open"
            >
              <Icon name="mic" />
              {mic.status === "asking" ? "Waiting for your answer…" : "Switch on the microphone"}
            </button>
          </div>
        </div>
      )}
    </StepCard>
  );
}

function MicFaultHelp({ fault, onRetry }: { fault: Extract<Mic, { status: "fault" }>["fault"]; onRetry: () => void }) {
  const help = micHelp(fault, unblockSteps(browserOf(navigator.userAgent)));
  const canRetry = fault !== "insecure" && fault !== "unsupported";
  return (
    <div className="note warning" role="alert" data-testid="mic-fault" data-fault={fault}>
      <Icon name="mic-off" />
      <div>
        <p className="note-title">{help.title}</p>
        <p>{help.meaning}</p>
        <ol>
          {help.steps.map((step) => (
            <li key={step}>{step}</li>
          ))}
        </ol>
        {canRetry && (
          <button type="button" className="button" onClick={onRetry} data-testid="mic-retry">
            Try again
          </button>
        )}
      </div>
    </div>
  );
}

/** A dead microphone shows itself within this time. */
const DEAD_AFTER_MS = 5_000;

function LiveCheck({
  mic,
  microphone,
  returning,
  onHeard,
  onStart,
}: Omit<Props, "mic" | "onDenied"> & { mic: Extract<Mic, { status: "live" }> }) {
  const { stream, devices, deviceId, vanished } = microphone;
  const loud = useRef(0);
  const dead = useDead(stream, true, DEAD_AFTER_MS);
  useMeter(mic.heard ? null : stream, (level) => {
    // Three tenths of a second of speech, not one click of a desk.
    loud.current = level > SPEECH_DBFS ? loud.current + 1 : Math.max(0, loud.current - 0.1);
    if (loud.current >= 3) onHeard();
  });
  return (
    <div className="mic-check">
      <DeviceSelect microphone={microphone} devices={devices} deviceId={deviceId} />
      <div className="field">
        <span className="label">Say a few words: “Hello, can you hear me?”</span>
        <Level stream={stream} />
        <p role="status" className={mic.heard ? "verdict good" : "verdict"} data-testid="mic-verdict">
          {vanished ? (
            "The microphone is gone. Plug it in again or choose another."
          ) : mic.heard ? (
            <>
              <Icon name="check" size={18} /> We can hear you
            </>
          ) : (
            "We have not heard you yet"
          )}
        </p>
      </div>
      {dead && !mic.heard && (
        <div className="note warning" role="alert" data-testid="mic-silent">
          <Icon name="mic-off" />
          <div>
            <p className="note-title">The microphone is on, but completely silent</p>
            <ul>
              {SILENT_HELP.map((step) => (
                <li key={step}>{step}</li>
              ))}
            </ul>
          </div>
        </div>
      )}
      <div className="field row">
        <button type="button" className="button" onClick={playTestSound} data-testid="test-sound">
          <Icon name="sound" /> Play a test sound
        </button>
        <span className="muted">No sound? Turn up the volume or connect your headset.</span>
      </div>
      <div className="actions">
        <button
          type="button"
          className="button primary large"
          onClick={onStart}
          disabled={vanished}
          data-testid="start-interview"
        >
          {returning ? "Continue the interview" : "Start the interview"}
        </button>
      </div>
      <p className="muted">
        Recording begins when you press the button. The interviewer speaks first, within a few seconds.
      </p>
    </div>
  );
}

export function DeviceSelect({
  microphone,
  devices,
  deviceId,
}: {
  microphone: Pick<Microphone, "open">;
  devices: Microphone["devices"];
  deviceId: string | null;
}) {
  return (
    <div className="field">
      <label className="label" htmlFor="device">
        Microphone
      </label>
      <select
        id="device"
        value={deviceId ?? ""}
        onChange={(event) => void microphone.open(event.target.value)}
        data-testid="mic-device"
      >
        {devices.map((device) => (
          <option key={device.id} value={device.id}>
            {device.label}
          </option>
        ))}
      </select>
    </div>
  );
}
