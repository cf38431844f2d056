/** A thin, typed way to the HTTP API: paths, parameters and answers come from the OpenAPI document (`npm run generate`). */

import { ApiError, problemOf, unreachable } from "./problem";
import type { paths } from "./schema";

type Method = "get" | "post" | "put" | "delete";

type PathsWith<M extends Method> = {
  [P in keyof paths]: paths[P][M] extends { responses: unknown } ? P : never;
}[keyof paths];

type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>;

type JsonOf<R> = R extends { content: { "application/json": infer Body } } ? Body : undefined;

/** The JSON of the successful answer, or undefined where there is none. */
export type Answer<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { responses: infer R }
    ? JsonOf<R extends Record<200, infer A> ? A : R extends Record<201, infer B> ? B : never>
    : never;

type Part<O, K extends string> = O extends { parameters: Record<K, infer V> }
  ? V
  : O extends { parameters: Partial<Record<K, infer V>> }
    ? V
    : never;

type BodyOf<O> = O extends { requestBody: { content: { "application/json": infer B } } } ? B : never;

export interface Options<P extends keyof paths, M extends Method> {
  path?: Part<Operation<P, M>, "path">;
  query?: Part<Operation<P, M>, "query">;
  json?: BodyOf<Operation<P, M>>;
  text?: { body: string; type: string };
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Lets the request outlive the page: for goodbyes. */
  keepalive?: boolean;
}

/** After this long without an answer the server counts as gone. */
const TIMEOUT_MS = 15_000;

/** A client that speaks with one bearer token: a link secret or the console token. */
export class Client {
  readonly #token: string;
  readonly #fetch: typeof fetch;

  constructor(token: string, fetcher: typeof fetch = (input, init) => fetch(input, init)) {
    this.#token = token;
    this.#fetch = fetcher;
  }

  async get<P extends PathsWith<"get">>(path: P, options: Options<P, "get"> = {}): Promise<Answer<P, "get">> {
    return parse<Answer<P, "get">>(await this.send("get", path, options));
  }

  async post<P extends PathsWith<"post">>(path: P, options: Options<P, "post"> = {}): Promise<Answer<P, "post">> {
    return parse<Answer<P, "post">>(await this.send("post", path, options));
  }

  /** Sends a request and throws `ApiError` unless it succeeded. */
  async send<P extends keyof paths, M extends Method>(
    method: M,
    path: P,
    options: Options<P, M> = {},
  ): Promise<Response> {
    const headers = new Headers(options.headers);
    let body: string | null = null;
    if (options.json !== undefined) {
      headers.set("Content-Type", "application/json");
      body = JSON.stringify(options.json);
    } else if (options.text !== undefined) {
      headers.set("Content-Type", options.text.type);
      body = options.text.body;
    }
    const address = fill(path, options.path ?? {}) + search(options.query ?? {});
    return this.sendTo(address, {
      method: method.toUpperCase(),
      headers,
      body,
      keepalive: options.keepalive ?? false,
      signal: options.signal ?? AbortSignal.timeout(TIMEOUT_MS),
    });
  }

  /** Sends to an address that the server gave (a Location). */
  async sendTo(address: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("Authorization", `Bearer ${this.#token}`);
    let response: Response;
    try {
      response = await this.#fetch(address, { ...init, headers, cache: "no-store", redirect: "error" });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new ApiError(unreachable());
    }
    if (!response.ok) throw new ApiError(await problemOf(response));
    return response;
  }
}

async function parse<T>(response: Response): Promise<T> {
  if (!(response.headers.get("content-type") ?? "").includes("json")) return undefined as T;
  return (await response.json()) as T;
}

function fill(path: string, values: object): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String((values as Record<string, unknown>)[name])),
  );
}

function search(values: object): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(values as Record<string, unknown>)) {
    if (typeof value === "string" && value !== "") pairs.set(name, value);
    else if (typeof value === "number" || typeof value === "boolean") pairs.set(name, String(value));
  }
  const text = pairs.toString();
  return text === "" ? "" : `?${text}`;
}
