/** One number as a card: what it is now, how good that is, and its last hour. */

import {
  extent,
  hourText,
  limitText,
  numberName,
  numberState,
  SPARK,
  spark,
  stepsOfHour,
  valueText,
  type OperationsNumber,
} from "./operations";
import { Badge } from "./parts";

interface GaugeProps {
  number: OperationsNumber;
  points: (number | null)[];
  step_s: number;
}

export function Gauge({ number, points, step_s }: GaugeProps) {
  const { id, unit, value, median, note, target, alert } = number;
  const { label, tone } = numberState(number.state);
  const bounds = extent(points);
  return (
    <li className={`card gauge ${tone}`} data-testid={`number-${id}`} data-state={number.state}>
      <div className="gauge-head">
        <h3>{numberName(id)}</h3>
        <Badge tone={tone}>{label}</Badge>
      </div>
      <p className="gauge-value">{value == null ? "–" : valueText(unit, value)}</p>
      {median != null && <p className="muted small">95th percentile; median {valueText(unit, median)}</p>}
      {note != null && note !== "" && <p className="muted small">{note}</p>}
      <div className="gauge-hour">
        <Sparkline number={number} points={points} step_s={step_s} />
        <p className="muted small">
          {bounds === null
            ? "Nothing was measured in the last hour"
            : `Last hour: ${limitText(unit, bounds.lowest)} to ${limitText(unit, bounds.highest)}`}
        </p>
        <p className="muted small gauge-limits">
          <span className="target">Target up to {limitText(unit, target)}</span>
          <span className="alert">Alert above {limitText(unit, alert)}</span>
        </p>
      </div>
    </li>
  );
}

function Sparkline({ number, points, step_s }: GaugeProps) {
  const line = spark(points, number, stepsOfHour(step_s));
  return (
    <svg
      className="spark"
      viewBox={`0 0 ${SPARK.width} ${SPARK.height}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={hourText(number, points)}
      data-testid="spark"
    >
      <path className="alert" d={`M0 ${line.alert}H${SPARK.width}`} />
      <path className="target" d={`M0 ${line.target}H${SPARK.width}`} />
      <path className="measured" d={line.path} />
    </svg>
  );
}
