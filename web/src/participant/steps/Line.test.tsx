import { act, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { stubApi, stubMicrophone } from "../../../tests/pages";
import { FakePeer, stubCalls } from "../../../tests/peer";
import type { Participation } from "../../api/types";
import ParticipantPage from "../Page";

const participation: Participation = {
  session_id: "s",
  state: "invited",
  study: {
    title: "How people choose tools",
    organisation: "Institute for Working Life",
    welcome: "Welcome.",
    consent_text: "Taking part is voluntary.",
    contact: "office@example",
    language: "en",
    minutes_target: 18,
    phases: [],
  },
  consent: "given",
  outcome: null,
  completion: null,
  returnable_until: null,
};
const offer = "POST /participation/peers";

/** A full server's answer; without a position that of an older one. */
function full(position?: number, waiting?: number): () => Response {
  const body = { type: "/problems/full", title: "All places are taken", status: 503, detail: "d", remedy: "r" };
  const headers = { "Content-Type": "application/problem+json", "Retry-After": "5" };
  return () => new Response(JSON.stringify({ ...body, position, waiting }), { status: 503, headers });
}

const answered = () => new Response("answer", { status: 201, headers: { Location: "/api/v1/participation/peers/1" } });

/** The page at the moment at which the server has answered the first offer. */
async function start(answer: () => Response) {
  const table: Record<string, unknown> = { "GET /participation": { participation }, [offer]: answer };
  const calls = stubApi(table);
  const microphone = stubMicrophone();
  vi.stubGlobal("RTCPeerConnection", FakePeer);
  render(<ParticipantPage />);
  await userEvent.click(await screen.findByTestId("mic-open"));
  await userEvent.click(await screen.findByTestId("start-interview"));
  const offers = () => calls.filter(({ call }) => call === offer).length;
  await waitFor(() => expect(offers()).toBe(1));
  return { table, microphone, offers };
}

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

beforeEach(() => {
  stubCalls();
  vi.useFakeTimers({ shouldAdvanceTime: true });
  window.history.replaceState(null, "", "/i#link-secret");
});

afterEach(() => {
  vi.useRealTimers();
});

it("says that all places are taken, where one stands, since when, and that the link stays good", async () => {
  await start(full(3, 7));
  const step = await screen.findByTestId("step-line");
  expect(screen.getByRole("heading", { level: 1, name: "All places are taken right now" })).toHaveFocus();
  expect(screen.getByTestId("line-place")).toHaveTextContent("You are number 3 in line.");
  expect(step).toHaveTextContent("You can leave this page open");
  expect(step).toHaveTextContent("Your link stays good");
  expect(step).toHaveTextContent("Nothing is sent or recorded before you are let in");
  expect(screen.getByTestId("line-since")).toHaveTextContent("There are 7 people in line");
  const since = screen.getByTestId("line-since").querySelector("time")?.dateTime ?? "";
  expect(Math.abs(Date.now() - Date.parse(since))).toBeLessThan(5_000);
  expect(screen.queryByTestId("problem")).toBeNull();
});

it("tells a new place once, as a whole sentence, and shows it in the tab's title", async () => {
  const { table } = await start(full(3, 3));
  await screen.findByTestId("step-line");
  const status = screen.getByTestId("status");
  expect(status).toHaveAttribute("role", "status");
  expect(status).toHaveTextContent(/^You are number 3 in line\.$/);
  expect(document.title).toMatch(/^\(3\) /);
  let changes = 0;
  const watcher = new MutationObserver((records) => (changes += records.length));
  watcher.observe(status, { childList: true, characterData: true, subtree: true });
  await pass(10_500);
  expect(changes, "the same place is not told again").toBe(0);
  table[offer] = full(1, 2);
  await pass(10_500);
  expect(changes).toBe(1);
  expect(status).toHaveTextContent(/^You are next\.$/);
  expect(document.title).toMatch(/^\(1\) /);
  // Visibly too, and nowhere else as something to be read out.
  expect(screen.getByTestId("line-place")).toHaveTextContent("You are next.");
  expect(screen.getAllByRole("status")).toEqual([status]);
  watcher.disconnect();
});

it("lets in by itself whose turn it is, with the microphone that is open", async () => {
  const { table, microphone } = await start(full(1, 1));
  await screen.findByTestId("step-line");
  const status = screen.getByTestId("status");
  table[offer] = answered;
  await pass(5_100);
  expect(screen.getByTestId("step-interview")).toBeVisible();
  expect(document.title).toBe("Interview");
  expect(screen.getByRole("heading", { level: 1, name: "Interview" })).toHaveFocus();
  act(() => FakePeer.made.at(-1)?.become("connected"));
  await waitFor(() => expect(status).toHaveTextContent("Connected"));
  expect(microphone.asked).toBe(1);
});

it("keeps waiting without a network and says so", async () => {
  const { table } = await start(full(2, 2));
  await screen.findByTestId("step-line");
  table[offer] = () => Promise.reject(new TypeError("offline"));
  await pass(5_100);
  expect(screen.getByTestId("line-lost")).toHaveTextContent("Connection lost. We keep trying.");
  expect(screen.getByTestId("status")).toHaveTextContent("Connection lost. We keep trying.");
  await pass(60_000);
  expect(screen.getByTestId("line-place"), "as far as this page knows").toHaveTextContent("You were number 2 in line.");
  table[offer] = full(4, 4);
  await pass(2_100);
  expect(screen.queryByTestId("line-lost")).toBeNull();
  expect(screen.getByTestId("status")).toHaveTextContent("You are number 4 in line.");
});

it("can be left: the link's way back is shown, the microphone closed, and nobody asks any more", async () => {
  const { microphone, offers } = await start(full(3, 3));
  await userEvent.click(await screen.findByTestId("leave-line"));
  const away = await screen.findByTestId("step-away");
  expect(away).toHaveTextContent("You have left the line");
  expect(away).toHaveTextContent("your link stays good");
  expect(screen.getByRole("button", { name: "Copy my link" })).toBeVisible();
  expect(document.title).toBe("You have left the line");
  expect(microphone.tracks[0]?.stopped).toBe(true);
  const asked = offers();
  await pass(60_000);
  expect(offers()).toBe(asked);
  await userEvent.click(screen.getByTestId("come-back"));
  expect(await screen.findByTestId("step-microphone")).toBeVisible();
});

it("holds nobody back who closes the page", async () => {
  await start(full(3, 3));
  await screen.findByTestId("step-line");
  const leaving = new Event("beforeunload", { cancelable: true });
  window.dispatchEvent(leaving);
  expect(leaving.defaultPrevented).toBe(false);
});

/** What another tab says and hears. */
class FakeChannel {
  static readonly open = new Set<FakeChannel>();
  readonly name: string;
  onmessage: (() => void) | null = null;
  constructor(name: string) {
    this.name = name;
    FakeChannel.open.add(this);
  }
  postMessage() {
    for (const other of FakeChannel.open) if (other !== this && other.name === this.name) other.onmessage?.();
  }
  close() {
    FakeChannel.open.delete(this);
  }
}

it("of two tabs in line only the newer one waits", async () => {
  vi.stubGlobal("BroadcastChannel", FakeChannel);
  const heard = vi.fn();
  new FakeChannel("colloquy-line:s").onmessage = heard;
  const { offers } = await start(full(3, 3));
  await screen.findByTestId("step-line");
  expect(heard).toHaveBeenCalledTimes(1);
  act(() => new FakeChannel("colloquy-line:another").postMessage());
  expect(screen.getByTestId("step-line")).toBeVisible();
  act(() => new FakeChannel("colloquy-line:s").postMessage());
  expect(await screen.findByTestId("step-elsewhere")).toBeVisible();
  const asked = offers();
  await pass(60_000);
  expect(offers()).toBe(asked);
});

it("an interview that runs is not given up for a tab that waits", async () => {
  vi.stubGlobal("BroadcastChannel", FakeChannel);
  await start(answered);
  act(() => FakePeer.made.at(-1)?.become("connected"));
  await waitFor(() => expect(screen.getByTestId("status")).toHaveTextContent("Connected"));
  act(() => new FakeChannel("colloquy-line:s").postMessage());
  expect(screen.getByTestId("step-interview")).toBeVisible();
});

it("names a microphone that is pulled out while one waits", async () => {
  const { microphone } = await start(full(3, 3));
  await screen.findByTestId("step-line");
  microphone.plugged = false;
  act(() => {
    microphone.tracks[0]?.dispatchEvent(new Event("ended"));
  });
  expect(await screen.findByTestId("mic-vanished")).toHaveTextContent("You keep your place");
  microphone.plugged = true;
  microphone.devices.dispatchEvent(new Event("devicechange"));
  await waitFor(() => expect(screen.queryByTestId("mic-vanished")).toBeNull());
  expect(screen.getByTestId("step-line")).toBeVisible();
});

it("is an error as before where the server gives no place", async () => {
  await start(full());
  expect(await screen.findByTestId("step-away")).toHaveTextContent("The interview cannot start right now");
  expect(screen.getByTestId("problem")).toHaveAttribute("data-code", "full");
});
