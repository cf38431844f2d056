/** The stream of changed sessions, kept open: read with fetch, reopened with backoff, watched for silence. */

import { ApiError } from "../api/problem";
import { SseParser } from "../api/sse";
import type { SessionSummary } from "../api/types";

export type LiveState = "connecting" | "live" | "broken";

export interface LiveListener {
  onSession?: (session: SessionSummary) => void;
  /** The stream is open again after a gap: what was missed must be asked for. */
  onReopened?: () => void;
  onState?: (state: LiveState) => void;
}

/** The server says something at least every 15 s; three missed ones are a dead line. */
const SILENCE_MS = 45_000;
const LONGEST_WAIT_MS = 15_000;

export class LiveFeed {
  readonly #open: (signal: AbortSignal) => Promise<Response>;
  readonly #listeners = new Set<LiveListener>();
  #over: AbortController | null = null;
  #state: LiveState = "connecting";

  constructor(open: (signal: AbortSignal) => Promise<Response>) {
    this.#open = open;
  }

  get state(): LiveState {
    return this.#state;
  }

  listen(listener: LiveListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Opens the stream and keeps it open until the returned function is called. */
  start(): () => void {
    const over = new AbortController();
    this.#over = over;
    void this.#run(over.signal);
    return () => over.abort();
  }

  async #run(over: AbortSignal): Promise<void> {
    let failures = 0;
    let opened = false;
    while (!over.aborted) {
      try {
        await this.#read(over, () => {
          failures = 0;
          this.#tell("live");
          if (opened) for (const listener of this.#listeners) listener.onReopened?.();
          opened = true;
        });
      } catch (error) {
        // A wrong token does not become right by asking again; the pages say so themselves.
        if (error instanceof ApiError && error.problem.status === 401) {
          this.#tell("broken");
          return;
        }
      }
      if (isAborted(over)) return;
      this.#tell("broken");
      await pause(Math.min(LONGEST_WAIT_MS, 500 * 2 ** failures), over);
      failures += 1;
    }
  }

  async #read(over: AbortSignal, onOpen: () => void): Promise<void> {
    const silence = new AbortController();
    let watchdog = window.setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const response = await this.#open(AbortSignal.any([over, silence.signal]));
      if (response.body === null) return;
      onOpen();
      const parser = new SseParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        window.clearTimeout(watchdog);
        watchdog = window.setTimeout(() => silence.abort(), SILENCE_MS);
        for (const event of parser.push(value)) if (event.event === "session") this.#session(event.data);
      }
    } finally {
      window.clearTimeout(watchdog);
    }
  }

  #session(data: string): void {
    let session: SessionSummary;
    try {
      session = JSON.parse(data) as SessionSummary;
    } catch {
      return;
    }
    for (const listener of this.#listeners) listener.onSession?.(session);
  }

  #tell(state: LiveState): void {
    if (this.#over?.signal.aborted === true) return;
    this.#state = state;
    for (const listener of this.#listeners) listener.onState?.(state);
  }
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

function pause(ms: number, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = window.setTimeout(resolve, ms);
    over.addEventListener(
      "abort",
      () => {
        window.clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
