/** Copies a text and says so. */

import { useState } from "react";
import { Icon } from "./icons";

export function CopyButton({ text, label, testId }: { text: string; label: string; testId?: string }) {
  const [result, setResult] = useState<"none" | "copied" | "failed">("none");
  const copy = () => {
    // Without a secure context there is no clipboard: the text stays selectable beside the button.
    const clipboard = navigator.clipboard as Clipboard | undefined;
    if (clipboard === undefined) {
      setResult("failed");
      return;
    }
    clipboard.writeText(text).then(
      () => setResult("copied"),
      () => setResult("failed"),
    );
  };
  return (
    <button type="button" className="button" onClick={copy} data-testid={testId}>
      <Icon name={result === "copied" ? "check" : "copy"} size={18} />
      <span aria-live="polite">
        {result === "none" ? label : result === "copied" ? "Copied" : "Select the text and copy it"}
      </span>
    </button>
  );
}
