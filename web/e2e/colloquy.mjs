/** Starts the real thing for a test: provider simulator and server, on free ports, with a folder of their own. */

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const BINARY = process.env.COLLOQUY_BIN ?? join(ROOT, "target/debug/colloquy");
const TOKEN = "journey-console-token";
const START_DEADLINE_MS = 30_000;

/**
 * `udp` is where its media is. `restart` kills the server without a word (SIGKILL) and starts the next one at the
 * same address after `meanwhile`.
 * @returns {Promise<{ url: string, token: string, api: typeof fetch, restart: (meanwhile?: () => Promise<void>) => Promise<void>, stop: () => Promise<void>, log: () => string }>}
 */
export async function start({ udp = "127.0.0.1:0" } = {}) {
  const data = mkdtempSync(join(tmpdir(), "colloquy-e2e-"));
  const simulator = run(["sim", "--listen", "127.0.0.1:0"], {});
  const provider = await simulator.says(/OPENAI_BASE_URL=(\S+)/);
  const variables = {
    COLLOQUY__HTTP__ADDR: "127.0.0.1:0",
    COLLOQUY__HTTP__CONSOLE_TOKEN: TOKEN,
    COLLOQUY__MEDIA__UDP_ADDR: udp,
    COLLOQUY__MEDIA__TCP_ADDR: "127.0.0.1:0",
    COLLOQUY__STORE__DATABASE: join(data, "colloquy.db"),
    COLLOQUY__STORE__RECORDINGS: join(data, "recordings"),
    COLLOQUY__PROVIDER__OPENAI_BASE_URL: provider,
    COLLOQUY__PROVIDER__OPENAI_API_KEY: "journey",
  };
  let server = run(["serve"], variables);
  const log = () => `--- simulator\n${simulator.output()}\n--- server\n${server.output()}`;
  const stop = async () => {
    await server.stop();
    await simulator.stop();
    rmSync(data, { recursive: true, force: true });
  };
  let url;
  try {
    url = await server.says(/serves at (\S+)/);
    await ready(url, server);
  } catch (error) {
    await stop();
    throw new Error(`the server did not start: ${String(error)}\n${log()}`, { cause: error });
  }
  const api = (path, init = {}) =>
    fetch(`${url}/api/v1${path}`, { ...init, headers: { Authorization: `Bearer ${TOKEN}`, ...init.headers } });
  const restart = async (meanwhile = async () => undefined) => {
    await server.kill();
    await meanwhile();
    server = run(["serve"], { ...variables, COLLOQUY__HTTP__ADDR: new URL(url).host });
    await server.says(/serves at (\S+)/);
    await ready(url, server);
  };
  return { url, token: TOKEN, api, restart, stop, log };
}

/** Stores a study of the repository and makes one link for it. */
export async function invite({ api }, study, body) {
  const source = readFileSync(join(ROOT, "studies", `${study}.yaml`), "utf8");
  const put = await api("/studies", { method: "POST", headers: { "Content-Type": "text/yaml" }, body: source });
  if (put.status !== 201) throw new Error(`the study was refused: ${await put.text()}`);
  const made = await api(`/studies/${study}/sessions`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (made.status !== 201) throw new Error(`no link was made: ${await made.text()}`);
  return (await made.json()).sessions[0];
}

/** The clips of one persona: what it says to which question, and the words of both. */
export function corpus(persona) {
  const folder = join(ROOT, "crates/sim/voices");
  const clips = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
  const questions = new Map(clips.filter((clip) => clip.role === "interviewer").map((clip) => [clip.id, clip.text]));
  const answers = clips
    .filter((clip) => clip.persona === persona)
    .map((clip) => ({
      id: clip.id,
      text: clip.text,
      question: questions.get(clip.answers) ?? "",
      phase: clip.phase,
      durationMs: clip.duration_ms,
      base64: () => readFileSync(join(folder, clip.file)).toString("base64"),
    }));
  return answers;
}

function run(args, variables) {
  const child = spawn(BINARY, args, { env: { ...process.env, ...variables }, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  const waiting = new Set();
  const exited = new Promise((resolve) => child.once("exit", resolve));
  const add = (piece) => {
    text += piece;
    for (const check of waiting) check();
  };
  child.stdout.setEncoding("utf8").on("data", add);
  child.stderr.setEncoding("utf8").on("data", add);
  child.once("error", (error) => add(`${BINARY}: ${error.message}\n`));
  return {
    output: () => text,
    exited,
    says(pattern) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`${args[0]} never said ${pattern}:\n${text}`)),
          START_DEADLINE_MS,
        );
        const check = () => {
          const found = pattern.exec(text);
          if (found === null) return;
          clearTimeout(timer);
          waiting.delete(check);
          resolve(found[1]);
        };
        waiting.add(check);
        check();
      });
    },
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 25_000);
      await exited;
      clearTimeout(timer);
    },
  };
}

async function ready(url, server) {
  const until = Date.now() + START_DEADLINE_MS;
  let gone = false;
  void server.exited.then(() => {
    gone = true;
  });
  while (Date.now() < until && !gone) {
    const response = await fetch(`${url}/readyz`).catch(() => null);
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(gone ? "it exited" : "it was not ready in time");
}
