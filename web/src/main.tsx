/** The two pages. Each is loaded on its own, so that a participant never downloads the console. */

import { lazy, StrictMode, Suspense } from "react";
import { createRoot } from "react-dom/client";
import "./styles/tokens.css";
import "./styles/base.css";
import { Failsafe } from "./shared/Failsafe";

const ParticipantPage = lazy(() => import("./participant/Page"));
const ConsolePage = lazy(() => import("./console/Page"));

function Root() {
  const page = window.location.pathname.startsWith("/console") ? <ConsolePage /> : <ParticipantPage />;
  return (
    <Failsafe>
      <Suspense
        fallback={
          <p className="page-loading" role="status">
            Loading…
          </p>
        }
      >
        {page}
      </Suspense>
    </Failsafe>
  );
}

const container = document.getElementById("root");
if (container === null) throw new Error("index.html has no #root");
createRoot(container).render(
  <StrictMode>
    <Root />
  </StrictMode>,
);
