/** The last resort: a fault while rendering shows words, not a blank page. */

import { Component, type ReactNode } from "react";

interface State {
  failed: boolean;
}

export class Failsafe extends Component<{ children: ReactNode }, State> {
  override state: State = { failed: false };

  static getDerivedStateFromError(): State {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    return (
      <main className="failsafe" role="alert">
        <h1>This page ran into a fault</h1>
        <p>What was said and saved is safe on the server. Reload the page to go on where you were.</p>
        <button type="button" className="button primary" onClick={() => window.location.reload()}>
          Reload the page
        </button>
      </main>
    );
  }
}
