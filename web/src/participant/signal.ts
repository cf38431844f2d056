/** The participant's side of the HTTP API. */

import { Client } from "../api/client";
import type { Participation } from "../api/types";
import type { Request } from "./messages";

export interface Accepted {
  sdp: string;
  /** Where the connection can be closed. */
  location: string;
}

/** What the call needs from the server; a test gives its own. */
export interface Signal {
  offer(sdp: string, signal: AbortSignal): Promise<Accepted>;
  close(location: string): Promise<void>;
  request(request: Request): Promise<void>;
}

export class ParticipantApi implements Signal {
  readonly #client: Client;

  constructor(secret: string) {
    this.#client = new Client(secret);
  }

  async participation(): Promise<Participation> {
    return (await this.#client.get("/api/v1/participation")).participation;
  }

  async consent(accepted: boolean): Promise<Participation> {
    return (await this.#client.post("/api/v1/participation/consent", { json: { accepted } })).participation;
  }

  async offer(sdp: string, signal: AbortSignal): Promise<Accepted> {
    const response = await this.#client.send("post", "/api/v1/participation/peers", {
      text: { body: sdp, type: "application/sdp" },
      signal,
    });
    return { sdp: await response.text(), location: response.headers.get("location") ?? "" };
  }

  async close(location: string): Promise<void> {
    // A Location may be absolute; only our own origin gets the secret.
    const address = new URL(location, window.location.origin);
    if (address.origin !== window.location.origin) return;
    await this.#client.sendTo(address.pathname, { method: "DELETE", keepalive: true });
  }

  async request(request: Request): Promise<void> {
    await this.#client.post("/api/v1/participation/requests", { json: { request } });
  }
}
