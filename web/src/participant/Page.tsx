/** The participant's page: `/i#SECRET`. The secret stays in the fragment, which browsers never send. */

import { useCallback, useEffect, useMemo, useReducer } from "react";
import { ApiError, asProblem, type Problem } from "../api/problem";
import type { Completion } from "../api/types";
import "../styles/participant.css";
import { flow, START, type FlowEvent, type Step } from "./flow";
import { Shell, StepCard } from "./Shell";
import { ParticipantApi } from "./signal";
import { Away, Declined, Elsewhere, LinkProblem, Thanks } from "./steps/Ends";
import { InterviewStep } from "./steps/Interview";
import { MicrophoneStep } from "./steps/Microphone";
import { Welcome } from "./steps/Welcome";
import { useMicrophone } from "./useMicrophone";
import { askingOf, useReturn } from "./useReturn";

/** Where each step stands among the four that a participant sees. */
const PLACE: Record<Step["step"], number | null> = {
  loading: null,
  problem: null,
  welcome: 0,
  declined: null,
  microphone: 1,
  interview: 2,
  away: 2,
  elsewhere: 2,
  thanks: 3,
};

export default function ParticipantPage() {
  const secret = useMemo(() => window.location.hash.slice(1), []);
  const api = useMemo(() => new ParticipantApi(secret), [secret]);
  const [{ current, participation }, tell] = useReducer(flow, START);
  const microphone = useMicrophone(tell);
  const { close, open } = microphone;
  const loading = current.step === "loading";

  useEffect(() => {
    // Another link pasted into the same tab is another session.
    const reload = () => window.location.reload();
    window.addEventListener("hashchange", reload);
    return () => window.removeEventListener("hashchange", reload);
  }, []);

  useEffect(() => {
    if (!loading) return;
    if (secret === "") {
      tell({ type: "load_failed", problem: INCOMPLETE });
      return;
    }
    let gone = false;
    const tellIfHere = (event: FlowEvent) => {
      if (!gone) tell(event);
    };
    api.participation().then(
      (participation) => tellIfHere({ type: "loaded", participation }),
      (error: unknown) => tellIfHere({ type: "load_failed", problem: asProblem(error) }),
    );
    return () => {
      gone = true;
    };
  }, [api, loading, secret]);

  const needsMicrophone = current.step === "microphone" || current.step === "interview";
  useEffect(() => {
    // The recording light goes out as soon as it is not needed.
    if (!needsMicrophone) close();
  }, [needsMicrophone, close]);

  const over = current.step === "thanks" || current.step === "declined";
  useEffect(() => {
    if (over) api.forgetGrant();
  }, [api, over]);

  const consent = (accepted: boolean) => {
    tell({ type: "consent_sent", accepted });
    api.consent(accepted).then(
      (stored) => tell({ type: "consent_stored", participation: stored }),
      (error: unknown) => tell({ type: "consent_failed", problem: asProblem(error) }),
    );
  };
  const heard = useCallback(() => tell({ type: "mic_heard" }), []);
  const denied = useCallback(() => tell({ type: "mic_failed", fault: "denied" }), []);
  const ended = (outcome: string, completion: Completion | null) => tell({ type: "ended", outcome, completion });
  // Until when one can come back is told now: once it is needed, the network is gone.
  const running = () => {
    api.participation().then(
      (now) => tell({ type: "refreshed", participation: now }),
      () => undefined,
    );
  };
  const lost = () => {
    api.participation().then(
      (now) => {
        if (now.state === "ended") ended(now.outcome ?? "partial", now.completion ?? null);
        else tell({ type: "call_lost", participation: now });
      },
      () => tell({ type: "call_lost", participation: null }),
    );
  };
  const refused = (problem: Problem, connectedOnce: boolean) => {
    const begun = connectedOnce || participation?.state === "active" || participation?.state === "paused";
    // "Gone" may mean that the interview came to its end while we were away: then that is what to show.
    api.participation().then(
      ({ state, outcome, completion }) => {
        if (state === "ended") ended(outcome ?? "partial", completion ?? null);
        else tell({ type: "call_refused", problem, begun });
      },
      (error: unknown) =>
        tell({ type: "call_refused", problem: error instanceof ApiError ? problem : asProblem(error), begun }),
    );
  };
  const asking = current.step === "away" ? askingOf(current.problem, current.begun) : "never";
  useReturn({
    asking,
    lost: current.step === "away" && current.problem === null,
    ask: () => api.participation(),
    onAnswer: (now, alone) => {
      if (now.state === "ended") {
        ended(now.outcome ?? "partial", now.completion ?? null);
        return;
      }
      if (!alone) {
        tell({ type: "come_back" });
        return;
      }
      void open(null).then((stream) =>
        tell(stream === null ? { type: "come_back" } : { type: "returned", participation: now }),
      );
    },
  });

  return (
    <Shell organisation={participation?.study.organisation ?? null} at={PLACE[current.step]}>
      {body()}
    </Shell>
  );

  function body() {
    if (current.step === "loading") {
      return (
        <p role="status" className="page-loading">
          Opening your interview…
        </p>
      );
    }
    if (current.step === "problem" || participation === null) {
      const problem = current.step === "problem" ? current.problem : asProblem(null);
      return <LinkProblem problem={problem} onRetry={() => tell({ type: "retry" })} />;
    }
    const { study } = participation;
    switch (current.step) {
      case "welcome":
        return <Welcome study={study} sending={current.sending} problem={current.problem} onConsent={consent} />;
      case "declined":
        return <Declined organisation={study.organisation} completion={participation.completion ?? null} />;
      case "microphone":
        return (
          <MicrophoneStep
            mic={current.mic}
            microphone={microphone}
            returning={current.returning}
            onHeard={heard}
            onDenied={denied}
            onStart={() => tell({ type: "started" })}
          />
        );
      case "interview":
        return microphone.stream === null ? (
          <StepCard title="One moment" testId="step-waiting">
            <p role="status">Opening the microphone…</p>
          </StepCard>
        ) : (
          <InterviewStep
            api={api}
            session={participation.session_id}
            microphone={microphone}
            stream={microphone.stream}
            language={study.language}
            onEnded={ended}
            onRefused={refused}
            onLost={lost}
            onLeave={() => tell({ type: "line_left" })}
            onReplaced={() => tell({ type: "replaced" })}
            onRunning={running}
          />
        );
      case "away":
        return (
          <Away
            problem={current.problem}
            begun={current.begun}
            byItself={asking === "asking"}
            returnableUntil={participation.returnable_until ?? null}
            onRetry={() => tell({ type: "come_back" })}
          />
        );
      case "elsewhere":
        return <Elsewhere onHere={() => tell({ type: "come_back" })} />;
      case "thanks":
        return (
          <Thanks
            outcome={current.outcome}
            completion={current.completion}
            when={current.when}
            contact={study.contact}
            language={study.language}
          />
        );
    }
  }
}

const INCOMPLETE: Problem = {
  code: "incomplete_link",
  title: "The link is incomplete",
  status: 404,
  detail: "The part of the address after the # is missing, and it is what opens your interview.",
  remedy: "Open the link exactly as you received it, or copy the whole of it into the address bar.",
  mistakes: [],
};
