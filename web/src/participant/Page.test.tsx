import { act, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { refusal, stubApi, stubMicrophone } from "../../tests/pages";
import type { Participation } from "../api/types";
import ParticipantPage from "./Page";
import { Thanks } from "./steps/Ends";

const participation: Participation = {
  session_id: "s",
  state: "invited",
  study: {
    title: "How people choose tools",
    organisation: "Institute for Working Life",
    welcome: "Welcome to the study.\n\nThere are no wrong answers.",
    consent_text: "Taking part is voluntary.",
    contact: "office@example",
    language: "es",
    minutes_target: 18,
    phases: [
      { id: "a", title: "A" },
      { id: "b", title: "B" },
    ],
  },
  consent: "pending",
  outcome: null,
  completion: null,
  returnable_until: null,
};
const get = "GET /participation";
const consented = { participation: { ...participation, consent: "given" } };

beforeEach(() => {
  window.history.replaceState(null, "", "/i#link-secret");
});

afterEach(() => {
  vi.useRealTimers();
});

describe("welcome", () => {
  it("says before any sound who asks, that it is an AI, what is recorded and how long it takes", async () => {
    stubApi({ [get]: { participation } });
    render(<ParticipantPage />);
    const heading = await screen.findByRole("heading", { level: 1, name: "How people choose tools" });
    await waitFor(() => expect(heading).toHaveFocus());
    expect(screen.getByText("Institute for Working Life")).toBeVisible();
    expect(screen.getByText("The interviewer is an AI")).toBeVisible();
    expect(screen.getByText("Your voice is recorded")).toBeVisible();
    expect(screen.getByText("It takes about 18 minutes")).toBeVisible();
    expect(screen.getByText("Taking part is voluntary.")).toBeVisible();
    expect(screen.getByTestId("consent-text")).toHaveAttribute("lang", "es");
  });

  it("asks for the microphone only after consent and a click", async () => {
    const calls = stubApi({ [get]: { participation }, "POST /participation/consent": consented });
    const microphone = stubMicrophone();
    render(<ParticipantPage />);
    await userEvent.click(await screen.findByTestId("consent-accept"));
    expect(await screen.findByTestId("step-microphone")).toBeVisible();
    expect(calls.at(-1)).toEqual({ call: "POST /participation/consent", body: '{"accepted":true}' });
    expect(microphone.asked).toBe(0);
    await userEvent.click(screen.getByTestId("mic-open"));
    expect(await screen.findByTestId("mic-verdict")).toBeVisible();
    expect(microphone.asked).toBe(1);
  });

  it("takes a no after asking once more, kindly", async () => {
    const declined = { participation: { ...participation, consent: "declined", state: "ended" } };
    const calls = stubApi({ [get]: { participation }, "POST /participation/consent": declined });
    render(<ParticipantPage />);
    await userEvent.click(await screen.findByTestId("consent-decline"));
    expect(calls).toHaveLength(1);
    await userEvent.click(screen.getByTestId("decline-confirm"));
    expect(await screen.findByTestId("step-declined")).toHaveTextContent("perfectly fine");
    expect(calls.at(-1)?.body).toBe('{"accepted":false}');
  });

  it("keeps the choice open when the server did not hear it", async () => {
    stubApi({ [get]: { participation } });
    render(<ParticipantPage />);
    await userEvent.click(await screen.findByTestId("consent-accept"));
    expect(await screen.findByTestId("problem")).toHaveTextContent("cannot be reached");
    expect(screen.getByTestId("consent-accept")).toBeEnabled();
  });
});

describe("a link that does not work", () => {
  it("says what happened and what to do", async () => {
    stubApi({ [get]: refusal(404, "unknown_link", "This link is unknown", "Copy the whole link.") });
    render(<ParticipantPage />);
    const problem = await screen.findByTestId("problem");
    expect(problem).toHaveTextContent("This link is unknown");
    expect(problem).toHaveTextContent("Detail of unknown_link.");
    expect(problem).toHaveTextContent("Copy the whole link.");
  });

  it.each(["", "#"])("asks for nothing with the fragment %j", async (hash) => {
    window.history.replaceState(null, "", `/i${hash}`);
    const calls = stubApi({});
    render(<ParticipantPage />);
    expect(await screen.findByTestId("problem")).toHaveTextContent("The link is incomplete");
    expect(calls).toEqual([]);
  });

  it("can be tried again when the server was away", async () => {
    const table: Record<string, unknown> = {};
    stubApi(table);
    render(<ParticipantPage />);
    await screen.findByTestId("problem");
    table[get] = { participation };
    await userEvent.click(screen.getByTestId("retry"));
    expect(await screen.findByTestId("step-welcome")).toBeVisible();
  });

  it("shows its code again when it was used", async () => {
    const completion = { message: "Thanks!", code: "C1X7", redirect_url: null };
    stubApi({
      [get]: { participation: { ...consented.participation, state: "ended", outcome: "complete", completion } },
    });
    render(<ParticipantPage />);
    expect(await screen.findByText("You have already taken part")).toBeVisible();
    expect(screen.getByTestId("completion-code")).toHaveTextContent("C1X7");
  });
});

it("who is away is taken back without a click once another network is there", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  stubApi({ [get]: { participation: { ...consented.participation, state: "paused" } } });
  const microphone = stubMicrophone();
  render(<ParticipantPage />);
  await userEvent.click(await screen.findByTestId("mic-open"));
  await userEvent.click(await screen.findByTestId("start-interview"));
  // No connection can be made here, which the page takes for a network that blocks audio.
  await act(() => vi.advanceTimersByTimeAsync(31_000));
  expect(await screen.findByTestId("step-away")).toHaveTextContent("answers so far are saved");
  act(() => {
    window.dispatchEvent(new Event("online"));
  });
  expect(await screen.findByTestId("step-interview")).toBeVisible();
  expect(microphone.asked).toBe(2);
});

it.each([
  ["is over", { state: "ended", outcome: "complete" }, null],
  ["goes on", { state: "paused", outcome: null }, "kept"],
])("the grant of an interview that %s", async (_, now, kept) => {
  window.sessionStorage.setItem("colloquy-grant:link-secret", "kept");
  stubApi({ [get]: { participation: { ...consented.participation, ...now } } });
  render(<ParticipantPage />);
  await screen.findByRole("heading", { level: 1 });
  await waitFor(() => expect(window.sessionStorage.getItem("colloquy-grant:link-secret")).toBe(kept));
});

describe("microphone", () => {
  it.each([
    ["NotAllowedError", "denied", "The microphone is blocked"],
    ["NotFoundError", "missing", "No microphone was found"],
    ["NotReadableError", "busy", "The microphone is in use"],
    ["TypeError", "failed", "The microphone did not start"],
  ])("%s is explained and can be tried again", async (fails, fault, words) => {
    stubApi({ [get]: consented });
    const microphone = stubMicrophone({ fails });
    render(<ParticipantPage />);
    await userEvent.click(await screen.findByTestId("mic-open"));
    const help = await screen.findByTestId("mic-fault");
    expect(help).toHaveAttribute("data-fault", fault);
    expect(help).toHaveTextContent(words);
    await userEvent.click(screen.getByTestId("mic-retry"));
    expect(microphone.asked).toBe(2);
  });

  it("a block that the browser remembers is explained without asking", async () => {
    stubApi({ [get]: consented });
    const microphone = stubMicrophone({ permission: "denied" });
    render(<ParticipantPage />);
    expect(await screen.findByTestId("mic-fault")).toHaveAttribute("data-fault", "denied");
    expect(microphone.asked).toBe(0);
  });

  it("a browser without WebRTC is told so", async () => {
    stubApi({ [get]: consented });
    stubMicrophone();
    vi.stubGlobal("RTCPeerConnection", undefined);
    render(<ParticipantPage />);
    await userEvent.click(await screen.findByTestId("mic-open"));
    expect(await screen.findByTestId("mic-fault")).toHaveTextContent("cannot hold a voice interview");
    expect(screen.queryByTestId("mic-retry")).toBeNull();
  });

  it("tells speech from silence, and a dead microphone from both", async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    stubApi({ [get]: consented });
    const microphone = stubMicrophone();
    render(<ParticipantPage />);
    await userEvent.click(await screen.findByTestId("mic-open"));
    expect(await screen.findByTestId("mic-verdict")).toHaveTextContent("not heard you yet");
    await act(() => vi.advanceTimersByTimeAsync(5_500));
    expect(screen.getByTestId("mic-silent")).toBeVisible();
    microphone.amplitude = 0.2;
    await act(() => vi.advanceTimersByTimeAsync(500));
    expect(screen.getByTestId("mic-verdict")).toHaveTextContent("We can hear you");
    expect(screen.queryByTestId("mic-silent")).toBeNull();
  });

  it("that is pulled out stops the start", async () => {
    stubApi({ [get]: consented });
    const microphone = stubMicrophone();
    render(<ParticipantPage />);
    await userEvent.click(await screen.findByTestId("mic-open"));
    await screen.findByTestId("mic-verdict");
    act(() => {
      microphone.tracks[0]?.dispatchEvent(new Event("ended"));
    });
    expect(screen.getByTestId("mic-verdict")).toHaveTextContent("gone");
    expect(screen.getByTestId("start-interview")).toBeDisabled();
  });

  it("that is pulled out in the interview is named, and taken again once it is back", async () => {
    stubApi({ [get]: consented });
    const microphone = stubMicrophone();
    render(<ParticipantPage />);
    await userEvent.click(await screen.findByTestId("mic-open"));
    await userEvent.click(await screen.findByTestId("start-interview"));
    await userEvent.click(await screen.findByTestId("mute"));
    microphone.plugged = false;
    act(() => {
      microphone.tracks[0]?.dispatchEvent(new Event("ended"));
    });
    expect(await screen.findByTestId("mic-vanished")).toHaveTextContent("plug it in again");
    expect(microphone.asked).toBe(1);
    microphone.plugged = true;
    // One device tells of itself more than once.
    microphone.devices.dispatchEvent(new Event("devicechange"));
    microphone.devices.dispatchEvent(new Event("devicechange"));
    await waitFor(() => expect(screen.queryByTestId("mic-vanished")).toBeNull());
    expect(microphone.asked).toBe(2);
    expect(microphone.tracks[1]?.enabled, "still muted").toBe(false);
  });

  it("welcomes back who returns", async () => {
    stubApi({ [get]: { participation: { ...consented.participation, state: "paused" } } });
    stubMicrophone();
    render(<ParticipantPage />);
    expect(await screen.findByRole("heading", { name: "Welcome back" })).toBeVisible();
  });
});

describe("thanks", () => {
  const props = { outcome: "complete", when: "now", contact: "", language: "en" } as const;

  it("copies the completion code", async () => {
    const user = userEvent.setup();
    render(<Thanks {...props} completion={{ message: "", code: "C1X7", redirect_url: null }} />);
    await user.click(screen.getByTestId("copy-code"));
    expect(await navigator.clipboard.readText()).toBe("C1X7");
    expect(screen.getByTestId("copy-code")).toHaveTextContent("Copied");
  });

  it("counts down to the panel and can be stopped", async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    render(
      <Thanks {...props} completion={{ message: "", code: null, redirect_url: "https://panel.example/x?cc=1" }} />,
    );
    expect(screen.getByTestId("redirect")).toHaveAttribute("href", "https://panel.example/x?cc=1");
    for (let second = 0; second < 3; second++) await act(() => vi.advanceTimersByTimeAsync(1_010));
    expect(screen.getByTestId("redirect-left")).toHaveTextContent("in 7 s");
    await userEvent.click(screen.getByTestId("redirect-stay"));
    expect(screen.queryByTestId("redirect-left")).toBeNull();
  });

  it("follows no address that is not of the web", () => {
    render(<Thanks {...props} completion={{ message: "", code: "C", redirect_url: "javascript:alert(1)" }} />);
    expect(screen.queryByTestId("redirect")).toBeNull();
    expect(screen.getByText("You can close this page.")).toBeVisible();
  });

  it.each([
    "complete",
    "partial",
    "screened_out",
    "quota_full",
    "withdrawn",
    "technical",
    "budget",
    "no_show",
    "new_one",
  ])("has words for %s", (outcome) => {
    render(<Thanks {...props} outcome={outcome} completion={null} />);
    expect(screen.getByTestId("step-thanks").textContent).not.toContain("undefined");
  });
});
