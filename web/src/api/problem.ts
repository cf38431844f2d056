/** What the pages know of a failed request: what happened, what it means, what to do. */

export interface Mistake {
  line: number;
  column: number;
  field: string;
  message: string;
  remedy: string;
}

/** RFC 9457 problem details as the server sends them; also made here when no server answered. */
export interface Problem {
  /** The last part of the problem's type: `unknown_link`. */
  code: string;
  title: string;
  status: number;
  detail: string;
  remedy: string;
  mistakes: Mistake[];
  /** The server is full and has put this participant in line. */
  place?: Place;
  /** When the server wants to be asked again. */
  retryAfterS?: number;
}

export interface Place {
  /** 1 is next. */
  position: number;
  /** How many are in line, this participant among them. */
  waiting: number;
}

/** A request that did not succeed. */
export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(`${problem.title}: ${problem.detail}`);
    this.name = "ApiError";
    this.problem = problem;
  }
}

/** No answer at all: the server is down, or the network is. Status 0. */
export function unreachable(): Problem {
  return {
    code: "unreachable",
    title: "The server cannot be reached",
    status: 0,
    detail: "No answer came. Either this device is offline or the server is not running.",
    remedy: "Check the internet connection and try again in a moment.",
    mistakes: [],
  };
}

/** The problem in an answer, whatever its form: a proxy in between may send HTML. */
export async function problemOf(response: Response): Promise<Problem> {
  const after = response.headers.get("retry-after") ?? "";
  const fallback: Problem = {
    code: `http_${String(response.status)}`,
    title: titleOf(response.status),
    status: response.status,
    detail: `The server answered with status ${String(response.status)} and gave no reason.`,
    remedy: "Try again. If it stays so, tell whoever runs this server.",
    mistakes: [],
    // As a date it would have to be compared with a clock that may be wrong.
    ...(/^\d+$/.test(after) && { retryAfterS: Number(after) }),
  };
  if (!(response.headers.get("content-type") ?? "").includes("json")) return fallback;
  let body: unknown;
  try {
    body = await response.json();
  } catch {
    return fallback;
  }
  return parseProblem(body, fallback);
}

function parseProblem(body: unknown, fallback: Problem): Problem {
  if (typeof body !== "object" || body === null) return fallback;
  const fields = body as Record<string, unknown>;
  const text = (key: string, otherwise: string): string => {
    const value = fields[key];
    return typeof value === "string" && value !== "" ? value : otherwise;
  };
  const type = text("type", fallback.code);
  const place = parsePlace(fields);
  return {
    ...fallback,
    code: type.slice(type.lastIndexOf("/") + 1),
    title: text("title", fallback.title),
    detail: text("detail", fallback.detail),
    remedy: text("remedy", fallback.remedy),
    mistakes: Array.isArray(fields.mistakes) ? (fields.mistakes as Mistake[]) : [],
    ...(place !== null && { place }),
  };
}

function parsePlace({ position, waiting }: Record<string, unknown>): Place | null {
  if (!isCount(position) || position < 1) return null;
  return { position, waiting: isCount(waiting) ? Math.max(waiting, position) : position };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function titleOf(status: number): string {
  if (status === 401 || status === 403) return "Not allowed";
  if (status === 404) return "Not found";
  if (status === 429) return "Too many requests";
  if (status >= 500) return "The server has trouble";
  return "The request was refused";
}

/** Any thrown thing as a problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  return {
    code: "page_fault",
    title: "Something went wrong on this page",
    status: 0,
    detail: error instanceof Error ? error.message : "The page ran into something it did not expect.",
    remedy: "Reload the page. Nothing that was saved is lost.",
    mistakes: [],
  };
}
