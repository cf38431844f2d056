/** The researcher's console. */

import { useEffect, useMemo, useState } from "react";
import icon from "../shared/icon.svg";
import "../styles/console.css";
import { ConsoleApi } from "./api";
import { ConsoleContext, useLiveState } from "./context";
import { LiveFeed } from "./live";
import { OperationsPage } from "./pages/Operations";
import { ResultsPage } from "./pages/Results";
import { SessionPage } from "./pages/Session";
import { SessionsPage } from "./pages/Sessions";
import { SignIn } from "./pages/SignIn";
import { StudiesPage } from "./pages/Studies";
import { StudyPage } from "./pages/Study";
import { WorkPage } from "./pages/Work";
import { Empty } from "./parts";
import { Link, paths, routeOf, useLocation, type Route } from "./router";
import { forgetToken, keepToken, takeToken } from "./token";

export default function ConsolePage() {
  const [token, setToken] = useState(takeToken);
  if (token === null) {
    return (
      <SignIn
        onToken={(given) => {
          keepToken(given);
          setToken(given);
        }}
      />
    );
  }
  return (
    <SignedIn
      key={token}
      token={token}
      onLeave={() => {
        forgetToken();
        setToken(null);
      }}
    />
  );
}

function SignedIn({ token, onLeave }: { token: string; onLeave: () => void }) {
  const value = useMemo(() => {
    const api = new ConsoleApi(token);
    return { api, feed: new LiveFeed((signal) => api.events(signal)) };
  }, [token]);
  useEffect(() => value.feed.start(), [value]);
  const route = routeOf(useLocation().pathname);
  return (
    <ConsoleContext value={value}>
      <div className="console">
        <TopBar route={route} onLeave={onLeave} />
        <main className="c-main">
          <Routed route={route} />
        </main>
      </div>
    </ConsoleContext>
  );
}

function TopBar({ route, onLeave }: { route: Route; onLeave: () => void }) {
  return (
    <header className="c-top">
      <Link to={paths.studies} className="brand">
        <img src={icon} alt="" width="26" height="26" />
        Colloquy
      </Link>
      <nav aria-label="Console">
        <Link to={paths.studies} current={["studies", "study", "results"].includes(route.page)}>
          Studies
        </Link>
        <Link to={paths.sessions} current={route.page === "sessions" || route.page === "session"} testId="nav-sessions">
          Sessions
        </Link>
        <Link to={paths.work} current={route.page === "work"} testId="nav-work">
          Work
        </Link>
        <Link to={paths.operations} current={route.page === "operations"} testId="nav-operations">
          Operations
        </Link>
      </nav>
      <Updates />
      <button type="button" className="button quiet small" onClick={onLeave}>
        Sign out
      </button>
    </header>
  );
}

/** Whether what is shown is what is so. */
function Updates() {
  const state = useLiveState();
  const label = { connecting: "Connecting", live: "Up to date", broken: "Reconnecting" }[state];
  return (
    <p className={`updates ${state}`} role="status" data-testid="updates">
      {label}
    </p>
  );
}

function Routed({ route }: { route: Route }) {
  switch (route.page) {
    case "studies":
      return <StudiesPage />;
    case "study":
      return <StudyPage key={route.id} id={route.id} />;
    case "results":
      return <ResultsPage key={route.id} id={route.id} />;
    case "sessions":
      return <SessionsPage />;
    case "session":
      return <SessionPage key={route.id} id={route.id} />;
    case "work":
      return <WorkPage />;
    case "operations":
      return <OperationsPage />;
    case "unknown":
      return (
        <Empty title="There is no such page">
          <Link to={paths.studies}>To the studies</Link>
        </Empty>
      );
  }
}
