/** The journal as a timeline: what was committed, in order. What is not here did not happen. */

import { useState } from "react";
import type { JournalEntry } from "../api/types";
import { timeOfDay } from "../shared/format";
import { Icon } from "../shared/icons";
import { journalLine } from "./labels";
import { Empty } from "./parts";

export function JournalPanel({ entries }: { entries: JournalEntry[] }) {
  const [all, setAll] = useState(false);
  if (entries.length === 0) return <Empty title="Nothing happened yet">The journal begins with consent.</Empty>;
  const lines = entries.map((entry) => ({ entry, line: journalLine(entry) }));
  const shown = all ? lines : lines.filter(({ line }) => !line.routine);
  return (
    <div className="journal">
      <label className="check">
        <input type="checkbox" checked={all} onChange={(event) => setAll(event.target.checked)} />
        Also turns, charges and measurements ({lines.length - lines.filter(({ line }) => !line.routine).length})
      </label>
      <ol data-testid="journal">
        {shown.map(({ entry, line }) => (
          <li key={entry.seq} className={line.tone} data-kind={entry.kind}>
            <time dateTime={entry.at}>{timeOfDay(entry.at)}</time>
            <span className="dot">
              <Icon name={line.icon} size={14} />
            </span>
            <div>
              <strong>{line.title}</strong> <span className="muted">{line.detail}</span>
            </div>
            <span className="seq muted">#{entry.seq}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}
