/** What is photographed: a path, and what to do until the moment of the picture. */

import { operations } from "./double/fixtures.mjs";

const by = (page, id) => page.getByTestId(id);

async function toInterview(page) {
  await by(page, "mic-open").click();
  await by(page, "start-interview").click();
  await page.waitForFunction(() => window.__double.channel?.readyState === "open");
}

/** In line, with these places one after the other; one alone is kept long enough for a picture. */
async function inLine(page, double, ...places) {
  double.line(places.length > 1 ? places : Array(30).fill(places[0]));
  await by(page, "mic-open").click();
  await by(page, "start-interview").click();
  await by(page, "step-line").waitFor();
  await page.waitForFunction((number) => document.title.startsWith(`(${number}) `), places[0]);
}

const talk = (page) =>
  page.evaluate(() => {
    const { say } = window.__double;
    say({ type: "state", state: "active" });
    say({ type: "phase", id: "exploration", title: "The tools you use", index: 1, count: 4 });
    say({ type: "time", elapsed_s: 300, left_s: 740 });
    const lines = [
      [
        "interviewer",
        "Which tools do you rely on most when you work away from the office, and how did you come to use them?",
      ],
      [
        "participant",
        "The shared whiteboard, honestly. It was the first thing that made me feel like I was in a room with people again.",
      ],
      ["interviewer", "What was it about the whiteboard that gave you that feeling?"],
    ];
    lines.forEach(([speaker, text], at) => say({ type: "caption", turn: at + 1, speaker, text, final: true }));
    say({ type: "caption", turn: 4, speaker: "participant", text: "I think it is that you see", final: false });
    say({ type: "speaking", speaker: "participant", speaking: true });
  });

const scene = (name, path, play, extra = {}) => ({ name, path, play, ...extra });

export const SCENES = [
  scene("welcome", "/i#fresh", async (page) => {
    await by(page, "consent-accept").waitFor();
  }),
  scene("decline", "/i#declining", async (page) => {
    await page.getByTestId("consent-decline").or(page.getByTestId("step-declined")).first().waitFor();
    if (await by(page, "consent-decline").isVisible()) {
      await by(page, "consent-decline").click();
      await by(page, "decline-confirm").click();
    }
    await by(page, "step-declined").waitFor();
  }),
  scene("microphone-ask", "/i#consented", (page) => by(page, "mic-open").waitFor()),
  scene("microphone-live", "/i#returning", async (page) => {
    await by(page, "mic-open").click();
    await page.getByText("We can hear you").waitFor();
  }),
  scene(
    "microphone-denied",
    "/i#consented",
    async (page) => {
      await by(page, "mic-open").or(by(page, "mic-fault")).first().waitFor();
      if (await by(page, "mic-open").isVisible()) await by(page, "mic-open").click();
      await by(page, "mic-fault").waitFor();
    },
    { microphone: false },
  ),
  scene(
    "interview",
    "/i#consented",
    async (page) => {
      await toInterview(page);
      await talk(page);
      await page.getByText("I think it is that").waitFor();
    },
    { full: false },
  ),
  scene(
    "interview-trouble",
    "/i#consented",
    async (page) => {
      await toInterview(page);
      await talk(page);
      await page.evaluate(() => {
        window.__double.say({ type: "speaking", speaker: "participant", speaking: false });
        window.__double.say({
          type: "trouble",
          code: "provider_trouble",
          text: "The interviewer has lost its voice for a moment. Your answers are saved; please wait a few seconds.",
        });
      });
      await by(page, "trouble").waitFor();
      await by(page, "mute").click();
    },
    { full: false },
  ),
  scene(
    "interview-reconnecting",
    "/i#consented",
    async (page) => {
      await toInterview(page);
      await talk(page);
      await page.getByText("I think it is that").waitFor();
      await page.evaluate(() => {
        window.__double.refuse = () => Promise.reject(new TypeError("offline"));
        window.__double.drop();
      });
      await page.getByText("Connection lost").first().waitFor({ timeout: 15_000 });
    },
    { full: false },
  ),
  scene(
    "interview-end",
    "/i#consented",
    async (page) => {
      await toInterview(page);
      await talk(page);
      await by(page, "end").click();
      await by(page, "end-confirm").waitFor();
    },
    { full: false },
  ),
  scene("thanks", "/i#consented", async (page) => {
    await toInterview(page);
    await page.evaluate(() =>
      window.__double.say({
        type: "ended",
        outcome: "complete",
        completion: {
          message: "Please paste this code in your panel.",
          code: "C1X7-9QLM",
          redirect_url: "https://panel.example/complete?cc=C1X79QLM",
        },
      }),
    );
    await by(page, "completion-code").waitFor();
  }),
  scene("used", "/i#ended", (page) => by(page, "step-thanks").waitFor()),
  scene("full", "/i#consented", async (page) => {
    await page.evaluate(() => {
      const problem = {
        type: "/problems/full",
        title: "No place is free right now",
        detail: "Too many interviews run at this moment.",
        remedy: "Try again in a few minutes; your link stays valid.",
      };
      window.__double.refuse = () =>
        new Response(JSON.stringify(problem), { status: 503, headers: { "Content-Type": "application/problem+json" } });
    });
    await by(page, "mic-open").click();
    await by(page, "start-interview").click();
    await by(page, "step-away").waitFor();
  }),
  scene("line", "/i#waiting", (page, double) => inLine(page, double, 12)),
  scene("line-next", "/i#waiting", (page, double) => inLine(page, double, 1)),
  scene("line-lost", "/i#waiting", async (page, double) => {
    await inLine(page, double, 3);
    await page.evaluate(() => {
      window.__double.refuse = () => Promise.reject(new TypeError("offline"));
    });
    await by(page, "line-lost").waitFor();
  }),
  scene("line-left", "/i#waiting", async (page, double) => {
    await inLine(page, double, 3);
    await by(page, "leave-line").click();
    await page.waitForFunction(() => document.title === "You have left the line");
  }),
  scene(
    "line-let-in",
    "/i#waiting",
    async (page, double) => {
      await inLine(page, double, 3, 2, 1);
      await page.waitForFunction(() => document.title.startsWith("(2) "));
      await page.waitForFunction(() => document.title.startsWith("(1) "));
      await page.waitForFunction(() => window.__double.channel?.readyState === "open");
      await page.waitForFunction(() => document.title === "Interview");
      await talk(page);
      await page.getByText("I think it is that").waitFor();
    },
    { full: false },
  ),
  scene("unknown", "/i#tampered", (page) => by(page, "step-problem").waitFor()),
  scene("expired", "/i#expired", (page) => by(page, "step-problem").waitFor()),
];

const CONSOLE = "#token=console-token";

SCENES.push(
  scene("console-sign-in", "/console", (page) => by(page, "sign-in").waitFor()),
  scene("console-studies", `/console${CONSOLE}`, async (page) => {
    await by(page, "studies").waitFor();
    await page.getByText("Up to date").waitFor();
  }),
  scene("console-study", `/console/studies/remote-work-tools${CONSOLE}`, async (page) => {
    await page.getByLabel("How many").fill("3");
    await by(page, "create-links").click();
    await by(page, "made-links").waitFor();
  }),
  scene("console-sessions", `/console/sessions${CONSOLE}`, async (page, double) => {
    await by(page, "sessions").waitFor();
    await page.getByText("Up to date").waitFor();
    double.change("01JD0B2LIVE00000000000000A", { turns: 15, phase_title: "One decision in detail" });
    await page.getByText("One decision in detail").waitFor();
    double.change("01JD0B2LIVE00000000000000A", { turns: 14, phase_title: "The tools you use" });
  }),
  scene("console-session", `/console/sessions/01JD0B2DONE00000000000000B${CONSOLE}`, async (page) => {
    await by(page, "quotes").waitFor();
    await by(page, "waveform").waitFor();
    await by(page, "turn-play").nth(5).click();
    await page.waitForFunction(() => document.querySelector('[data-testid="player"]').dataset.playing === "true");
    await by(page, "play").click();
  }),
  scene("console-costs", `/console/sessions/01JD0B2DONE00000000000000B${CONSOLE}`, async (page) => {
    await by(page, "tab-costs").click();
    await by(page, "costs").waitFor();
  }),
  scene("console-journal", `/console/sessions/01JD0B2DONE00000000000000B${CONSOLE}`, async (page) => {
    await by(page, "tab-journal").click();
    await by(page, "journal").waitFor();
  }),
  scene("console-live", `/console/sessions/01JD0B2LIVE00000000000000A${CONSOLE}`, (page) =>
    by(page, "transcript").waitFor(),
  ),
  scene("console-working", `/console/sessions/01JD0B2WORK00000000000000C${CONSOLE}`, (page) =>
    by(page, "report-pending").waitFor(),
  ),
  scene("console-themes", `/console/studies/remote-work-tools/results${CONSOLE}`, (page) =>
    by(page, "theme").first().waitFor(),
  ),
  scene("console-grid", `/console/studies/remote-work-tools/results${CONSOLE}`, async (page) => {
    await by(page, "tab-grid").click();
    await by(page, "grid").waitFor();
  }),
  scene("console-work", `/console/work${CONSOLE}`, (page) => by(page, "dead-letter").first().waitFor()),
  scene("console-operations", `/console/operations${CONSOLE}`, (page) => by(page, "numbers").waitFor()),
  scene("console-operations-trouble", `/console/operations${CONSOLE}`, async (page, double) => {
    double.operate(operations.trouble);
    await page.reload();
    await by(page, "alert").first().waitFor();
    double.operate(operations.healthy);
  }),
  scene("console-operations-stale", `/console/operations${CONSOLE}`, async (page, double) => {
    await by(page, "numbers").waitFor();
    double.operate(null);
    await page.getByText("Could not be refreshed").waitFor();
    double.operate(operations.healthy);
  }),
  scene("console-unauthorised", "/console#token=wrong", (page) => by(page, "problem").waitFor()),
  scene("console-unknown", `/console/sessions/nothing${CONSOLE}`, (page) => by(page, "problem").waitFor()),
);
