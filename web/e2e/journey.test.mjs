/**
 * The whole way in a real browser against the real server: from a participant's link to the thank-you page, and on to
 * the console, where the participant's own words must stand. Build the pages and the binary first.
 */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch } from "../tests/double/browser.mjs";
import { corpus, invite, start } from "./colloquy.mjs";

const SHOTS = process.env.COLLOQUY_SHOTS ?? join(tmpdir(), "colloquy-journey");
const MICROPHONE = fileURLToPath(new URL("./microphone.js", import.meta.url));
const INTERVIEW_DEADLINE_MS = 8 * 60_000;
/** Waits end here. How long things really took is printed; goals are measured by `make bench`, not on a shared machine. */
const REPORT_DEADLINE_MS = 60_000;

let colloquy;
let browser;

before(async () => {
  mkdirSync(SHOTS, { recursive: true });
  colloquy = await start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await colloquy?.stop();
});

test("a participant goes from the link to the thank-you page, and the console knows every word", async () => {
  const { id, link } = await invite(colloquy, "remote-work-tools", {
    length: "rehearsal",
    external_id: "journey-1",
  });
  const page = await browser.context.newPage();
  const faults = watch(page);
  await page.setViewportSize({ width: 1280, height: 860 });
  await page.addInitScript({ path: MICROPHONE });
  try {
    const said = await takePart(page, link);
    assert.deepEqual(faults, [], "nothing went wrong on the page");
    await atTheConsole(page, id, said);
    assert.deepEqual(faults, [], "nothing went wrong in the console");
  } catch (error) {
    // What a person would look at first.
    await shoot(page, "FAILED");
    process.stdout.write(`${colloquy.log()}\non the page: ${JSON.stringify(faults)}\n${SHOTS}/FAILED.png\n`);
    throw error;
  }
});

test("a link that is used, unknown or tampered with is told so", async () => {
  const { link } = await invite(colloquy, "first-job", { length: "rehearsal" });
  const page = await browser.context.newPage();
  await page.goto(`${link}x`);
  await page.getByTestId("step-problem").waitFor();
  await shoot(page, "unknown-link");
  await page.goto("about:blank");
  await page.goto(link);
  await page.getByTestId("consent-decline").click();
  await page.getByTestId("decline-confirm").click();
  await page.getByTestId("step-declined").waitFor();
  await shoot(page, "declined");
  await page.reload();
  await page.getByTestId("step-declined").waitFor();
  await page.close();
});

test("who reloads in the middle comes back to the same interview, and can end it", async () => {
  const { id, link } = await invite(colloquy, "first-job", { length: "rehearsal" });
  const page = await browser.context.newPage();
  const at = (testId) => page.getByTestId(testId);
  const faults = watch(page);
  // The page asks whether one really wants to leave.
  page.on("dialog", (dialog) => void dialog.accept());
  await page.addInitScript({ path: MICROPHONE });
  await page.goto(link);
  await at("consent-accept").click();
  await at("mic-open").click();
  await at("start-interview").click();
  await heard(page);

  await page.reload();
  await page.getByRole("heading", { name: "Welcome back" }).waitFor();
  await shoot(page, "welcome-back");
  await at("mic-open").click();
  await at("start-interview").click();
  await heard(page);
  await at("caption").first().waitFor();

  await at("end").click();
  await at("end-confirm").click();
  await at("step-thanks").waitFor({ timeout: 30_000 });
  assert.equal(await at("outcome").getAttribute("data-outcome"), "partial");
  const { entries } = await (await colloquy.api(`/sessions/${id}/journal`)).json();
  const kinds = entries.map(({ kind }) => kind);
  assert.equal(kinds.filter((kind) => kind === "peer_up").length, 2, `two connections in ${kinds.join(", ")}`);
  assert.ok(kinds.includes("resumed"), `a return in ${kinds.join(", ")}`);
  assert.deepEqual(faults, []);
  await page.close();
});

test("an interview goes on by itself when the server is killed in the middle of it", async () => {
  const { id, link } = await invite(colloquy, "first-job", { length: "rehearsal" });
  const page = await browser.context.newPage();
  const at = (testId) => page.getByTestId(testId);
  const errors = watch(page);
  await page.addInitScript({ path: MICROPHONE });
  await page.goto(link);
  await at("consent-accept").click();
  await at("mic-open").click();
  await at("start-interview").click();
  await heard(page);
  await page.locator('[data-testid="caption"][data-final="true"]').first().waitFor({ timeout: 30_000 });

  // Once the next server answers, the sign is gone sooner than it can be looked for.
  await colloquy.restart(async () => {
    await page.locator('[data-testid="step-interview"][data-link="reconnecting"]').waitFor({ timeout: 30_000 });
    await shoot(page, "server-killed");
  });
  const up = Date.now();
  const before = await page.evaluate(() => window.__ears.heardMs);
  await page.locator('[data-testid="step-interview"][data-link="live"]').waitFor({ timeout: 60_000 });
  await page.waitForFunction((ms) => window.__ears.heardMs > ms + 300, before, { timeout: 60_000, polling: 50 });
  process.stdout.write(`the interviewer was heard again ${Date.now() - up} ms after the server was back\n`);

  await at("end").click();
  await at("end-confirm").click();
  await at("step-thanks").waitFor({ timeout: 30_000 });
  const { entries } = await (await colloquy.api(`/sessions/${id}/journal`)).json();
  const kinds = entries.map(({ kind }) => kind);
  for (const kind of ["paused", "resumed", "ended", "consent_given"]) {
    assert.equal(kinds.filter((known) => known === kind).length, 1, `${kind} once in ${kinds.join(", ")}`);
  }
  const thrown = errors.filter((error) => error.startsWith("error:"));
  assert.deepEqual(thrown, [], "the page only could not reach the server for a while");
  await page.close();
});

test("of two tabs the newer has the interview and the older says so", async () => {
  const { link } = await invite(colloquy, "first-job", { length: "rehearsal" });
  const join = async () => {
    const page = await browser.context.newPage();
    await page.addInitScript({ path: MICROPHONE });
    await page.goto(link);
    return page;
  };
  const older = await join();
  await older.getByTestId("consent-accept").click();
  await older.getByTestId("mic-open").click();
  await older.getByTestId("start-interview").click();
  await heard(older);
  const newer = await join();
  await newer.getByTestId("mic-open").click();
  await newer.getByTestId("start-interview").click();
  await older.getByTestId("step-elsewhere").waitFor({ timeout: 30_000 });
  await shoot(older, "elsewhere");
  await heard(newer);
  await newer.getByTestId("end").click();
  await newer.getByTestId("end-confirm").click();
  await newer.getByTestId("step-thanks").waitFor({ timeout: 30_000 });
  await older.close();
  await newer.close();
});

/** The interviewer's voice comes out of the page. */
function heard(page) {
  return page.waitForFunction(() => window.__ears.heardMs > 300, null, { timeout: 15_000, polling: 50 });
}

/** Link, consent, microphone, interview, thanks. Returns what was said. */
async function takePart(page, link) {
  const at = (testId) => page.getByTestId(testId);
  await page.goto(link);
  await at("step-welcome").waitFor();
  await shoot(page, "welcome");
  await at("consent-accept").click();
  await at("mic-open").click();
  await at("start-interview").waitFor();
  const answers = corpus("maya");
  await say(
    page,
    answers.find((answer) => answer.id === "a-maya-warmup-ready-1"),
  );
  await page.getByText("We can hear you").waitFor();
  await shoot(page, "microphone");

  const began = Date.now();
  await at("start-interview").click();
  await page.waitForFunction(() => window.__ears.heardMs > 0, null, { timeout: 10_000, polling: 50 });
  const firstVoiceMs = Date.now() - began;

  const said = await converse(page, answers);
  await at("step-thanks").waitFor({ timeout: 30_000 });
  await shoot(page, "thanks");
  assert.equal(await at("outcome").getAttribute("data-outcome"), "complete");
  assert.equal(await at("completion-code").textContent(), "RWT-2026");
  const ears = await page.evaluate(() => window.__ears);
  process.stdout.write(
    `first voice heard ${firstVoiceMs} ms after the start; interviewer heard for ${ears.heardMs} ms, ` +
      `loudest ${ears.loudest.toFixed(3)}; ${said.length} answers given\n`,
  );
  assert.ok(ears.heardMs > 10_000, `the interviewer was heard for ${ears.heardMs} ms only`);
  assert.ok(ears.loudest > 0.02, `the interviewer was as quiet as ${ears.loudest}`);
  return said;
}

/** Answers each question with the persona's clip for it, when it is the participant's turn, until the thanks. */
async function converse(page, answers) {
  const said = [];
  const until = Date.now() + INTERVIEW_DEADLINE_MS;
  let photographed = false;
  while (Date.now() < until) {
    const question = await nextQuestion(page, until);
    if (question === null) break;
    const unused = answers.filter((answer) => !said.includes(answer));
    const answer =
      unused.find(({ question: asked }) => asked !== "" && normal(question.text).includes(normal(asked))) ??
      unused.find(({ phase }) => phase === "probing") ??
      unused[0];
    assert.ok(answer !== undefined, `there is an answer to “${question.text}”`);
    await say(page, answer);
    said.push(answer);
    if (!photographed && said.length === 2) {
      await page.locator('[data-testid="caption"][data-speaker="participant"]').first().waitFor({ timeout: 15_000 });
      await shoot(page, "interview");
      await page.setViewportSize({ width: 320, height: 640 });
      await shoot(page, "interview-320");
      await page.setViewportSize({ width: 1280, height: 860 });
      photographed = true;
    }
  }
  assert.ok(photographed, "captions of both sides appeared");
  return said;
}

/** Waits until the interviewer has asked something new and is silent; null when the interview is over. */
async function nextQuestion(page, until) {
  const handle = await page.waitForFunction(
    () => {
      if (document.querySelector('[data-testid="step-thanks"]') !== null) return { over: true };
      const stage = document.querySelector('[data-testid="step-interview"]');
      if (stage === null) return { over: true };
      if (stage.dataset.activity === "closing") {
        return null;
      }
      const all = [...document.querySelectorAll('[data-testid="caption"]')];
      const last = all.at(-1);
      const own = '[data-speaker="interviewer"][data-final="true"]';
      const isQuestion = last?.matches(own) === true && stage.dataset.activity === "listening";
      const key = `${all.length}:${last?.textContent ?? ""}`;
      const now = performance.now();
      if (!isQuestion || window.__answered === key) {
        window.__silentSince = undefined;
        return null;
      }
      // A person, too, waits a moment; and a tool call may still bring the real question.
      window.__silentSince ??= now;
      if (now - window.__silentSince < 700) return null;
      window.__silentSince = undefined;
      window.__answered = key;
      return { over: false, text: last.querySelector(".spoken").textContent };
    },
    null,
    { timeout: Math.max(1, Math.min(60_000, until - Date.now())), polling: 100 },
  );
  const { over, text } = await handle.jsonValue();
  return over ? null : { text };
}

/** The report is there in time, the transcript has the clips' words, a click plays the turn. */
async function atTheConsole(page, id, said) {
  const ended = Date.now();
  const at = (testId) => page.getByTestId(testId);
  await page.goto(`${colloquy.url}/console#token=${colloquy.token}`);
  await at("studies").waitFor();
  await shoot(page, "console-studies");
  assert.ok(!page.url().includes(colloquy.token), "the token left the address bar");
  await at("nav-sessions").click();
  const row = page.locator(`[data-session="${id}"]`);
  await row.getByText("Complete").waitFor();
  await shoot(page, "console-sessions");
  await row.getByTestId("session-link").click();
  await at("summary").waitFor({ timeout: REPORT_DEADLINE_MS });
  process.stdout.write(`report shown ${Date.now() - ended} ms after the thank-you page\n`);
  await at("player").waitFor();
  const summary = (await at("summary").textContent()).trim();
  assert.ok(summary.length > 40, `the summary says something, not “${summary}”`);

  const heard = await page.locator('[data-testid="turn"][data-speaker="participant"] .spoken').allTextContents();
  const transcript = normal(heard.join(" "));
  for (const { text } of said) assert.ok(transcript.includes(normal(text)), `the console shows “${text}”`);

  await at("turn-play").nth(2).click();
  await page.waitForFunction(() => document.querySelector('[data-testid="player"]').dataset.playing === "true");
  await page.waitForFunction(() => document.querySelector('[aria-current="true"][data-testid="turn"]') !== null);
  await shoot(page, "console-session");
  await at("tab-costs").click();
  assert.match(await at("cost-total").textContent(), /^\$\d+\.\d{4}$/);
  await shoot(page, "console-costs");
  await at("tab-journal").click();
  await page.locator('[data-kind="phase_entered"]').first().waitFor();
  await shoot(page, "console-journal");
  await page.setViewportSize({ width: 320, height: 640 });
  await at("tab-interview").click();
  await shoot(page, "console-session-320");
}

/** Everything that a page should never say. */
function watch(page) {
  const faults = [];
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(colloquy.url) && !/^(blob|data):/.test(request.url())) {
      faults.push(`request to a third party: ${request.url()}`);
    }
  });
  return faults;
}

function say(page, answer) {
  return page.evaluate((base64) => window.__say(base64), answer.base64());
}

async function shoot(page, name) {
  await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}

/** Words only: a transcript may differ in case and punctuation. */
function normal(text) {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}
