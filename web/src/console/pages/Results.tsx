/** What the interviews of a study say together: themes, the grid of respondents and topics, and a search. */

import { useEffect, useState, type SyntheticEvent } from "react";
import { asProblem, type Problem } from "../../api/problem";
import type { Cell, Grid, Hits, Theme, Themes } from "../../api/types";
import { clock, count, quantity } from "../../shared/format";
import { Icon } from "../../shared/icons";
import { ProblemNote } from "../../shared/ProblemNote";
import { useConsole } from "../context";
import { Empty, PageHead, Sentiment, Shown } from "../parts";
import { Link, paths } from "../router";
import { Tabs } from "../Tabs";
import { useResource } from "../useResource";

export function ResultsPage({ id }: { id: string }) {
  const { api } = useConsole();
  const study = useResource(`study:${id}`, (signal) => api.study(id, signal));
  const themes = useResource(`themes:${id}`, (signal) => api.themes(id, signal));
  const grid = useResource(`grid:${id}`, (signal) => api.grid(id, null, signal));
  const title = study.data?.title ?? "Study";
  useEffect(() => {
    document.title = `Results of ${title} · Colloquy`;
  }, [title]);
  return (
    <>
      <PageHead
        title={`Results: ${title}`}
        above={
          <p className="crumbs">
            <Link to={paths.study(id)}>
              <Icon name="back" size={16} /> {title}
            </Link>
          </p>
        }
      />
      <Tabs
        label="Results"
        tabs={[
          { id: "themes", label: "Themes", body: () => <Shown of={themes}>{(data) => <ThemeList of={data} />}</Shown> },
          {
            id: "grid",
            label: "Respondents",
            body: () => <Shown of={grid}>{(data) => <GridTable id={id} first={data} />}</Shown>,
          },
          { id: "search", label: "Search", body: () => <Search id={id} /> },
        ]}
      />
    </>
  );
}

function ThemeList({ of: { themes, counted, truncated } }: { of: Themes }) {
  if (themes.length === 0) {
    return <Empty title="No results yet">Themes appear here as soon as an interview is coded.</Empty>;
  }
  return (
    <>
      <p className="muted" data-testid="counted">
        {count(counted, "coded interview")}
        {truncated && ", the newest; older ones are in the exports"}. Numbers are participants, each counted once.
      </p>
      <ul className="themes" data-testid="themes">
        {themes.map((theme) => (
          <ThemeCard key={theme.topic} theme={theme} />
        ))}
      </ul>
    </>
  );
}

function ThemeCard({ theme }: { theme: Theme }) {
  return (
    <li className="card theme" data-testid="theme">
      <h2>{theme.label}</h2>
      <p>
        <meter min={0} max={theme.of} value={theme.participants} aria-hidden="true" />{" "}
        <strong>
          {quantity(theme.participants)} of {quantity(theme.of)}
        </strong>{" "}
        participants, {count(theme.segments, "mention")}
      </p>
      <Feelings feelings={theme.feelings} />
      {theme.against.length > 0 && (
        <p className="small">
          Negative cases:{" "}
          {theme.against.slice(0, 10).map((one) => (
            <Link key={one.session_id} to={paths.turn(one.session_id, one.turn)} className="case">
              {one.participant}
            </Link>
          ))}
          {theme.against.length > 10 && ` and ${quantity(theme.against.length - 10)} more`}
        </p>
      )}
      <Shares title="By section" shares={theme.phases} />
      {theme.waves.length > 1 && <Shares title="By wave" shares={theme.waves} />}
    </li>
  );
}

const FEELINGS = ["positive", "mixed", "neutral", "negative"] as const;

function Feelings({ feelings }: { feelings: Theme["feelings"] }) {
  return (
    <span className="feelings">
      {FEELINGS.filter((sentiment) => feelings[sentiment] > 0).map((sentiment) => (
        <span key={sentiment}>
          <Sentiment value={sentiment} /> {quantity(feelings[sentiment])}
        </span>
      ))}
    </span>
  );
}

function Shares({ title, shares }: { title: string; shares: Theme["phases"] }) {
  return (
    <div className="small shares">
      <h3>{title}</h3>
      <ul>
        {shares.map((share) => (
          <li key={share.key} data-testid="share">
            <Places of={share} />
            <Feelings feelings={share.feelings} />
          </li>
        ))}
      </ul>
    </div>
  );
}

/** A number, and behind it the places where those whom it counts said so. */
function Places({ of }: { of: Theme["phases"][number] }) {
  const words = `${of.label}: ${quantity(of.participants)} of ${quantity(of.of)}`;
  if (of.places.length === 0) return <span className="places">{words}</span>;
  return (
    <details className="places" data-testid="places">
      <summary>{words}</summary>
      {of.places.map((place) => (
        <Link key={place.session_id} to={paths.turn(place.session_id, place.turn)} className="case">
          {place.participant}
        </Link>
      ))}
      {of.participants > of.places.length && `and ${quantity(of.participants - of.places.length)} more`}
    </details>
  );
}

function GridTable({ id, first }: { id: string; first: Grid }) {
  const { api } = useConsole();
  const [older, setOlder] = useState<Grid[]>([]);
  const [problem, setProblem] = useState<Problem | null>(null);
  const pages = [first, ...older];
  const rows = pages.flatMap((page) => page.rows);
  const labels = new Map(pages.flatMap((page) => page.topics).map(({ topic, label }) => [topic, label]));
  const topics = [...labels].sort(([, a], [, b]) => a.localeCompare(b));
  const next = pages.at(-1)?.next_before ?? null;
  const more = (before: string) => {
    setProblem(null);
    api.grid(id, before).then(
      (page) => setOlder((known) => [...known, page]),
      (error: unknown) => setProblem(asProblem(error)),
    );
  };
  if (rows.length === 0 && next === null) {
    return <Empty title="No results yet">Respondents appear here as soon as their interview is coded.</Empty>;
  }
  return (
    <>
      <div className="table-frame card">
        <table className="grid" data-testid="grid">
          <thead>
            <tr>
              <th scope="col">Respondent</th>
              {topics.map(([topic, label]) => (
                <th key={topic} scope="col">
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.session_id} data-testid="respondent">
                <th scope="row">
                  <Link to={paths.session(row.session_id)}>{row.participant}</Link>{" "}
                  {row.outcome === "partial" && <span className="tag">partial</span>}
                </th>
                {topics.map(([topic]) => (
                  <td key={topic}>
                    <CellBody session={row.session_id} cell={row.cells.find((cell) => cell.topic === topic)} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {problem !== null && <ProblemNote problem={problem} />}
      {next !== null && (
        <button type="button" className="button" onClick={() => more(next)}>
          Show older respondents
        </button>
      )}
    </>
  );
}

function CellBody({ session, cell }: { session: string; cell: Cell | undefined }) {
  if (cell === undefined) return <span className="muted">–</span>;
  return (
    <>
      <Sentiment value={cell.sentiment} />
      <ul className="quotes-of-cell">
        {cell.quotes.map((quote) => (
          <li key={`${quote.turn}:${quote.start_ms}`}>
            <Link to={paths.turn(session, quote.turn)} testId="listen">
              {quote.text === "" ? `Listen at ${clock(quote.start_ms)}` : `“${quote.text}”`}
            </Link>
          </li>
        ))}
      </ul>
    </>
  );
}

function Search({ id }: { id: string }) {
  const { api } = useConsole();
  const [phrase, setPhrase] = useState("");
  const [found, setFound] = useState<{ phrase: string; hits: Hits } | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const look = (event: SyntheticEvent) => {
    event.preventDefault();
    setProblem(null);
    api.search(id, phrase, null).then(
      (hits) => setFound({ phrase, hits }),
      (error: unknown) => {
        setFound(null);
        setProblem(asProblem(error));
      },
    );
  };
  const older = (shown: { phrase: string; hits: Hits }, before: string) => {
    setProblem(null);
    api.search(id, shown.phrase, before).then(
      (more) => setFound({ phrase: shown.phrase, hits: { ...more, hits: [...shown.hits.hits, ...more.hits] } }),
      (error: unknown) => setProblem(asProblem(error)),
    );
  };
  const next = found?.hits.next_before ?? null;
  return (
    <>
      <form className="filters" role="search" onSubmit={look}>
        <div>
          <label className="label" htmlFor="phrase">
            What participants said
          </label>
          <input
            id="phrase"
            type="search"
            value={phrase}
            onChange={(event) => setPhrase(event.target.value)}
            required
          />
        </div>
        <button type="submit" className="button">
          Search
        </button>
      </form>
      {problem !== null && <ProblemNote problem={problem} />}
      <p role="status" className="muted" data-testid="found">
        {found !== null &&
          (next === null
            ? `${count(found.hits.hits.length, "place")} with “${found.phrase}”`
            : `${count(found.hits.hits.length, "place")} with “${found.phrase}” so far`)}
      </p>
      <ul className="hits">
        {found?.hits.hits.map((hit) => {
          // Code points, as the server counts them.
          const characters = Array.from(hit.text);
          return (
            <li key={`${hit.session_id}:${hit.turn}:${hit.from_char}`} className="card" data-testid="hit">
              <Link to={paths.turn(hit.session_id, hit.turn)}>
                {hit.participant} at {clock(hit.start_ms)}
              </Link>
              <p>
                {characters.slice(0, hit.from_char).join("")}
                <mark>{characters.slice(hit.from_char, hit.to_char).join("")}</mark>
                {characters.slice(hit.to_char).join("")}
              </p>
            </li>
          );
        })}
      </ul>
      {found !== null && next !== null && (
        <button type="button" className="button" onClick={() => older(found, next)} data-testid="older-hits">
          Search older interviews
        </button>
      )}
    </>
  );
}
