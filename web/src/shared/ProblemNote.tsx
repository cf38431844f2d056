/** A problem as people read it: what happened, what it means, what to do. */

import type { ReactNode } from "react";
import type { Problem } from "../api/problem";
import { Icon } from "./icons";

export function ProblemNote({ problem, children }: { problem: Problem; children?: ReactNode }) {
  return (
    <div className="note danger" role="alert" data-testid="problem" data-code={problem.code}>
      <Icon name="alert" />
      <div>
        <p className="note-title">{problem.title}</p>
        <p>{problem.detail}</p>
        {problem.remedy !== "" && <p>{problem.remedy}</p>}
        {problem.mistakes.length > 0 && (
          <ul className="mistakes">
            {problem.mistakes.map((mistake) => (
              <li key={`${mistake.line}:${mistake.column}:${mistake.field}:${mistake.message}`}>
                <code>
                  {mistake.line}:{mistake.column} {mistake.field}
                </code>{" "}
                {mistake.message} <em>{mistake.remedy}</em>
              </li>
            ))}
          </ul>
        )}
        {children}
      </div>
    </div>
  );
}
