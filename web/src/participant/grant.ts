/**
 * The grant with which this tab comes back: good once, and each answer to an offer brings the next. It outlives a reload
 * in `sessionStorage`; where a browser refuses that, the link alone is the way back.
 */

const PREFIX = "colloquy-grant:";

export class Grant {
  readonly #key: string;
  #value: string | null;

  /** `secret`: of the link, because one tab may open several. */
  constructor(secret: string) {
    this.#key = PREFIX + secret;
    this.#value = quietly(() => window.sessionStorage.getItem(this.#key)) ?? null;
  }

  get value(): string | null {
    return this.#value;
  }

  /** Takes the next one; `null` forgets. */
  replace(value: string | null): void {
    this.#value = value;
    quietly(() => {
      if (value === null) window.sessionStorage.removeItem(this.#key);
      else window.sessionStorage.setItem(this.#key, value);
    });
  }
}

/** Storage throws when it is full or switched off (private windows, blocked cookies). */
function quietly<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}
