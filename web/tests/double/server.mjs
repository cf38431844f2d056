/**
 * A test double of the HTTP API, for screenshots and browser tests of the pages alone. It serves `dist` and answers with
 * the fixtures beside it. What it says about a link depends on the link's secret (`fresh`, `returning`, `ended`, ...).
 */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as fixtures from "./fixtures.mjs";

const DIST = fileURLToPath(new URL("../../dist", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

/** The policy that the real server sends: the pages must work under it. */
const CSP =
  "default-src 'self'; img-src 'self' data:; media-src 'self' blob: mediastream:; style-src 'self' 'unsafe-inline'; " +
  "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Starts the double on a free port. */
export async function serve() {
  const double = {
    sessions: fixtures.sessions(),
    streams: new Set(),
    consent: new Map(),
    requests: [],
    reportDelay: 0,
    operations: fixtures.operations.healthy,
    places: [],
  };
  const server = createServer((request, response) => {
    answer(double, request, response).catch((error) => {
      response.writeHead(500).end(String(error));
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  return {
    url,
    requests: double.requests,
    /** Sends a changed session to every open console. */
    change(id, patch) {
      const session = double.sessions.find((candidate) => candidate.id === id);
      Object.assign(session, patch);
      for (const stream of double.streams) stream.write(`event: session\ndata: ${JSON.stringify(session)}\n\n`);
    },
    /** What the operations page is answered with from now on. */
    operate(operations) {
      double.operations = operations;
    },
    /** The places that the link `waiting` has in line, one for each offer; after the last it is let in. */
    line(places) {
      double.places = [...places];
    },
    close() {
      for (const stream of double.streams) stream.end();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(double, request, response) {
  const url = new URL(request.url, "http://double");
  if (!url.pathname.startsWith("/api/")) return file(url.pathname, response);
  const token = (request.headers.authorization ?? "").replace("Bearer ", "");
  const path = url.pathname.slice("/api/v1".length);
  double.requests.push(`${request.method} ${path}`);
  if (path.startsWith("/participation")) return participation(double, token, path, request, response);
  if (token !== "console-token")
    return problem(response, 401, "unauthorised", "Not allowed", "The token is wrong.", "Open the console link again.");
  return console_(double, path, url, request, response);
}

async function participation(double, secret, path, request, response) {
  const known = fixtures.participations[secret];
  if (known?.problem) return problem(response, ...known.problem);
  if (known === undefined) {
    return problem(
      response,
      404,
      "unknown_link",
      "This link is unknown",
      "No interview belongs to it. A character may have been lost on the way.",
      "Copy the whole link from the invitation, or ask the person who sent it for a new one.",
    );
  }
  const now = () => ({ ...known, consent: double.consent.get(secret) ?? known.consent });
  if (path === "/participation") return json(response, 200, { participation: now() });
  if (path === "/participation/consent") {
    const { accepted } = JSON.parse(await body(request));
    double.consent.set(secret, accepted ? "given" : "declined");
    return json(response, 200, { participation: now() });
  }
  if (path === "/participation/requests") return response.writeHead(202).end();
  if (path.startsWith("/participation/peers/")) return response.writeHead(204).end();
  if (secret === "waiting") return line(double, response);
  return full(response);
}

/** The far end of the media is in the page (`peer.js`): an empty answer lets it answer the offer. */
function line(double, response) {
  const position = double.places.shift();
  if (position === undefined) return response.writeHead(204).end();
  response.setHeader("Retry-After", "2");
  return full(response, { position, waiting: position + 2 });
}

function full(response, more = {}) {
  const detail = "Too many interviews are running at this moment.";
  const remedy = "Try again in a few minutes. Your link stays good.";
  problem(response, 503, "full", "All interview places are taken", detail, remedy, more);
}

async function console_(double, path, url, request, response) {
  const [, kind, id, part] = path.split("/");
  if (kind === "studies" && id === undefined) return json(response, 200, { studies: fixtures.studies });
  if (kind === "studies" && part === "sessions") {
    const { count = 1 } = JSON.parse(await body(request));
    const sessions = Array.from({ length: count }, (_, at) => ({
      id: `01JD0NEW${String(at).padStart(18, "0")}`,
      link: `http://127.0.0.1:8080/i#8Zk3vQ1tN7pXw2LmR5aYd9Hc4Be6Tf0G${at}`,
    }));
    return json(response, 201, { sessions });
  }
  if (kind === "studies" && part === "themes") return json(response, 200, fixtures.themes);
  if (kind === "studies" && part === "grid") return json(response, 200, fixtures.grid);
  if (kind === "studies" && part === "search") return json(response, 200, fixtures.hits);
  if (kind === "studies") {
    const study = fixtures.studyDetails[id];
    return study ? json(response, 200, { study }) : notFound(response, "study", id);
  }
  if (kind === "lanes") return json(response, 200, { lanes: fixtures.lanes, stopped: null });
  if (kind === "operations") {
    return double.operations === null
      ? problem(response, 503, "busy", "The server has trouble", "It does not answer.", "Try again.")
      : json(response, 200, { operations: double.operations });
  }
  if (kind === "jobs") {
    return request.method === "POST"
      ? json(response, 200, { replayed: 1 })
      : json(response, 200, { jobs: fixtures.deadLetters, next_before: null });
  }
  if (kind === "events") {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write(": open\n\n");
    double.streams.add(response);
    request.on("close", () => double.streams.delete(response));
    return undefined;
  }
  if (kind === "sessions" && id === undefined) {
    const study = url.searchParams.get("study_id");
    const state = url.searchParams.get("state");
    const sessions = double.sessions.filter(
      (session) => (!study || session.study_id === study) && (!state || session.state === state),
    );
    return json(response, 200, { sessions, next_before: null });
  }
  const session = double.sessions.find((candidate) => candidate.id === id);
  if (session === undefined) return notFound(response, "session", id);
  return sessionPart(session, part, response);
}

function sessionPart(session, part, response) {
  const done = session.state === "ended" && session.turns > 0;
  switch (part) {
    case undefined:
      return json(response, 200, { session: fixtures.sessionDetail(session) });
    case "turns":
      return json(response, 200, { turns: session.turns === 0 ? [] : fixtures.turns(done) });
    case "report":
      return done && session.report === "ready"
        ? json(response, 200, { report: fixtures.report })
        : problem(
            response,
            404,
            "no_report",
            "There is no report yet",
            "It is made after the interview has ended.",
            "Come back in a minute.",
          );
    case "costs":
      return json(response, 200, { costs: fixtures.costs });
    case "journal":
      return json(response, 200, { entries: fixtures.journal });
    case "waveform":
      return done ? json(response, 200, { waveform: fixtures.waveform }) : notFound(response, "waveform", session.id);
    case "recording":
      if (!done) return notFound(response, "recording", session.id);
      response.writeHead(200, { "Content-Type": "audio/wav" });
      return response.end(fixtures.recording());
    case "end":
      return response.writeHead(202).end();
    default:
      return notFound(response, part, session.id);
  }
}

async function file(pathname, response) {
  const asset = pathname.startsWith("/assets/");
  const path = asset ? join(DIST, pathname) : join(DIST, "index.html");
  try {
    const content = await readFile(path);
    response.writeHead(200, {
      "Content-Type": TYPES[extname(path)] ?? "application/octet-stream",
      "Content-Security-Policy": CSP,
    });
    response.end(content);
  } catch {
    response.writeHead(404).end();
  }
}

async function body(request) {
  let text = "";
  for await (const piece of request) text += piece;
  return text;
}

function json(response, status, value) {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
}

function problem(response, status, code, title, detail, remedy, more = {}) {
  response
    .writeHead(status, { "Content-Type": "application/problem+json" })
    .end(JSON.stringify({ type: `/problems/${code}`, title, status, detail, remedy, ...more }));
}

function notFound(response, kind, id) {
  problem(response, 404, `unknown_${kind}`, "Not found", `There is no ${kind} “${id}”.`, "Go back to the list.");
}
