/** One session: sound, words, what came of them, what they cost, and how it went. */

import { useEffect, useRef, useState } from "react";
import { asProblem, type Problem } from "../../api/problem";
import type { Report, Segment, SessionDetail, Turn } from "../../api/types";
import { Dialog } from "../../shared/Dialog";
import { bytes, dollars, duration, latency, moment, quantity } from "../../shared/format";
import { Icon } from "../../shared/icons";
import { ProblemNote } from "../../shared/ProblemNote";
import { ExportMenu, OF_SESSION } from "../ExportMenu";
import { useConsole, useLive } from "../context";
import { CorrectSegment } from "../CorrectSegment";
import { CostPanel } from "../CostPanel";
import { JournalPanel } from "../JournalPanel";
import { isLive, standing } from "../labels";
import { Badge, Figure, PageHead, Shown } from "../parts";
import { Player, type PlayerHandle } from "../Player";
import { ReportRail } from "../ReportRail";
import { Link, paths, useLocation } from "../router";
import { Tabs } from "../Tabs";
import { Transcript } from "../Transcript";
import { turnAt } from "../transcript";
import { useResource, useThrottled } from "../useResource";
import { shortId } from "./Sessions";

/** While the report is being made, or the stream is broken, ask again by the clock. */
const POLL_MS = 4_000;

export function SessionPage({ id }: { id: string }) {
  const { api } = useConsole();
  const session = useResource(`session:${id}`, (signal) => api.session(id, signal));
  const turns = useResource(`turns:${id}`, (signal) => api.turns(id, signal));
  const costs = useResource(`costs:${id}`, (signal) => api.costs(id, signal));
  const journal = useResource(`journal:${id}`, (signal) => api.journal(id, signal));
  const hasReport = session.data?.report === "ready";
  const report = useResource(hasReport ? `report:${id}` : null, (signal) => api.report(id, signal));
  const hasRecording = session.data?.recording != null;
  const sound = useResource(hasRecording ? `sound:${id}` : null, async (signal) => {
    const [recording, waveform] = await Promise.all([api.recording(id, signal), api.waveform(id, signal)]);
    return { recording, waveform };
  });

  const refreshAll = () => {
    session.reload();
    turns.reload();
    costs.reload();
    journal.reload();
  };
  const refresh = useThrottled(refreshAll, 700);
  useLive({
    onSession: (changed) => {
      if (changed.id !== id) return;
      session.set((before) => ({ ...before, ...changed }));
      refresh();
    },
    onReopened: refresh,
  });
  const pending = session.data !== null && (isLive(session.data.state) || session.data.report === "working");
  useEffect(() => {
    if (!pending) return;
    const timer = window.setInterval(refresh, POLL_MS);
    return () => window.clearInterval(timer);
  }, [pending, refresh]);
  useEffect(() => {
    document.title = `Session ${shortId(id)} · Colloquy`;
  }, [id]);

  const player = useRef<PlayerHandle>(null);
  const [current, setCurrent] = useState<number | null>(null);
  const [playing, setPlaying] = useState(false);
  const [correcting, setCorrecting] = useState<Segment | null>(null);
  const play = (fromMs: number, toMs: number) => player.current?.play(fromMs, toMs);
  // Whoever comes by a quote wants to hear it.
  const asked = Number(useLocation().searchParams.get("turn") ?? "0");
  const heard = useRef(0);
  const askedTurn = turns.data?.find((turn) => turn.turn === asked);
  const audible = sound.data !== null;
  useEffect(() => {
    if (!audible || askedTurn === undefined || heard.current === askedTurn.turn) return;
    heard.current = askedTurn.turn;
    player.current?.play(askedTurn.start_ms, askedTurn.end_ms);
  }, [audible, askedTurn]);
  const onTime = (ms: number, isPlaying: boolean) => {
    setCurrent(turnAt(turns.data ?? [], ms));
    setPlaying(isPlaying);
  };

  if (session.data === null) {
    return (
      <>
        <PageHead title="Session" />
        <Shown of={session}>{() => null}</Shown>
      </>
    );
  }
  return (
    <Shown of={session}>
      {(data) => (
        <>
          <Head session={data} />
          <CorrectSegment
            session={data.id}
            segment={correcting}
            onClose={() => setCorrecting(null)}
            onSaved={() => {
              turns.reload();
              refresh();
            }}
          />
          <Figures session={data} report={report.data} turns={turns.data} />
          <Tabs
            label="Session"
            tabs={[
              {
                id: "interview",
                label: "Interview",
                body: () => (
                  <div className="columns">
                    <div className="main-column">
                      {hasRecording ? (
                        <Shown of={sound}>
                          {({ recording, waveform }) => (
                            <Player ref={player} recording={recording} waveform={waveform} onTime={onTime} />
                          )}
                        </Shown>
                      ) : (
                        <p className="muted" data-testid="no-recording">
                          {isLive(data.state)
                            ? "The interview is running. The recording can be played once it has ended."
                            : "There is no finished recording of this session."}
                        </p>
                      )}
                      <Shown of={turns}>
                        {(list) => (
                          <Transcript
                            turns={list}
                            language={data.language}
                            live={isLive(data.state)}
                            current={current ?? (asked > 0 ? asked : null)}
                            follow={playing || current === null}
                            onPlay={sound.data === null ? null : (turn) => play(turn.start_ms, turn.end_ms)}
                            onCorrect={setCorrecting}
                          />
                        )}
                      </Shown>
                    </div>
                    <ReportRail
                      session={data}
                      report={report.data}
                      problem={report.problem}
                      onPlay={sound.data === null ? null : play}
                    />
                  </div>
                ),
              },
              { id: "costs", label: "Cost", body: () => <Shown of={costs}>{(c) => <CostPanel costs={c} />}</Shown> },
              {
                id: "journal",
                label: "Journal",
                body: () => <Shown of={journal}>{(entries) => <JournalPanel entries={entries} />}</Shown>,
              },
            ]}
          />
        </>
      )}
    </Shown>
  );
}

function Head({ session }: { session: SessionDetail }) {
  const { label, tone } = standing(session);
  const [asking, setAsking] = useState(false);
  return (
    <>
      <PageHead
        title={
          <>
            {session.external_id ?? `Session ${shortId(session.id)}`}{" "}
            <Badge tone={tone} testId="session-state">
              {label}
            </Badge>
          </>
        }
        above={
          <p className="crumbs">
            <Link to={paths.sessions}>
              <Icon name="back" size={16} /> Sessions
            </Link>
          </p>
        }
      >
        {session.turns > 0 && <ExportMenu of="sessions" id={session.id} choices={OF_SESSION} />}
        {isLive(session.state) && (
          <button
            type="button"
            className="button danger"
            onClick={() => setAsking(true)}
            disabled={session.state === "closing"}
            data-testid="end-session"
          >
            End session
          </button>
        )}
      </PageHead>
      <p className="muted breakable">
        <Link to={paths.study(session.study_id)}>{session.study_title}</Link> version {session.study_version} ·{" "}
        {session.language}
        {session.length === "rehearsal" && " · rehearsal"} · <code>{session.id}</code>
      </p>
      <EndSession id={session.id} open={asking} onClose={() => setAsking(false)} />
    </>
  );
}

function EndSession({ id, open, onClose }: { id: string; open: boolean; onClose: () => void }) {
  const { api } = useConsole();
  const [problem, setProblem] = useState<Problem | null>(null);
  const end = () => {
    api.endSession(id).then(onClose, (error: unknown) => setProblem(asProblem(error)));
  };
  return (
    <Dialog open={open} title="End this session?" onClose={onClose} testId="end-session-dialog">
      <p>The interviewer says goodbye and the session ends. What was said so far is kept and analysed.</p>
      {problem !== null && <ProblemNote problem={problem} />}
      <div className="actions end">
        <button type="button" className="button" onClick={onClose}>
          Let it go on
        </button>
        <button type="button" className="button danger" onClick={end} data-testid="end-session-confirm">
          End session
        </button>
      </div>
    </Dialog>
  );
}

interface FiguresProps {
  session: SessionDetail;
  report: Report | null;
  turns: Turn[] | null;
}

function Figures({ session, report, turns }: FiguresProps) {
  const figures = report?.figures;
  return (
    <dl className="figures" data-testid="figures">
      <Figure
        label="Length"
        value={session.duration_ms == null ? "–" : duration(session.duration_ms)}
        {...(session.started_at == null ? {} : { hint: moment(session.started_at) })}
      />
      <Figure
        label={isLive(session.state) ? "Section now" : "Sections visited"}
        value={isLive(session.state) ? (session.phase_title ?? "–") : quantity(visited(session))}
      />
      <Figure label="Turns" value={quantity(Math.max(session.turns, turns?.length ?? 0))} />
      <Figure
        label="First voice"
        value={session.first_voice_ms == null ? "–" : latency(session.first_voice_ms)}
        hint="goal: under 2 s"
      />
      <Figure
        label="Answer after"
        value={figures?.response_latency_p50_ms == null ? "–" : latency(figures.response_latency_p50_ms)}
        {...(figures?.response_latency_p95_ms == null
          ? {}
          : { hint: `95 % within ${latency(figures.response_latency_p95_ms)}` })}
      />
      <Figure
        label="Cost"
        value={dollars(session.cost_micro_usd)}
        {...(session.recording == null ? {} : { hint: `recording ${bytes(session.recording.bytes)}` })}
      />
    </dl>
  );
}

function visited(session: SessionDetail): number {
  return new Set(session.phases.map((phase) => phase.id)).size;
}
