import { act, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { refusal, stubApi } from "../../tests/pages";
import * as fixtures from "../../tests/double/fixtures.mjs";
import type { SessionSummary } from "../api/types";
import { journalLine, standing } from "./labels";
import { LiveFeed } from "./live";
import ConsolePage from "./Page";
import { routeOf } from "./router";
import { byPhase, pieces, turnAt, withSession } from "./transcript";

const sessions = fixtures.sessions();
const done = sessions[1];
const liveOne = sessions[0];
if (done === undefined || liveOne === undefined) throw new Error("the fixtures have sessions");
const turns = fixtures.turns(true);

/** An open event stream that a test can write to. */
function stream() {
  let write: (text: string) => void = () => undefined;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      write = (text) => controller.enqueue(new TextEncoder().encode(text));
    },
  });
  return {
    reply: () => new Response(body, { headers: { "Content-Type": "text/event-stream" } }),
    session: (session: SessionSummary) => write(`event: session\ndata: ${JSON.stringify(session)}\n\n`),
  };
}

function open(path: string, table: Record<string, unknown>) {
  window.history.replaceState(null, "", path);
  const events = stream();
  const calls = stubApi(Object.assign(table, { "GET /events": events.reply }));
  const view = render(<ConsolePage />);
  return { calls, events, view };
}

beforeEach(() => {
  window.sessionStorage.clear();
});

describe("the token", () => {
  it("leaves the address bar and stays in the tab", async () => {
    open("/console#token=secret", { "GET /studies": { studies: [] } });
    expect(await screen.findByTestId("empty")).toHaveTextContent("No studies yet");
    expect(window.location.hash).toBe("");
    expect(window.sessionStorage.getItem("colloquy.console.token")).toBe("secret");
  });

  it("is asked for when there is none, and can be put away", async () => {
    open("/console", { "GET /studies": { studies: [] } });
    await userEvent.type(screen.getByLabelText("Token"), " secret ");
    await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
    await screen.findByTestId("empty");
    await userEvent.click(screen.getByRole("button", { name: "Sign out" }));
    expect(screen.getByTestId("sign-in")).toBeVisible();
    expect(window.sessionStorage).toHaveLength(0);
  });
});

describe("pages", () => {
  it("a refused request is shown with its remedy and can be repeated", async () => {
    const table: Record<string, unknown> = {
      "GET /studies": refusal(401, "unauthorised", "Not allowed", "Open the console link again."),
    };
    open("/console#token=x", table);
    expect(await screen.findByTestId("problem")).toHaveTextContent("Open the console link again.");
    table["GET /studies"] = { studies: fixtures.studies };
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findAllByTestId("study-link")).toHaveLength(2);
  });

  it("sessions change without a reload", async () => {
    const { events } = open("/console/sessions#token=x", {
      "GET /studies": { studies: [] },
      "GET /sessions": { sessions: [liveOne], next_before: null },
    });
    const row = await screen.findByTestId("session-row");
    expect(within(row).getByTestId("session-state")).toHaveTextContent("Live");
    act(() => events.session({ ...liveOne, state: "ended", outcome: "complete" }));
    expect(await within(row).findByText("Complete")).toBeVisible();
    act(() => events.session({ ...liveOne, id: "another", external_id: "P-9" }));
    expect(await screen.findByText("P-9")).toBeVisible();
  });

  it("a session shows words, codes, quotes, coverage and money", async () => {
    open(`/console/sessions/${done.id}#token=x`, {
      [`GET /sessions/${done.id}`]: { session: { ...fixtures.sessionDetail(done), recording: null } },
      [`GET /sessions/${done.id}/turns`]: { turns },
      [`GET /sessions/${done.id}/report`]: { report: fixtures.report },
      [`GET /sessions/${done.id}/costs`]: { costs: fixtures.costs },
      [`GET /sessions/${done.id}/journal`]: { entries: fixtures.journal },
    });
    expect(await screen.findAllByTestId("turn")).toHaveLength(9);
    expect(screen.getByTestId("unheard")).toHaveTextContent("Not heard by the participant: compare plans");
    // Only where the two transcripts differ, with the words that do.
    const second = screen.getByTestId("second");
    expect(second).toHaveTextContent(/^2 words of \d+ heard otherwise by gpt-transcribe: Oh, cost/);
    expect(second.querySelector("mark")).toHaveTextContent("a freeze");
    expect(await screen.findAllByTestId("quote")).toHaveLength(3);
    expect(screen.getByTestId("summary")).toHaveTextContent("product designer");
    expect(screen.getByTestId("coverage").querySelectorAll(".covered")).toHaveLength(6);
    const answers = screen.getAllByTestId("answer").map((mark) => mark.firstElementChild?.textContent);
    expect(answers).toEqual([
      "Answered",
      "Partly answered",
      "Answered",
      "Refused",
      "Not asked",
      "Off topic",
      "Answered",
    ]);
    expect(screen.getByRole("button", { name: /^Play from 0:04: How do you think/ })).toBeDisabled();
    await userEvent.click(screen.getByTestId("tab-costs"));
    expect(screen.getByTestId("cost-total")).toHaveTextContent("$0.1182");
    await userEvent.keyboard("{ArrowRight}");
    expect(screen.getByTestId("tab-journal")).toHaveFocus();
    const kinds = [...screen.getByTestId("journal").children].map((line) => line.getAttribute("data-kind"));
    expect(kinds).toContain("move_refused");
    expect(kinds).not.toContain("turn");
    await userEvent.click(screen.getByLabelText(/Also turns/));
    expect(screen.getByTestId("journal").children).toHaveLength(fixtures.journal.length);
  });

  it("a running session gets its new turns when the stream tells of a change", async () => {
    const path = `GET /sessions/${liveOne.id}`;
    const table: Record<string, unknown> = {
      [path]: { session: fixtures.sessionDetail(liveOne) },
      [`${path}/turns`]: { turns: turns.slice(0, 1) },
      [`${path}/costs`]: { costs: { total_micro_usd: 0, components: [] } },
      [`${path}/journal`]: { entries: [] },
    };
    const { events } = open(`/console/sessions/${liveOne.id}#token=x`, table);
    expect(await screen.findAllByTestId("turn")).toHaveLength(1);
    table[`${path}/turns`] = { turns: turns.slice(0, 3) };
    act(() => events.session({ ...liveOne, turns: 3 }));
    await vi.waitFor(() => expect(screen.getAllByTestId("turn")).toHaveLength(3), 3_000);
    expect(screen.getByTestId("end-session")).toBeEnabled();
  });

  it("links are made as asked and shown once", async () => {
    const { calls } = open("/console/studies/remote-work-tools#token=x", {
      "GET /studies/remote-work-tools": { study: fixtures.studyDetails["remote-work-tools"] },
      "POST /studies/remote-work-tools/sessions": { sessions: [{ id: "1", link: "http://host/i#abc" }] },
    });
    expect(await screen.findAllByTestId("phase")).toHaveLength(4);
    expect(screen.getByTestId("warnings")).toHaveTextContent("one topic only");
    await userEvent.selectOptions(screen.getByLabelText("Length"), "rehearsal");
    await userEvent.type(screen.getByLabelText("External id"), "P-1");
    await userEvent.click(screen.getByTestId("create-links"));
    expect(await screen.findByTestId("made-link")).toHaveTextContent("http://host/i#abc");
    expect(JSON.parse(String(calls.at(-1)?.body))).toEqual({ count: 1, length: "rehearsal", external_id: "P-1" });
  });

  it("a study file with mistakes gets every one of them back", async () => {
    const mistakes = [{ line: 7, column: 3, field: "phases[0].id", message: "is missing", remedy: "Give it an id." }];
    open("/console#token=x", {
      "GET /studies": { studies: [] },
      "POST /studies": () =>
        new Response(JSON.stringify({ type: "/problems/study_mistakes", title: "One mistake", mistakes }), {
          status: 422,
          headers: { "Content-Type": "application/problem+json" },
        }),
    });
    await userEvent.click(await screen.findByTestId("add-study"));
    await userEvent.type(screen.getByLabelText("Study"), "id: x");
    await userEvent.click(screen.getByTestId("study-send"));
    expect(await screen.findByTestId("problem")).toHaveTextContent("7:3 phases[0].id is missing Give it an id.");
  });
});

describe("the stream", () => {
  it("is opened again after it broke, and says that something may have been missed", async () => {
    vi.useFakeTimers();
    let opened = 0;
    const feed = new LiveFeed(() => {
      opened += 1;
      return Promise.resolve(new Response(": open\n\n"));
    });
    const onReopened = vi.fn();
    feed.listen({ onReopened });
    const stop = feed.start();
    await vi.advanceTimersByTimeAsync(600);
    expect(opened).toBe(2);
    expect(onReopened).toHaveBeenCalledTimes(1);
    stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(opened).toBe(2);
    vi.useRealTimers();
  });
});

describe("helpers", () => {
  it("paths are pages", () => {
    expect(routeOf("/console")).toEqual({ page: "studies" });
    expect(routeOf("/console/")).toEqual({ page: "studies" });
    expect(routeOf("/console/studies/a%20b")).toEqual({ page: "study", id: "a b" });
    expect(routeOf("/console/sessions")).toEqual({ page: "sessions" });
    expect(routeOf("/console/sessions/%E0%A4%A")).toEqual({ page: "session", id: "%E0%A4%A" });
    expect(routeOf("/console/sessions/a/b")).toEqual({ page: "unknown" });
    expect(routeOf("/console/operations")).toEqual({ page: "operations" });
    expect(routeOf("/console/operations/x")).toEqual({ page: "unknown" });
  });

  it("of overlapping turns the later one is heard, in a pause none", () => {
    expect(turnAt(turns, 43_100)).toBe(6);
    expect(turnAt(turns, 42_900)).toBe(5);
    expect(turnAt(turns, 54_000)).toBeNull();
    expect(turnAt(turns, 0)).toBeNull();
  });

  it("a phase that is entered again is a new group", () => {
    const again = turns.map((turn) => (turn.turn === 9 ? { ...turn, phase: "warmup" } : turn));
    expect(byPhase(again).map(({ phase }) => phase)).toEqual(["warmup", "exploration", "probing", "warmup"]);
  });

  it("quotes are found by characters, not by UTF-16 units", () => {
    // The words occur twice, so only the position tells which is meant.
    const text = "😀 cost, only cost.";
    const quote = { start_char: 13, end_char: 17, text: "cost" };
    expect(pieces({ text, quote })).toEqual([
      { text: "😀 cost, only ", quoted: false },
      { text: "cost", quoted: true },
      { text: ".", quoted: false },
    ]);
  });

  it("a quote at the wrong place is found by its words, and one that is not there is not shown", () => {
    expect(pieces({ text: "a b c", quote: { start_char: 0, end_char: 1, text: "b" } })[1]).toEqual({
      text: "b",
      quoted: true,
    });
    expect(pieces({ text: "a b c", quote: { start_char: 0, end_char: 1, text: "x" } })).toEqual([
      { text: "a b c", quoted: false },
    ]);
  });

  it("a changed session keeps its place, a new one is on top, one that no longer fits is gone", () => {
    const all = { study_id: null, state: null };
    const changed = { ...done, turns: 99 };
    expect(withSession(sessions, changed, all)[1]?.turns).toBe(99);
    expect(withSession([done], liveOne, all).map(({ id }) => id)).toEqual([liveOne.id, done.id]);
    expect(withSession([liveOne], { ...liveOne, state: "ended" }, { study_id: null, state: "active" })).toEqual([]);
    expect(withSession([], done, { study_id: "other", state: null })).toEqual([]);
  });

  it("a silence of the network is shown with its length and its place", () => {
    const line = journalLine({ kind: "network_gap", body: { v: 1, from_ms: 61_400, to_ms: 64_600 } });
    expect(line).toMatchObject({ title: "Network silent for 3.2 s", detail: "from 1:01", tone: "warning" });
    expect(journalLine({ kind: "network_gap", body: {} }).title).toBe("Network silent for a while");
  });

  it("unknown names of a newer server are shown as they are", () => {
    expect(standing({ state: "ended", outcome: "new_outcome" })).toEqual({ label: "New outcome", tone: "warning" });
    expect(standing({ state: "hibernating", outcome: null }).label).toBe("Hibernating");
    expect(journalLine({ kind: "new_kind", body: null })).toMatchObject({ title: "New kind" });
  });
});

describe("work after interviews", () => {
  it("shows what was given up and why, and puts it back", async () => {
    const table: Record<string, unknown> = {
      "GET /lanes": { lanes: fixtures.lanes, stopped: "the key is refused" },
      "GET /jobs": { jobs: fixtures.deadLetters.slice(0, 1), next_before: null },
      "POST /jobs/812/replay": { replayed: 1 },
    };
    const { calls } = open("/console/work#token=x", table);
    const row = await screen.findByTestId("dead-letter");
    expect(row).toHaveTextContent("not answered, 4 times");
    expect(screen.getByTestId("stopped")).toHaveTextContent("the key is refused");
    expect(screen.getByTestId("lane-enrichment")).toHaveTextContent(/1,240.*50.*2/);
    table["GET /jobs"] = { jobs: [], next_before: null };
    await userEvent.click(screen.getByRole("button", { name: "Put back: Coding of segment 8001" }));
    expect(await screen.findByTestId("empty")).toHaveTextContent("Nothing was given up");
    expect(screen.getByTestId("replayed")).toHaveTextContent("1 job was put back.");
    expect(calls.map((call) => call.call)).toContain("POST /jobs/812/replay");
  });

  it("puts all of it back by one button", async () => {
    const { calls } = open("/console/work#token=x", {
      "GET /lanes": { lanes: fixtures.lanes },
      "GET /jobs": { jobs: fixtures.deadLetters, next_before: null },
      "POST /jobs/replay": { replayed: 2 },
    });
    await userEvent.click(await screen.findByTestId("replay-all"));
    expect(await screen.findByText("2 jobs were put back.")).toBeVisible();
    expect(calls.find((call) => call.call === "POST /jobs/replay")?.body).toBe("{}");
  });
});

describe("exports", () => {
  it("a study is downloaded as the file that was chosen, under the name that the server gives", async () => {
    const study = fixtures.studyDetails["remote-work-tools"];
    const saved: string[] = [];
    vi.stubGlobal("URL", Object.assign(URL, { createObjectURL: () => "blob:x", revokeObjectURL: () => undefined }));
    vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
      saved.push(this.download);
    });
    const { calls } = open("/console/studies/remote-work-tools#token=x", {
      "GET /studies/remote-work-tools": { study },
      "GET /studies/remote-work-tools/export": () =>
        new Response("session_id\r\n", {
          headers: { "Content-Disposition": 'attachment; filename="remote-work-tools-quotes.csv"' },
        }),
    });
    await userEvent.selectOptions(await screen.findByLabelText("Export as"), "Quotes (CSV)");
    await userEvent.click(screen.getByRole("button", { name: "Export" }));
    await screen.findByRole("button", { name: "Export" });
    await vi.waitFor(() => expect(saved).toEqual(["remote-work-tools-quotes.csv"]));
    expect(calls.map((call) => call.call)).toContain("GET /studies/remote-work-tools/export");
  });

  it("a refusal says what to do", async () => {
    const study = fixtures.studyDetails["remote-work-tools"];
    open("/console/studies/remote-work-tools#token=x", {
      "GET /studies/remote-work-tools": { study },
      "GET /studies/remote-work-tools/export": refusal(404, "not-found", "There is no such study", "Go back."),
    });
    await userEvent.click(await screen.findByRole("button", { name: "Export" }));
    expect(await screen.findByTestId("problem")).toHaveTextContent("Go back.");
  });
});

describe("results of a study", () => {
  const study = fixtures.studyDetails["remote-work-tools"];
  const table = () => ({
    "GET /studies/remote-work-tools": { study },
    "GET /studies/remote-work-tools/themes": fixtures.themes,
    "GET /studies/remote-work-tools/grid": fixtures.grid,
    "GET /studies/remote-work-tools/search": fixtures.hits,
  });

  it("themes are counted in people, and the negative cases are named", async () => {
    open("/console/studies/remote-work-tools/results#token=x", table());
    const themes = await screen.findAllByTestId("theme");
    const first = themes[0] ?? document.body;
    expect(first).toHaveTextContent("3 of 4 participants, 9 mentions");
    expect(within(first).getAllByRole("link", { name: "P-00000B" })[0]).toHaveAttribute(
      "href",
      "/console/sessions/01JD0B2DONE00000000000000B?turn=4",
    );
    const parts = within(first).getAllByTestId("share");
    expect(parts).toHaveLength(4);
    const tools = parts[1] ?? document.body;
    expect(tools).toHaveTextContent(/^Your tools: 3 of 4.*positive 2.*negative 1$/);
    await userEvent.click(within(tools).getByText("Your tools: 3 of 4"));
    const places = within(tools)
      .getAllByRole("link")
      .map((link) => link.getAttribute("href"));
    expect(places).toHaveLength(3);
    expect(places[0]).toBe("/console/sessions/01JD0B2DONE00000000000000A?turn=4");
  });

  it("every cell of the grid leads to the place where it was said", async () => {
    open("/console/studies/remote-work-tools/results#token=x", table());
    await userEvent.click(await screen.findByRole("tab", { name: "Respondents" }));
    const [quote] = await screen.findAllByTestId("listen");
    expect(quote).toHaveAttribute("href", "/console/sessions/01JD0B2DONE00000000000000B?turn=4");
    expect(screen.getByTestId("grid")).toHaveTextContent("negative");
  });

  it("a word is marked where it was said", async () => {
    open("/console/studies/remote-work-tools/results#token=x", table());
    await userEvent.click(await screen.findByRole("tab", { name: "Search" }));
    await userEvent.type(screen.getByLabelText("What participants said"), "cafe");
    await userEvent.click(screen.getByRole("button", { name: "Search" }));
    expect(await screen.findByTestId("found")).toHaveTextContent("1 place with “cafe” so far");
    expect(screen.getByText("café").tagName).toBe("MARK");
    await userEvent.click(screen.getByRole("button", { name: "Search older interviews" }));
    await vi.waitFor(() => expect(screen.getByTestId("found")).toHaveTextContent("2 places with “cafe”"));
  });
});

describe("a correction", () => {
  it("is sent with sentiment and topics, and what is wrong with it is said", async () => {
    const path = `/sessions/${done.id}`;
    const corrected = `PUT ${path}/segments/${turns[1]?.segments[0]?.segment ?? 0}/correction`;
    const table: Record<string, unknown> = {
      [`GET ${path}`]: { session: { ...fixtures.sessionDetail(done), recording: null } },
      [`GET ${path}/turns`]: { turns },
      [`GET ${path}/report`]: { report: fixtures.report },
      [`GET ${path}/costs`]: { costs: fixtures.costs },
      [`GET ${path}/journal`]: { entries: [] },
      [corrected]: refusal(422, "correction", "The correction cannot be kept", "Use any of: focus, cost."),
    };
    const { calls } = open(`/console${path}#token=x`, table);
    await userEvent.click((await screen.findAllByTestId("correct"))[0] ?? document.body);
    await userEvent.selectOptions(screen.getByLabelText("Sentiment"), "mixed");
    await userEvent.clear(screen.getByLabelText("Topics, one on each line"));
    await userEvent.type(screen.getByLabelText("Topics, one on each line"), "money{enter}{enter}time");
    await userEvent.click(screen.getByTestId("correct-save"));
    expect(await screen.findByTestId("problem")).toHaveTextContent("Use any of: focus, cost.");
    table[corrected] = () => new Response(null, { status: 204 });
    await userEvent.click(screen.getByTestId("correct-save"));
    await vi.waitFor(() => expect(screen.queryByTestId("correct-save")).toBeNull());
    const sent = calls.filter((call) => call.call === corrected).at(-1);
    expect(JSON.parse(String(sent?.body))).toEqual({ sentiment: "mixed", topics: ["money", "time"] });
  });
});
