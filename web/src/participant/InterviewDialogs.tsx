/** The two questions that the interview page asks: really end, and which microphone. */

import { useState } from "react";
import { Dialog } from "../shared/Dialog";
import type { Interview } from "./interview";
import { Level } from "./Level";
import { DeviceSelect } from "./steps/Microphone";
import type { Microphone } from "./useMicrophone";

interface EndProps {
  open: boolean;
  section: Interview["section"];
  onClose: () => void;
  onEnd: () => void;
}

export function EndDialog({ open, section, onClose, onEnd }: EndProps) {
  return (
    <Dialog open={open} title="End the interview?" onClose={onClose} testId="end-dialog">
      <p>
        {section === null || section.index + 1 >= section.count
          ? "What you have said is saved."
          : `You are in section ${section.index + 1} of ${section.count}. What you have said is saved; the remaining questions are not asked.`}{" "}
        After ending you cannot go on with this link.
      </p>
      <p className="muted">Only need a break? Mute yourself, or close this page and open your link again later.</p>
      <div className="actions end">
        <button type="button" className="button" onClick={onClose} data-testid="end-cancel">
          Go on
        </button>
        <button type="button" className="button danger" onClick={onEnd} data-testid="end-confirm">
          End the interview
        </button>
      </div>
    </Dialog>
  );
}

interface MicrophoneProps {
  open: boolean;
  microphone: Microphone;
  onChoose: (deviceId: string) => Promise<boolean>;
  onClose: () => void;
}

export function MicrophoneDialog({ open, microphone, onChoose, onClose }: MicrophoneProps) {
  const [failed, setFailed] = useState(false);
  const choose = async (deviceId: string | null) => {
    setFailed(!(await onChoose(deviceId ?? "")));
    return null;
  };
  return (
    <Dialog open={open} title="Microphone" onClose={onClose} testId="microphone-dialog">
      <DeviceSelect
        microphone={{ open: choose }}
        devices={microphone.devices}
        deviceId={microphone.vanished ? null : microphone.deviceId}
      />
      <Level stream={microphone.stream} />
      {failed && (
        <p role="alert" className="verdict bad">
          That microphone did not start. Choose another one.
        </p>
      )}
      <div className="actions end">
        <button type="button" className="button primary" onClick={onClose}>
          Done
        </button>
      </div>
    </Dialog>
  );
}
