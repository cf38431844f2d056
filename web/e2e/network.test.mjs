/** A real browser whose network goes away in the middle of an interview, and a return in another browser. */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch } from "../tests/double/browser.mjs";
import { invite, start } from "./colloquy.mjs";
import { freePort, relay } from "./relay.mjs";

const SHOTS = process.env.COLLOQUY_SHOTS ?? join(tmpdir(), "colloquy-journey");
const MICROPHONE = fileURLToPath(new URL("./microphone.js", import.meta.url));

let colloquy;
let browser;
let way;

before(async () => {
  mkdirSync(SHOTS, { recursive: true });
  const port = await freePort();
  colloquy = await start({ udp: `127.0.0.1:${port}` });
  way = await relay(port);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  way?.close();
  await colloquy?.stop();
});

test("a network that is gone for twenty seconds costs no connection and no pause", async () => {
  const { page, id } = await interview(browser);
  const { back, heard } = await without(page, 20_000, "network-gone-20");
  process.stdout.write(`20 s without a network: connected again after ${back} ms, heard again after ${heard} ms\n`);
  const kinds = await kindsAtTheEnd(page, id);
  assert.equal(count(kinds, "peer_up"), 1, `one connection in ${kinds.join(", ")}`);
  assert.equal(count(kinds, "paused"), 0, `no pause in ${kinds.join(", ")}`);
  assert.ok(count(kinds, "network_gap") >= 1, `a mark of the gap in ${kinds.join(", ")}`);
});

test("a network that is gone for a minute costs a pause, and the interview goes on by itself", async () => {
  const { page, id } = await interview(browser);
  const { back, heard } = await without(page, 60_000, "network-gone-60");
  process.stdout.write(`60 s without a network: connected again after ${back} ms, heard again after ${heard} ms\n`);
  const kinds = await kindsAtTheEnd(page, id);
  assert.equal(count(kinds, "peer_up"), 2, `a second connection in ${kinds.join(", ")}`);
  assert.equal(count(kinds, "paused"), 1, `one pause in ${kinds.join(", ")}`);
  assert.equal(count(kinds, "resumed"), 1, `one return in ${kinds.join(", ")}`);
  const metrics = await (await fetch(`${colloquy.url}/metrics`, authorised())).text();
  assert.match(metrics, /colloquy_resumes_total\{way="grant"\} 1/, "it came back with its grant");
});

test("the link opens the same interview in a browser that knows nothing of it", async () => {
  const { page, id, link } = await interview(browser);
  // Closed without a word: no page, no goodbye.
  await way.network(page, false);
  await page.close();
  await browser.context.setOffline(false);
  await way.network({ context: () => browser.context }, true);
  const other = await launch();
  try {
    const fresh = await other.context.newPage();
    await prepare(fresh);
    await fresh.goto(link);
    await fresh.getByRole("heading", { name: "Welcome back" }).waitFor();
    assert.equal(await fresh.getByTestId("consent-accept").count(), 0, "consent was given before");
    await shoot(fresh, "fresh-profile");
    await fresh.getByTestId("mic-open").click();
    await fresh.getByTestId("start-interview").click();
    await hears(fresh, 0);
    const kinds = await kindsAtTheEnd(fresh, id);
    assert.equal(count(kinds, "consent_given"), 1, `one consent in ${kinds.join(", ")}`);
    assert.equal(count(kinds, "resumed"), 1, `one return in ${kinds.join(", ")}`);
  } finally {
    await other.close();
  }
});

/** An interview in which the interviewer was heard. */
async function interview({ context }) {
  const { id, link } = await invite(colloquy, "first-job", { length: "rehearsal" });
  const page = await context.newPage();
  await prepare(page);
  await page.goto(link);
  await page.getByTestId("consent-accept").click();
  await page.getByTestId("mic-open").click();
  await page.getByTestId("start-interview").click();
  await hears(page, 0);
  await page.locator('[data-testid="caption"][data-final="true"]').first().waitFor({ timeout: 30_000 });
  return { page, id, link };
}

async function prepare(page) {
  await page.addInitScript({ path: MICROPHONE });
  await way.guide(page);
}

/** Takes the network away for so long. How soon the page was connected and the interviewer heard again, in ms. */
async function without(page, spanMs, shot) {
  await way.network(page, false);
  await page.locator('[data-testid="step-interview"][data-link="reconnecting"]').waitFor({ timeout: 20_000 });
  await shoot(page, shot);
  const gone = Date.now();
  // What happens is the passing of this time.
  await page.waitForFunction((until) => Date.now() >= until, gone + spanMs - 5_000, { timeout: spanMs + 10_000 });
  await way.network(page, true);
  const there = Date.now();
  await page.locator('[data-testid="step-interview"][data-link="live"]').waitFor({ timeout: 30_000 });
  const back = Date.now() - there;
  await hears(page, await page.evaluate(() => window.__ears.heardMs));
  return { back, heard: Date.now() - there };
}

/** Waits until more of the interviewer than that was heard. Silence is broken by the interviewer after half a minute. */
function hears(page, beforeMs) {
  return page.waitForFunction((ms) => window.__ears.heardMs > ms + 300, beforeMs, { timeout: 60_000, polling: 50 });
}

/** Ends the interview on the page. The kinds of its journal. */
async function kindsAtTheEnd(page, id) {
  await page.getByTestId("end").click();
  await page.getByTestId("end-confirm").click();
  await page.getByTestId("step-thanks").waitFor({ timeout: 30_000 });
  await page.close();
  const { entries } = await (await colloquy.api(`/sessions/${id}/journal`)).json();
  return entries.map(({ kind }) => kind);
}

function count(kinds, kind) {
  return kinds.filter((known) => known === kind).length;
}

function authorised() {
  return { headers: { Authorization: `Bearer ${colloquy.token}` } };
}

async function shoot(page, name) {
  await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}
