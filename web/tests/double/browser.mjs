/** Starts Debian's Chromium for tests, with a fake microphone and without traffic of its own. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Host candidates as addresses: there is no mDNS responder in a container.
  "--disable-features=WebRtcHideLocalIpsWithMdns",
  "--autoplay-policy=no-user-gesture-required",
];

/**
 * A browser whose microphone plays `wav` (or Chromium's beep). `allow` answers the permission question.
 * @param {{ wav?: string | undefined, allow?: boolean }} options
 */
export async function launch({ wav, allow = true } = {}) {
  const profile = mkdtempSync(join(tmpdir(), "colloquy-browser-"));
  const args = [...QUIET, "--use-fake-device-for-media-stream"];
  if (allow) args.push("--use-fake-ui-for-media-stream");
  if (wav !== undefined) args.push(`--use-file-for-fake-audio-capture=${wav}`);
  const executablePath = process.env.COLLOQUY_CHROMIUM ?? "/usr/bin/chromium";
  const context = await chromium.launchPersistentContext(profile, { executablePath, headless: true, args });
  return {
    context,
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
