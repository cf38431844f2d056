/** The participant's side of the HTTP API. */

import { Client } from "../api/client";
import { ApiError } from "../api/problem";
import type { Participation } from "../api/types";
import { FRAGMENT_TYPE } from "./fragment";
import { Grant } from "./grant";
import type { Request } from "./messages";

export interface Accepted {
  sdp: string;
  /** Where the connection can be closed. */
  location: string;
}

/** What the call needs from the server; a test gives its own. */
export interface Signal {
  offer(sdp: string, signal: AbortSignal): Promise<Accepted>;
  /** Sends the fragment of an ICE restart, gets the server's. */
  restart(location: string, fragment: string, signal: AbortSignal): Promise<string>;
  close(location: string): Promise<void>;
  request(request: Request): Promise<void>;
}

/** The header of an offer, and of the answer to it. */
const GRANT = "Colloquy-Grant";

export class ParticipantApi implements Signal {
  readonly #client: Client;
  readonly #grant: Grant;

  constructor(secret: string) {
    this.#client = new Client(secret);
    this.#grant = new Grant(secret);
  }

  async participation(): Promise<Participation> {
    return (await this.#client.get("/api/v1/participation")).participation;
  }

  async consent(accepted: boolean): Promise<Participation> {
    return (await this.#client.post("/api/v1/participation/consent", { json: { accepted } })).participation;
  }

  /** Offers with this tab's grant; without, once the server has refused it: the link alone opens the session too. */
  async offer(sdp: string, signal: AbortSignal): Promise<Accepted> {
    let response: Response;
    try {
      response = await this.#offer(sdp, signal);
    } catch (error) {
      if (this.#grant.value === null || !isGrantRefused(error)) throw error;
      this.#grant.replace(null);
      response = await this.#offer(sdp, signal);
    }
    // An answer without one has used up the one before all the same.
    this.#grant.replace(response.headers.get(GRANT));
    return { sdp: await response.text(), location: response.headers.get("location") ?? "" };
  }

  #offer(sdp: string, signal: AbortSignal): Promise<Response> {
    const grant = this.#grant.value;
    return this.#client.send("post", "/api/v1/participation/peers", {
      text: { body: sdp, type: "application/sdp" },
      headers: grant === null ? {} : { [GRANT]: grant },
      signal,
    });
  }

  /** The interview is over: there is nothing to come back to with a grant. */
  forgetGrant(): void {
    this.#grant.replace(null);
  }

  async restart(location: string, fragment: string, signal: AbortSignal): Promise<string> {
    const headers = { "Content-Type": FRAGMENT_TYPE, "If-Match": "*" };
    const response = await this.#client.sendTo(ownPath(location), { method: "PATCH", headers, body: fragment, signal });
    return response.text();
  }

  async close(location: string): Promise<void> {
    await this.#client.sendTo(ownPath(location), { method: "DELETE", keepalive: true });
  }

  async request(request: Request): Promise<void> {
    await this.#client.post("/api/v1/participation/requests", { json: { request } });
  }
}

function isGrantRefused(error: unknown): boolean {
  return error instanceof ApiError && error.problem.status === 401 && error.problem.code.startsWith("grant-");
}

/** A Location may be absolute; only our own origin gets the secret. */
function ownPath(location: string): string {
  const address = new URL(location, window.location.origin);
  if (location === "" || address.origin !== window.location.origin)
    throw new Error("the Location is not of this server");
  return address.pathname;
}
