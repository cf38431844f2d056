import { act, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { operations } from "../../../tests/double/fixtures.mjs";
import { refusal, stubApi } from "../../../tests/pages";
import { timeOfDay } from "../../shared/format";
import ConsolePage from "../Page";

const { healthy, trouble } = operations;
const CALL = "GET /operations";
const unavailable = refusal(503, "busy", "The server has trouble", "Try again.");

function open(answer: unknown) {
  window.history.replaceState(null, "", "/console/operations#token=x");
  const table: Record<string, unknown> = { [CALL]: answer, "GET /events": () => new Promise(() => undefined) };
  const calls = stubApi(table);
  const view = render(<ConsolePage />);
  return { table, view, asked: () => calls.filter(({ call }) => call === CALL).length };
}

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

function see(state: DocumentVisibilityState) {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue(state);
  act(() => void document.dispatchEvent(new Event("visibilitychange")));
}

beforeEach(() => {
  window.sessionStorage.clear();
});

describe("the operations page", () => {
  it("is in the navigation, and quiet when all is well", async () => {
    open({ operations: healthy });
    expect(await screen.findByTestId("alerts")).toHaveTextContent("No alert is firing.");
    expect(screen.getByTestId("nav-operations")).toHaveAttribute("aria-current", "page");
    expect(screen.getByTestId("empty")).toHaveTextContent("No session is in trouble");
    expect(screen.queryByTestId("troubled")).toBeNull();
    expect(screen.getByTestId("stale")).toBeEmptyDOMElement();
    expect(document.title).toBe("Operations · Colloquy");
  });

  it("says of each number what it is, how good that is in a word, and its limits", async () => {
    open({ operations: trouble });
    expect((await screen.findByTestId("numbers")).children).toHaveLength(7);
    const heard = screen.getByTestId("number-heard_latency");
    expect(heard).toHaveTextContent(/^Heard latencyalert1\.24 s95th percentile; median 702 ms/);
    expect(heard).toHaveTextContent(/Target up to 500 msAlert above 800 ms$/);
    expect(screen.getByTestId("number-first_voice")).toHaveTextContent("watch");
    expect(screen.getByTestId("number-queue")).toHaveTextContent("on target84 segmentsoldest 12 s");
    expect(screen.getByTestId("number-cost")).toHaveTextContent("108 % of target$0.12 per session");
    expect(screen.getByTestId("number-provider_errors")).toHaveTextContent("3.4 %openai: timeouts");
  });

  it("the hour is there in words too, and a number without a measurement says so", async () => {
    open({ operations: healthy });
    const cost = await screen.findByTestId("number-cost");
    expect(cost).toHaveTextContent(/^Cost per sessionno data–Last hour: 79 % to 90 %/);
    expect(within(cost).getByRole("img")).toHaveAccessibleName(
      "Cost per session, last hour: lowest 79 % of target, highest 90 % of target, latest no data",
    );
    const voice = within(screen.getByTestId("number-first_voice")).getByTestId("spark");
    // One gap: two lines.
    expect(voice.querySelector(".measured")?.getAttribute("d")?.match(/M/g)).toHaveLength(2);
  });

  it("a number whose hour the server does not know has an empty line", async () => {
    open({ operations: { ...healthy, history: { ...healthy.history, series: [] } } });
    const sessions = await screen.findByTestId("number-sessions");
    expect(sessions).toHaveTextContent("Nothing was measured in the last hour");
    expect(within(sessions).getByRole("img")).toHaveAccessibleName("Live sessions, last hour: no data");
  });

  it("firing alerts come first, the urgent before the others, each with its runbook", async () => {
    open({ operations: trouble });
    const [urgent, other] = await screen.findAllByTestId("alert");
    expect(screen.getByTestId("alerts")).toHaveTextContent("2 alerts firing");
    expect(urgent).toHaveTextContent("Heard latency is above 0.8 s for the slowest 5 %Urgentfor 12 min 22 s, since");
    expect(other).toHaveTextContent("Can wait");
    const runbook = screen.getByRole("link", { name: "Runbook: HeardResponseSlow" });
    expect(runbook).toHaveAttribute("href", "https://colloquy.example/docs/operating.md#alert-heardresponseslow");
    const place = urgent?.compareDocumentPosition(screen.getByTestId("numbers")) ?? 0;
    expect(place & Node.DOCUMENT_POSITION_FOLLOWING).toBeTruthy();
  });

  it("lists sessions in trouble in the server’s order, and how many more there are", async () => {
    open({ operations: trouble });
    const rows = await screen.findAllByTestId("troubled");
    expect(rows.map((row) => row.getAttribute("data-trouble"))).toEqual(trouble.trouble.map((one) => one.trouble));
    const first = rows[0] ?? document.body;
    expect(first).toHaveTextContent(/InterruptedThe provider’s connection was lost twice1 min 35 ssince .*Paused$/);
    expect(within(first).getByRole("link", { name: "P-00000D" })).toHaveAttribute(
      "href",
      "/console/sessions/01JD0B2PAUS00000000000000D",
    );
    expect(screen.getByTestId("more-trouble")).toHaveTextContent("And 57 more.");
    expect(screen.getByRole("link", { name: "63 sessions" })).toHaveAttribute("href", "#trouble");
  });

  it("shows the places that are taken, and what is not known as a dash", async () => {
    const capacity = { ...trouble.capacity, cpu_share: null, tick_lag_ms: null };
    open({ operations: { ...trouble, capacity } });
    expect(await screen.findByTestId("capacity")).toHaveTextContent(
      "Places Busy391 of 400 live, 7 waitingCPU–of all coresTick lag–In trouble63 sessions",
    );
    expect(screen.getByRole("meter", { name: "Places: 391 of 400 live" })).toHaveAttribute("max", "400");
  });
});

describe("the refresh", () => {
  beforeEach(() => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("comes every 5 s, and not after the page was left", async () => {
    const { table, asked, view } = open({ operations: healthy });
    await screen.findByTestId("numbers");
    table[CALL] = { operations: trouble };
    await pass(5_000);
    expect(asked()).toBe(2);
    expect(screen.getByTestId("alerts")).toHaveTextContent("2 alerts firing");
    view.unmount();
    await pass(20_000);
    expect(asked()).toBe(2);
  });

  it("rests while nobody sees the page, and comes at once when somebody does", async () => {
    const { asked } = open({ operations: healthy });
    await screen.findByTestId("numbers");
    see("hidden");
    await pass(60_000);
    expect(asked()).toBe(1);
    see("visible");
    expect(asked()).toBe(2);
    await pass(5_000);
    expect(asked()).toBe(3);
  });

  it("that fails keeps what was there and says since when, until one succeeds", async () => {
    const { table } = open({ operations: trouble });
    await screen.findByTestId("numbers");
    table[CALL] = unavailable;
    await pass(5_000);
    const since = timeOfDay(trouble.at);
    expect(screen.getByTestId("stale")).toHaveTextContent(
      `Could not be refreshed since ${since}. The server has trouble.`,
    );
    expect(screen.getAllByTestId("troubled")).toHaveLength(6);
    expect(screen.queryByTestId("as-of")).toBeNull();
    table[CALL] = { operations: healthy };
    await pass(5_000);
    expect(screen.getByTestId("stale")).toBeEmptyDOMElement();
    expect(screen.getByTestId("as-of")).toHaveTextContent(`As of ${since}`);
  });

  it("waits for one answer, but not for ever", async () => {
    const { table, asked } = open({ operations: healthy });
    await screen.findByTestId("numbers");
    const patience = new AbortController();
    const timeout = vi.spyOn(AbortSignal, "timeout").mockReturnValue(patience.signal);
    table[CALL] = () =>
      new Promise((_, reject) => {
        patience.signal.addEventListener("abort", () => reject(new DOMException("too long", "TimeoutError")));
      });
    await pass(60_000);
    // Nor does it ask twice at a time.
    see("visible");
    expect(asked()).toBe(2);
    expect(timeout).toHaveBeenCalledWith(10_000);
    await act(() => {
      patience.abort();
      return Promise.resolve();
    });
    expect(await screen.findByText(/The server cannot be reached/)).toBeVisible();
    await pass(5_000);
    expect(asked()).toBe(3);
  });

  it("is not tried with a token that was refused, but by the button", async () => {
    const { table, asked } = open(refusal(401, "unauthorised", "Not allowed", "Open the console link again."));
    expect(await screen.findByTestId("problem")).toHaveTextContent("Open the console link again.");
    await pass(60_000);
    expect(asked()).toBe(1);
    table[CALL] = { operations: healthy };
    await userEvent
      .setup({ advanceTimers: vi.advanceTimersByTime })
      .click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByTestId("numbers")).toBeVisible();
  });
});
