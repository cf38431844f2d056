/** Without a token there is nothing to show: say where it comes from. */

import { useEffect, useState } from "react";

export function SignIn({ onToken }: { onToken: (token: string) => void }) {
  const [token, setToken] = useState("");
  useEffect(() => {
    document.title = "Sign in · Colloquy";
  }, []);
  return (
    <main className="sign-in">
      <form
        className="card"
        data-testid="sign-in"
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim() !== "") onToken(token.trim());
        }}
      >
        <h1>Colloquy console</h1>
        <p className="muted">
          Open the console link that the server printed when it started, or paste its token here. The token is kept in
          this tab only.
        </p>
        <div>
          <label className="label" htmlFor="token">
            Token
          </label>
          <input
            id="token"
            type="text"
            autoComplete="off"
            spellCheck={false}
            value={token}
            onChange={(event) => setToken(event.target.value)}
          />
        </div>
        <button type="submit" className="button primary">
          Sign in
        </button>
      </form>
    </main>
  );
}
