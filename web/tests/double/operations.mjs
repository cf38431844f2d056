/** What the operations page is answered with: a quiet afternoon, and one on which the provider is slow. */

const AT = Date.UTC(2026, 10, 29, 14, 0, 0);
const STEPS = 240;

const ago = (seconds) => new Date(AT - seconds * 1000).toISOString();

/** An hour around `base`; from minute `from` on it rises to `to`. The same in every run. */
function hour(base, swing, { from = 60, to = base, decimals = 0, gap = [0, 0], phase = 0 } = {}) {
  return Array.from({ length: STEPS }, (_, at) => {
    const minute = at / 4;
    if (minute >= gap[0] && minute < gap[1]) return null;
    const wave = Math.sin(at / 19 + phase) * 0.6 + Math.sin(at * 1.7 + phase) * 0.25 + Math.sin(at * 0.61) * 0.15;
    const level = minute < from ? base : base + ((to - base) * (minute - from)) / (60 - from);
    const value = Math.max(0, level + swing * wave);
    return Number((at === STEPS - 1 ? to : value).toFixed(decimals));
  });
}

const LIMITS = {
  sessions: { unit: "sessions", target: 300, alert: 400 },
  first_voice: { unit: "ms", target: 2_000, alert: 3_000 },
  provider_latency: { unit: "ms", target: 500, alert: 800 },
  heard_latency: { unit: "ms", target: 500, alert: 800 },
  provider_errors: { unit: "share", target: 0.005, alert: 0.02 },
  queue: { unit: "segments", target: 100, alert: 500 },
  cost: { unit: "ratio", target: 1, alert: 1.5 },
};

/** A number's value is the last of its hour, and its state what the limits make of that. */
function board({ rows, ...rest }) {
  const at = ago(0);
  const series = Object.entries(rows).map(([id, { points }]) => ({ id, points }));
  const numbers = Object.entries(rows).map(([id, { points, median = null, note = null }]) => {
    const value = points.at(-1) ?? null;
    const { target, alert } = LIMITS[id];
    const state = value === null ? "none" : value > alert ? "alert" : value > target ? "watch" : "good";
    return { id, value, median, note, state, ...LIMITS[id] };
  });
  return { at, numbers, history: { step_s: 15, until: at, series }, ...rest };
}

export const healthy = board({
  capacity: { sessions_max: 400, live: 12, waiting: 0, state: "open", cpu_share: 0.12, tick_lag_ms: 1.2 },
  rows: {
    sessions: { points: hour(12, 4) },
    first_voice: { points: hour(612, 130, { phase: 1, gap: [21, 26] }), median: 540 },
    provider_latency: { points: hour(388, 60, { phase: 2 }), median: 290 },
    heard_latency: { points: hour(431, 60, { phase: 2.2 }), median: 344 },
    provider_errors: { points: hour(0.003, 0.0015, { decimals: 5, phase: 3 }) },
    queue: { points: hour(31, 24, { phase: 4 }) },
    // Nothing has ended in the last half hour.
    cost: { points: hour(0.84, 0.06, { decimals: 3, gap: [31, 60] }) },
  },
  alerts: [],
  trouble: [],
  trouble_total: 0,
});

const TOOLS = { study_id: "remote-work-tools", study_title: "How people choose tools for remote work" };
const PORTAL = { study_id: "patient-portal", study_title: "First weeks with a patient portal" };

const RUNBOOKS = "https://colloquy.example/docs/operating.md#alert-";

export const trouble = board({
  capacity: { sessions_max: 400, live: 391, waiting: 7, state: "busy", cpu_share: 0.71, tick_lag_ms: 14.6 },
  rows: {
    sessions: { points: hour(240, 12, { from: 20, to: 391 }) },
    first_voice: { points: hour(1_130, 180, { phase: 1, from: 40, to: 2_410 }), median: 1_180 },
    provider_latency: { points: hour(402, 60, { phase: 2, from: 44, to: 1_010 }), median: 610 },
    heard_latency: { points: hour(455, 60, { phase: 2.2, from: 44, to: 1_240 }), median: 702 },
    provider_errors: {
      points: hour(0.003, 0.0015, { decimals: 5, phase: 3, from: 47, to: 0.034 }),
      note: "openai: timeouts",
    },
    queue: { points: hour(84, 40, { phase: 4, gap: [30, 33] }), note: "oldest 12 s" },
    cost: { points: hour(1.08, 0.08, { decimals: 3 }), note: "$0.12 per session" },
  },
  alerts: [
    {
      name: "ProviderErrors",
      severity: "ticket",
      since: ago(310),
      summary: "More than 2 % of the provider’s answers fail",
      runbook: `${RUNBOOKS}providererrors`,
    },
    {
      name: "HeardResponseSlow",
      severity: "page",
      since: ago(742),
      summary: "Heard latency is above 0.8 s for the slowest 5 %",
      runbook: `${RUNBOOKS}heardresponseslow`,
    },
  ],
  trouble: [
    ["01JD0B2PAUS00000000000000D", TOOLS, "paused", "paused", 95, "The provider’s connection was lost twice"],
    ["01JD0B2TRBL00000000000001A", TOOLS, "active", "provider", 41, "openai: no answer to the last turn"],
    ["01JD0B2TRBL00000000000001B", PORTAL, "active", "silent", 38, "No sound from the participant for 38 s"],
    ["01JD0B2LIVE00000000000000A", TOOLS, "active", "slow", 180, "Slowest of the last answers: 2.10 s"],
    ["01JD0B2TRBL00000000000001C", PORTAL, "closing", "over_budget", 610, "$0.61 of $0.50"],
    ["01JD0B2TRBL00000000000001D", PORTAL, "waiting", "old", 4_500, ""],
  ].map(([session_id, study, state, wrong, seconds, detail]) => ({
    session_id,
    ...study,
    participant: `P-${session_id.slice(-6)}`,
    state,
    trouble: wrong,
    since: ago(seconds),
    detail,
  })),
  trouble_total: 63,
});
