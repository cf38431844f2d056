/** Screenshots of every page at 320 and 1280 px, light and dark, against the test double: `npm run shots [folder]`. */

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { launch } from "./double/browser.mjs";
import { serve } from "./double/server.mjs";
import { SCENES } from "./scenes.mjs";

const folder = process.argv[2] ?? "/tmp/colloquy-shots";
const only = process.argv[3];
mkdirSync(folder, { recursive: true });

const require = createRequire(import.meta.url);
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const PEER = fileURLToPath(new URL("./double/peer.js", import.meta.url));
const SIZES = [
  { name: "320", width: 320, height: 640, scheme: "light" },
  { name: "1280", width: 1280, height: 860, scheme: "light" },
  { name: "1280-dark", width: 1280, height: 860, scheme: "dark" },
];

const double = await serve();
let faults = 0;
for (const allow of [true, false]) {
  const scenes = SCENES.filter((scene) => (scene.microphone ?? true) === allow && (!only || scene.name.includes(only)));
  if (scenes.length === 0) continue;
  const { context, close } = await launch({ allow });
  await context.addInitScript({ path: PEER });
  for (const scene of scenes) {
    for (const size of SIZES) faults += await shoot(context, scene, size);
  }
  await close();
}
await double.close();
process.stdout.write(`${folder}: ${faults} faults\n`);
process.exitCode = faults === 0 ? 0 : 1;

async function shoot(context, scene, size) {
  const page = await context.newPage();
  const found = [];
  page.on("pageerror", (error) => found.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // A refused request is told on the console too; the double refuses on purpose.
    if (message.type() === "error" && !message.text().includes("status of")) found.push(`console: ${message.text()}`);
  });
  await page.setViewportSize(size);
  await page.emulateMedia({ colorScheme: size.scheme });
  try {
    await page.goto(`${double.url}${scene.path}`);
    await scene.play(page, double);
    await page.waitForTimeout(200);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (overflow > 0) found.push(`wider than the window by ${overflow} px`);
    await page.evaluate(() => window.scrollTo(0, 0));
    await page.screenshot({ path: `${folder}/${scene.name}-${size.name}.png`, fullPage: scene.full ?? true });
    // Through the debugger, which the page's policy does not bind.
    await page.evaluate(AXE);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document));
    for (const violation of violations) {
      found.push(`axe ${violation.id}: ${violation.nodes.map((node) => node.target.join(" ")).join(", ")}`);
    }
  } catch (error) {
    found.push(String(error));
    await page.screenshot({ path: `${folder}/${scene.name}-${size.name}-FAILED.png` });
  }
  for (const fault of found) process.stdout.write(`${scene.name} ${size.name}: ${fault}\n`);
  await page.close({ runBeforeUnload: false });
  return found.length;
}
