/** Whether all is well now, and if not, where: alerts, the numbers with their hour, sessions in trouble. */

import { useEffect } from "react";
import { count, duration, quantity, timeOfDay } from "../../shared/format";
import "../../styles/operations.css";
import { useConsole } from "../context";
import { Gauge } from "../Gauge";
import { standing } from "../labels";
import {
  ageMs,
  capacityState,
  milliseconds,
  percent,
  severity,
  troubleLabel,
  urgentFirst,
  type Capacity,
  type Operations,
  type OperationsAlert,
  type TroubledSession,
} from "../operations";
import { Badge, Empty, Figure, PageHead, Shown } from "../parts";
import { Link, paths } from "../router";
import { usePolled } from "../usePolled";

const REFRESH_MS = 5_000;

export function OperationsPage() {
  const { api } = useConsole();
  const now = usePolled((signal) => api.operations(signal), REFRESH_MS);
  useEffect(() => {
    document.title = "Operations · Colloquy";
  }, []);
  const stale = now.status === "failed" && now.data !== null ? { at: now.data.at, why: now.problem.title } : null;
  return (
    <>
      <PageHead title="Operations">
        {now.status === "ready" && (
          <p className="muted small" data-testid="as-of">
            As of {timeOfDay(now.data.at)}
          </p>
        )}
      </PageHead>
      <p role="status" className={stale === null ? "visually-hidden" : "stale"} data-testid="stale">
        {stale !== null && `Could not be refreshed since ${timeOfDay(stale.at)}. ${stale.why}.`}
      </p>
      {/* With the data of the last success, a failure is one line and not the page. */}
      {now.data === null ? <Shown of={now}>{() => null}</Shown> : <Board of={now.data} />}
    </>
  );
}

function Board({ of }: { of: Operations }) {
  const series = new Map(of.history.series.map(({ id, points }) => [id, points]));
  return (
    <>
      <Alerts alerts={of.alerts} at={of.at} />
      <CapacityFigures capacity={of.capacity} trouble={of.trouble_total} />
      <section aria-labelledby="numbers">
        <div className="section-head">
          <h2 id="numbers">Numbers</h2>
        </div>
        <ul className="gauges" data-testid="numbers">
          {of.numbers.map((number) => (
            <Gauge key={number.id} number={number} points={series.get(number.id) ?? []} step_s={of.history.step_s} />
          ))}
        </ul>
      </section>
      <section aria-labelledby="trouble">
        <div className="section-head">
          <h2 id="trouble">Sessions in trouble</h2>
        </div>
        {of.trouble.length === 0 ? (
          <Empty title="No session is in trouble">
            Sessions that are interrupted, silent, slow, over their budget or open for too long are listed here.
          </Empty>
        ) : (
          <TroubleTable sessions={of.trouble} at={of.at} />
        )}
        {of.trouble_total > of.trouble.length && (
          <p className="muted small more" data-testid="more-trouble">
            And {quantity(of.trouble_total - of.trouble.length)} more. The worst are shown.
          </p>
        )}
      </section>
    </>
  );
}

function Alerts({ alerts, at }: { alerts: OperationsAlert[]; at: string }) {
  return (
    <section aria-label="Alerts" className="firing">
      {/* Said again only when the number changes: what grows with time is outside. */}
      <p role="status" className={alerts.length === 0 ? "muted" : "note-title"} data-testid="alerts">
        {alerts.length === 0 ? "No alert is firing." : `${count(alerts.length, "alert")} firing`}
      </p>
      {alerts.length > 0 && (
        <ul>
          {urgentFirst(alerts).map((alert) => (
            <Alert key={`${alert.name}:${alert.since}`} alert={alert} at={at} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Alert({ alert, at }: { alert: OperationsAlert; at: string }) {
  const { label, tone } = severity(alert.severity);
  return (
    <li className={`note ${tone}`} data-testid="alert" data-severity={alert.severity}>
      <div>
        <p className="note-title">{alert.summary}</p>
        <p className="alert-facts small">
          <Badge tone={tone}>{label}</Badge>
          <span>
            for {duration(ageMs(alert.since, at))}, since {timeOfDay(alert.since)}
          </span>
          <code>{alert.name}</code>
        </p>
      </div>
      <a
        className="button small"
        href={alert.runbook}
        target="_blank"
        rel="noreferrer"
        aria-label={`Runbook: ${alert.name}`}
      >
        Runbook
      </a>
    </li>
  );
}

function CapacityFigures({ capacity, trouble }: { capacity: Capacity; trouble: number }) {
  const { live, waiting, sessions_max, cpu_share, tick_lag_ms } = capacity;
  const { label, tone } = capacityState(capacity.state);
  const places = `${quantity(live)} of ${quantity(sessions_max)} live`;
  return (
    <section aria-label="Capacity">
      <dl className="figures capacity" data-testid="capacity">
        <div className="figure places">
          <dt>
            Places <Badge tone={tone}>{label}</Badge>
          </dt>
          <dd>
            {places}, {quantity(waiting)} waiting
            <meter
              className={tone}
              min={0}
              max={Math.max(1, sessions_max)}
              value={live}
              aria-label={`Places: ${places}`}
            />
          </dd>
        </div>
        <Figure label="CPU" value={cpu_share == null ? "–" : percent(cpu_share)} hint="of all cores" />
        <Figure label="Tick lag" value={tick_lag_ms == null ? "–" : milliseconds(tick_lag_ms)} />
        <Figure
          label="In trouble"
          value={trouble === 0 ? "None" : <a href="#trouble">{count(trouble, "session")}</a>}
        />
      </dl>
    </section>
  );
}

function TroubleTable({ sessions, at }: { sessions: TroubledSession[]; at: string }) {
  return (
    <div className="table-frame card">
      <table className="rows" data-testid="trouble">
        <thead>
          <tr>
            <th scope="col">Session</th>
            <th scope="col">What is wrong</th>
            <th scope="col">For</th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          {sessions.map((session) => {
            const wrong = troubleLabel(session.trouble);
            const state = standing({ state: session.state, outcome: null });
            return (
              <tr key={session.session_id} data-testid="troubled" data-trouble={session.trouble}>
                <th scope="row">
                  <Link to={paths.session(session.session_id)}>{session.participant}</Link>
                  <span className="muted small">{session.study_title}</span>
                </th>
                <td data-label="What is wrong" className="wrong">
                  <Badge tone={wrong.tone}>{wrong.label}</Badge>
                  {session.detail !== "" && <p className="muted small">{session.detail}</p>}
                </td>
                <td data-label="For">
                  {duration(ageMs(session.since, at))}
                  <p className="muted small">since {timeOfDay(session.since)}</p>
                </td>
                <td data-label="State">
                  <Badge tone={state.tone}>{state.label}</Badge>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
