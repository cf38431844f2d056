/** What the test double answers with: a plausible study and its sessions. Nothing here is real. */

const PHASES = [
  { id: "warmup", title: "You and your work" },
  { id: "exploration", title: "The tools you use" },
  { id: "probing", title: "One decision in detail" },
  { id: "wrapup", title: "Looking back" },
];

const STUDY = {
  title: "How people choose tools for remote work",
  organisation: "Institute for Working Life",
  welcome:
    "Thank you for your interest in this study. We want to understand how people choose and use the tools that they work with when they are not in an office.\n\nThere are no right or wrong answers: we are interested in your own experience.",
  consent_text:
    "Taking part is voluntary. You can stop at any time without giving a reason. The conversation is recorded and transcribed. Recording and transcript are stored on servers of the institute for 12 months and then deleted. To hold the conversation, your voice is processed by the provider of the speech model, which does not keep it or train on it.\n\nQuotes may be published without your name or your employer’s name. You can withdraw your answers until four weeks after the interview.",
  contact: "study-office@working-life.example",
  language: "en",
  minutes_target: 18,
  phases: PHASES,
};

const BASE = {
  session_id: "01JD0A7K3W9VXQ2M4N6P8R0SFT",
  state: "invited",
  study: STUDY,
  consent: "pending",
  outcome: null,
  completion: null,
  returnable_until: null,
};

export const participations = {
  fresh: BASE,
  declining: BASE,
  consented: { ...BASE, consent: "given" },
  waiting: { ...BASE, consent: "given" },
  returning: { ...BASE, state: "paused", consent: "given", returnable_until: "2026-11-24T08:40:00Z" },
  ended: {
    ...BASE,
    state: "ended",
    consent: "given",
    outcome: "complete",
    completion: {
      message: "",
      code: "C1X7-9QLM",
      redirect_url: "https://panel.example/submissions/complete?cc=C1X79QLM",
    },
  },
  expired: {
    problem: [
      410,
      "expired_link",
      "This link has expired",
      "It was good until 20 November 2026, and nobody used it.",
      "If you still want to take part, ask the person who sent it for a new one.",
    ],
  },
};

export const studies = [
  {
    id: "remote-work-tools",
    version: 3,
    title: STUDY.title,
    sessions: 6,
    live: 1,
    completed: 3,
    created_at: "2026-11-20T09:12:00Z",
  },
  {
    id: "patient-portal",
    version: 1,
    title: "First weeks with a patient portal",
    sessions: 0,
    live: 0,
    completed: 0,
    created_at: "2026-11-22T14:00:00Z",
  },
];

const TOPICS = {
  warmup: [
    ["role", "To get us started, could you tell me a little about the work you do, and who you do it with?", true],
    ["day", "Walk me through yesterday. What did your working day look like?", false],
  ],
  exploration: [
    [
      "tools",
      "Which tools do you rely on most when you work away from the office, and how did you come to use them?",
      true,
    ],
    ["cost", "How do you think about what a tool costs?", true],
    ["switching", "When did you last change from one tool to another?", false],
  ],
  probing: [["decision", "Think of the last tool that you chose yourself. What happened, step by step?", true]],
  wrapup: [["missing", "Is there anything that I should have asked and did not?", true]],
};

export const studyDetails = {
  "remote-work-tools": {
    id: "remote-work-tools",
    version: 3,
    title: STUDY.title,
    organisation: STUDY.organisation,
    languages: ["en"],
    minutes: { min: 12, target: 18, max: 25 },
    phases: PHASES.map(({ id, title }) => ({
      id,
      title,
      objective: {
        warmup: "Put the participant at ease and learn their role and setting.",
        exploration: "Learn which tools matter, and how they came into use.",
        probing: "Reconstruct one real decision from trigger to outcome.",
        wrapup: "Collect what was left unsaid and close kindly.",
      }[id],
      topics: TOPICS[id].map(([topic, question, required]) => ({ id: topic, question, required })),
    })),
    warnings: [
      "phases.probing: one topic only; consider a second example so that a single anecdote does not carry the phase.",
    ],
    source:
      "id: remote-work-tools\ntitle: How people choose tools for remote work\norganisation: Institute for Working Life\nlanguages: [en]\nphases:\n  - id: warmup\n    title: You and your work\n",
  },
  "patient-portal": {
    id: "patient-portal",
    version: 1,
    title: "First weeks with a patient portal",
    organisation: "Institute for Working Life",
    languages: ["en", "de"],
    minutes: { min: 8, target: 12, max: 15 },
    phases: [],
    warnings: [],
    source: "id: patient-portal\n",
  },
};

const SESSION = {
  study_id: "remote-work-tools",
  study_title: STUDY.title,
  study_version: 3,
  phase: null,
  phase_title: null,
  length: "full",
  language: "en",
  external_id: null,
  outcome: null,
  started_at: null,
  ended_at: null,
  duration_ms: null,
  turns: 0,
  cost_micro_usd: 0,
  first_voice_ms: null,
  report: "none",
};

export function sessions() {
  const at = (time) => `2026-11-23T${time}Z`;
  return [
    {
      ...SESSION,
      id: "01JD0B2LIVE00000000000000A",
      state: "active",
      phase: "exploration",
      phase_title: "The tools you use",
      external_id: "P-0417",
      created_at: at("07:55:00"),
      started_at: at("08:10:12"),
      duration_ms: 402_000,
      turns: 14,
      cost_micro_usd: 214_350,
      first_voice_ms: 612,
    },
    {
      ...SESSION,
      id: "01JD0B2DONE00000000000000B",
      state: "ended",
      phase: "wrapup",
      phase_title: "Looking back",
      external_id: "P-0416",
      outcome: "complete",
      created_at: at("06:30:00"),
      started_at: at("07:02:40"),
      ended_at: at("07:04:10"),
      duration_ms: 90_000,
      turns: 9,
      cost_micro_usd: 118_204,
      first_voice_ms: 584,
      report: "ready",
    },
    {
      ...SESSION,
      id: "01JD0B2WORK00000000000000C",
      state: "ended",
      outcome: "complete",
      external_id: "P-0415",
      length: "rehearsal",
      created_at: at("06:30:00"),
      started_at: at("06:41:00"),
      ended_at: at("06:45:21"),
      duration_ms: 261_000,
      turns: 0,
      cost_micro_usd: 96_120,
      first_voice_ms: 701,
      report: "working",
    },
    {
      ...SESSION,
      id: "01JD0B2PAUS00000000000000D",
      state: "paused",
      phase: "warmup",
      phase_title: "You and your work",
      external_id: "P-0414",
      created_at: at("06:20:00"),
      started_at: at("08:09:00"),
      duration_ms: 61_000,
      turns: 4,
      cost_micro_usd: 20_310,
      first_voice_ms: 540,
    },
    {
      ...SESSION,
      id: "01JD0B2TECH00000000000000E",
      state: "ended",
      outcome: "technical",
      external_id: "P-0413",
      created_at: at("06:10:00"),
      started_at: at("06:15:00"),
      ended_at: at("06:16:00"),
      duration_ms: 60_000,
      turns: 0,
      cost_micro_usd: 9_870,
      report: "failed",
    },
    { ...SESSION, id: "01JD0B2INVI00000000000000F", state: "invited", created_at: at("06:00:00") },
  ];
}

export function sessionDetail(session) {
  const reached = session.outcome === "complete" ? 4 : session.state === "active" ? 2 : session.turns > 0 ? 1 : 0;
  const starts = [0, 22_000, 55_000, 76_000];
  return {
    ...session,
    phases: PHASES.slice(0, reached).map((phase, at) => ({ ...phase, entered_at_ms: starts[at] })),
    topics: PHASES.flatMap(({ id }, at) =>
      TOPICS[id].map(([topic, question]) => ({
        id: topic,
        question,
        phase: id,
        covered: at < reached && topic !== "switching",
      })),
    ),
    recording: session.state === "ended" && session.turns > 0 ? { duration_ms: 90_000, bytes: 612_400 } : null,
  };
}

const LINES = [
  [
    "interviewer",
    "warmup",
    600,
    6_100,
    "Hello, and thank you for joining. To get us started, could you tell me a little about the work you do, and who you do it with?",
    "",
  ],
  [
    "participant",
    "warmup",
    7_000,
    19_400,
    "Sure. I’m a product designer in a small start-up, we’re nine people spread over three countries, and I mostly work with two engineers and our founder.",
    "neutral",
    ["team setting", "role"],
    "we’re nine people spread over three countries",
  ],
  [
    "interviewer",
    "exploration",
    20_100,
    26_000,
    "Which tools do you rely on most when you work away from the office, and how did you come to use them?",
    "",
  ],
  [
    "participant",
    "exploration",
    27_200,
    39_900,
    "The shared whiteboard, honestly. It was the first thing that made me feel like I was in a room with people again, and nobody had to convince me to use it.",
    "positive",
    ["collaboration", "presence"],
    "the first thing that made me feel like I was in a room with people again",
  ],
  [
    "interviewer",
    "exploration",
    40_500,
    43_200,
    "I see. How do you think about what a tool costs? Do you, for example,",
    "compare plans before you try one?",
    "interrupted",
  ],
  [
    "participant",
    "exploration",
    43_000,
    53_800,
    "Oh, cost is what I hate. You fall in love with the free plan, and then in month three somebody sends you a quote that is more than my laptop.",
    "negative",
    ["cost", "lock-in"],
    "in month three somebody sends you a quote that is more than my laptop",
  ],
  [
    "interviewer",
    "probing",
    55_000,
    60_500,
    "Think of the last tool that you chose yourself. What happened, step by step?",
    "",
  ],
  [
    "participant",
    "probing",
    61_800,
    74_800,
    "We needed somewhere to keep decisions. I tried four things over a weekend, asked the engineers to break each, and we kept the one that was boring and fast. I miss nothing, but I would not call it love.",
    "mixed",
    ["trial", "decision process"],
    null,
  ],
  [
    "interviewer",
    "wrapup",
    76_000,
    88_900,
    "Thank you. That was all I wanted to ask. It was good to hear about the whiteboard and about your weekend of testing. Goodbye.",
    "",
  ],
];

/** Heard once more: the same, but for "a free plan". */
function secondText(text) {
  const from = text.indexOf("the free plan");
  const heard = from === -1 ? text : text.replace("the free plan", "a freeze plan");
  const spans = from === -1 ? [] : [{ from_char: from, to_char: from + "a freeze".length }];
  return { text: heard, model: "gpt-transcribe", words: text.split(" ").length, differing: spans.length * 2, spans };
}

export function turns(coded) {
  return LINES.map(([speaker, phase, start_ms, end_ms, text, extra, topics, quote], at) => ({
    turn: at + 1,
    speaker,
    phase,
    phase_title: PHASES.find(({ id }) => id === phase).title,
    start_ms,
    end_ms,
    text,
    unheard: speaker === "interviewer" && extra !== "" ? extra : "",
    ending: speaker === "interviewer" && extra !== "" ? "interrupted" : "complete",
    second: speaker === "participant" && coded ? secondText(text) : null,
    segments:
      speaker === "participant" && coded
        ? [
            {
              segment: at,
              text,
              sentiment: extra,
              score: { positive: 0.8, negative: -0.7, mixed: 0.1, neutral: 0 }[extra],
              topics,
              quote:
                quote === null
                  ? null
                  : { start_char: text.indexOf(quote), end_char: text.indexOf(quote) + quote.length, text: quote },
            },
          ]
        : [],
  }));
}

const none = { positive: 0, neutral: 0, mixed: 0, negative: 0, uncoded: 0 };

export const report = {
  generated_at: "2026-11-23T07:04:17Z",
  summary:
    "A product designer in a nine-person, distributed start-up values tools that restore a sense of presence. Cost surprises after the free plan are the main source of frustration. The last choice was made by a weekend of trials, with engineers trying to break each candidate; reliability won over delight.",
  sentiment: { positive: 1, neutral: 1, mixed: 1, negative: 1, uncoded: 0 },
  topics: [
    { topic: "collaboration", label: "Collaboration", segments: 2, sentiment: { ...none, positive: 1, mixed: 1 } },
    { topic: "cost", label: "Cost and plans", segments: 1, sentiment: { ...none, negative: 1 } },
    { topic: "decision-process", label: "How decisions are made", segments: 1, sentiment: { ...none, mixed: 1 } },
    { topic: "role", label: "Role and team", segments: 1, sentiment: { ...none, neutral: 1 } },
  ],
  quotes: LINES.flatMap(([, , start_ms, end_ms, , sentiment, topics, text], at) =>
    text ? [{ turn: at + 1, segment: at, text, start_ms, end_ms, topics, sentiment }] : [],
  ),
  coverage: PHASES.flatMap(({ id }) =>
    TOPICS[id].map(([topic, question, required]) => ({
      topic,
      question,
      phase: id,
      required,
      covered: topic !== "switching",
      answer: { cost: "refused", decision: "off_topic", day: "partial", switching: "not_asked" }[topic] ?? "answered",
      answered_at: ["role", "cost", "day"].includes(topic) ? { turn: 2, start_ms: 4_200, end_ms: 9_800 } : null,
    })),
  ),
  figures: {
    turns: 9,
    minutes: 1.5,
    phases_visited: 4,
    first_voice_ms: 584,
    response_latency_p50_ms: 730,
    response_latency_p95_ms: 1_310,
    cost_micro_usd: 118_204,
  },
  method: { model: "sim-chat", prompt_version: "1", schema_version: "1" },
};

export const costs = {
  total_micro_usd: 118_204,
  components: [
    { component: "text_in", quantity: 4_210, unit: "tokens", cost_micro_usd: 16_840 },
    { component: "text_cached", quantity: 18_400, unit: "tokens", cost_micro_usd: 7_360 },
    { component: "audio_in", quantity: 780, unit: "tokens", cost_micro_usd: 24_960 },
    { component: "audio_cached", quantity: 2_300, unit: "tokens", cost_micro_usd: 920 },
    { component: "text_out", quantity: 340, unit: "tokens", cost_micro_usd: 5_440 },
    { component: "audio_out", quantity: 912, unit: "tokens", cost_micro_usd: 58_368 },
    { component: "transcription_ms", quantity: 48_000, unit: "ms", cost_micro_usd: 3_600 },
    { component: "enrichment_in", quantity: 1_620, unit: "tokens", cost_micro_usd: 405 },
    { component: "enrichment_out", quantity: 155, unit: "tokens", cost_micro_usd: 311 },
  ],
};

export const journal = [
  ["consent_given", {}],
  ["peer_up", { peer: 1 }],
  ["link_up", { link: 1, vendor_id: "sess_sim_001" }],
  ["phase_entered", { phase: "warmup", cause: "start", timeline_ms: 0 }],
  ["measured", { measure: "first_voice", ms: 584 }],
  ["turn", { turn: 1, speaker: "interviewer", start_ms: 600, end_ms: 6_100, ending: "complete", text: LINES[0][4] }],
  ["turn", { turn: 2, speaker: "participant", start_ms: 7_000, end_ms: 19_400, ending: "complete", text: LINES[1][4] }],
  ["measured", { measure: "response_latency", ms: 730 }],
  ["charged", { charges: [{ component: "audio_in", quantity: 780, cost_micro_usd: 24_960 }] }],
  ["topic_covered", { topic: "role", phase: "warmup", timeline_ms: 20_000 }],
  ["move_refused", { to: "wrapup", reason: "required topics are not yet covered: tools, cost" }],
  ["phase_entered", { phase: "exploration", cause: "model", timeline_ms: 22_000 }],
  ["peer_lost", { peer: 1 }],
  ["paused", { timeline_ms: 41_000 }],
  ["peer_up", { peer: 2 }],
  ["resumed", { timeline_ms: 42_500 }],
  ["closing", { outcome: "complete", timeline_ms: 88_900 }],
  ["ended", { outcome: "complete", timeline_ms: 90_000 }],
].map(([kind, body], at) => ({
  seq: at + 1,
  at: new Date(Date.UTC(2026, 10, 23, 7, 2, 40) + at * 5_000).toISOString(),
  kind,
  body,
}));

/** Peaks in which each side is loud where its turns are. */
export const waveform = (() => {
  const ms_per_peak = 100;
  const peaks = (speaker) =>
    Array.from({ length: 900 }, (_, at) => {
      const ms = at * ms_per_peak;
      const speaks = LINES.some(([who, , start, end]) => who === speaker && ms >= start && ms < end);
      return speaks ? Math.round(70 + 120 * Math.abs(Math.sin(at * 0.9) * Math.cos(at * 0.23))) : 2;
    });
  return { ms_per_peak, duration_ms: 90_000, participant: peaks("participant"), interviewer: peaks("interviewer") };
})();

/** 90 s of quiet stereo tones as WAV: something that a browser plays and seeks. */
export function recording() {
  const rate = 8_000;
  const frames = rate * 90;
  const out = Buffer.alloc(44 + frames * 4);
  out.write("RIFF", 0);
  out.writeUInt32LE(36 + frames * 4, 4);
  out.write("WAVEfmt ", 8);
  out.writeUInt32LE(16, 16);
  out.writeUInt16LE(1, 20);
  out.writeUInt16LE(2, 22);
  out.writeUInt32LE(rate, 24);
  out.writeUInt32LE(rate * 4, 28);
  out.writeUInt16LE(4, 32);
  out.writeUInt16LE(16, 34);
  out.write("data", 36);
  out.writeUInt32LE(frames * 4, 40);
  for (let at = 0; at < frames; at++) {
    out.writeInt16LE(Math.round(2_000 * Math.sin((at * 2 * Math.PI * 220) / rate)), 44 + at * 4);
    out.writeInt16LE(Math.round(2_000 * Math.sin((at * 2 * Math.PI * 330) / rate)), 46 + at * 4);
  }
  return out;
}

/** What waits after interviews. */
export const lanes = [
  { lane: "recording", ready: 2, leased: 1, dead: 0, oldest_at: "2026-11-22T10:58:55.250Z" },
  { lane: "transcript", ready: 0, leased: 0, dead: 0, oldest_at: null },
  { lane: "enrichment", ready: 1240, leased: 50, dead: 2, oldest_at: "2026-11-22T10:52:10.000Z" },
  { lane: "analysis", ready: 0, leased: 1, dead: 0, oldest_at: "2026-11-22T11:01:00.000Z" },
];

/** What was given up. */
export const deadLetters = [
  {
    id: 812,
    lane: "enrichment",
    kind: "code",
    session_id: "01JD0B2DONE00000000000000B",
    key: "8001",
    state: "dead",
    attempts: 1,
    round: 4,
    last_error: "not answered, 4 times",
    created_at: "2026-11-22T10:52:10.000Z",
    ended_at: "2026-11-22T10:53:41.000Z",
  },
  {
    id: 790,
    lane: "enrichment",
    kind: "code",
    session_id: "01JD0B2DONE00000000000000B",
    key: "4001",
    state: "dead",
    attempts: 5,
    round: 1,
    last_error: "retryable: the endpoint failed or did not answer in time",
    created_at: "2026-11-22T10:52:10.000Z",
    ended_at: "2026-11-22T10:57:02.000Z",
  },
];

/** What interviews say together. */
const places = (n) =>
  ["01JD0B2DONE00000000000000A", "01JD0B2DONE00000000000000B", "01JD0B2DONE00000000000000C"]
    .slice(0, n)
    .map((session_id) => ({ session_id, participant: `P-${session_id.slice(-6)}`, turn: 4 }));

export const themes = {
  counted: 4,
  truncated: false,
  themes: [
    {
      topic: "focus",
      label: "Focus and interruptions",
      participants: 3,
      of: 4,
      segments: 9,
      feelings: { negative: 1, neutral: 0, positive: 2, mixed: 0 },
      against: [{ session_id: "01JD0B2DONE00000000000000B", participant: "P-00000B", turn: 4 }],
      phases: [
        {
          key: "warmup",
          label: "Getting started",
          participants: 1,
          of: 4,
          feelings: { negative: 0, neutral: 0, positive: 1, mixed: 0 },
          places: places(1),
        },
        {
          key: "exploration",
          label: "Your tools",
          participants: 3,
          of: 4,
          feelings: { negative: 1, neutral: 0, positive: 2, mixed: 0 },
          places: places(3),
        },
      ],
      waves: [
        {
          key: "1",
          label: "Version 1",
          participants: 1,
          of: 2,
          feelings: { negative: 0, neutral: 0, positive: 1, mixed: 0 },
          places: places(1),
        },
        {
          key: "2",
          label: "Version 2",
          participants: 2,
          of: 2,
          feelings: { negative: 0, neutral: 0, positive: 2, mixed: 0 },
          places: places(2),
        },
      ],
    },
    {
      topic: "cost",
      label: "Cost",
      participants: 1,
      of: 4,
      segments: 1,
      feelings: { negative: 0, neutral: 1, positive: 0, mixed: 0 },
      against: [],
      phases: [
        {
          key: "warmup",
          label: "Getting started",
          participants: 1,
          of: 4,
          feelings: { negative: 0, neutral: 1, positive: 0, mixed: 0 },
          places: places(1),
        },
      ],
      waves: [
        {
          key: "1",
          label: "Version 1",
          participants: 1,
          of: 2,
          feelings: { negative: 0, neutral: 1, positive: 0, mixed: 0 },
          places: places(1),
        },
      ],
    },
  ],
};

export const grid = {
  topics: [
    { topic: "focus", label: "Focus and interruptions" },
    { topic: "cost", label: "Cost" },
  ],
  rows: [
    {
      session_id: "01JD0B2DONE00000000000000B",
      participant: "P-00000B",
      outcome: "complete",
      cells: [
        {
          topic: "focus",
          sentiment: "negative",
          segments: 4,
          quotes: [{ text: "I lose an hour every time it rings", turn: 4, start_ms: 41_000, end_ms: 47_000 }],
        },
      ],
    },
    {
      session_id: "01JD0B2WORK00000000000000C",
      participant: "P-00000C",
      outcome: "partial",
      cells: [
        {
          topic: "cost",
          sentiment: "neutral",
          segments: 1,
          quotes: [{ text: "", turn: 6, start_ms: 61_000, end_ms: 63_000 }],
        },
      ],
    },
  ],
  next_before: null,
};

export const hits = {
  hits: [
    {
      session_id: "01JD0B2DONE00000000000000B",
      participant: "P-00000B",
      turn: 4,
      phase: "warmup",
      start_ms: 41_000,
      end_ms: 47_000,
      text: "I work in a café 🙂 most days.",
      from_char: 12,
      to_char: 16,
    },
  ],
  next_before: "01JD0B2DONE0000000000AB00C",
};

export * as operations from "./operations.mjs";
