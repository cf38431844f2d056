/** The console token: comes once in the fragment, lives in this tab, never stays in the address bar. */

const KEY = "colloquy.console.token";

/** Takes the token out of the address, or the one that this tab already has. */
export function takeToken(): string | null {
  const token = new URLSearchParams(window.location.hash.slice(1)).get("token");
  if (token !== null && token !== "") {
    keepToken(token);
    window.history.replaceState(null, "", window.location.pathname + window.location.search);
    return token;
  }
  try {
    return window.sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** Keeps it for reloads of this tab; without storage it lives as long as the page. */
export function keepToken(token: string): void {
  try {
    window.sessionStorage.setItem(KEY, token);
  } catch {
    // Storage may be switched off; the page works until it is reloaded.
  }
}

export function forgetToken(): void {
  try {
    window.sessionStorage.removeItem(KEY);
  } catch {
    // Nothing was kept then.
  }
}
