import { describe, expect, it, vi } from "vitest";
import { Client } from "./client";
import { ApiError } from "./problem";

function answering(response: Response | Error) {
  const fetcher = vi.fn<typeof fetch>(() =>
    response instanceof Response ? Promise.resolve(response.clone()) : Promise.reject(response),
  );
  return { fetcher, client: new Client("secret", fetcher) };
}

function sent(fetcher: ReturnType<typeof answering>["fetcher"]) {
  const [address, init] = fetcher.mock.calls[0] ?? [];
  return { address, init: init ?? {}, headers: new Headers(init?.headers) };
}

async function problemIn(promise: Promise<unknown>) {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ApiError) return error.problem;
    throw error;
  }
  throw new Error("it succeeded");
}

describe("the client", () => {
  it("sends the token in a header and never in the address", async () => {
    const { fetcher, client } = answering(Response.json({ studies: [] }));
    await client.get("/api/v1/studies");
    const { address, headers } = sent(fetcher);
    expect(headers.get("authorization")).toBe("Bearer secret");
    expect(address).toBe("/api/v1/studies");
  });

  it("fills and escapes path parameters and leaves out empty query parameters", async () => {
    const { fetcher, client } = answering(Response.json({ sessions: [] }));
    await client.get("/api/v1/sessions/{id}", { path: { id: "a/b c" } });
    expect(sent(fetcher).address).toBe("/api/v1/sessions/a%2Fb%20c");
    fetcher.mockClear();
    await client.get("/api/v1/sessions", { query: { study_id: "x&y", state: "", limit: 5 } });
    expect(sent(fetcher).address).toBe("/api/v1/sessions?study_id=x%26y&limit=5");
  });

  it("sends JSON as JSON and SDP as SDP", async () => {
    const { fetcher, client } = answering(Response.json({ participation: {} }));
    await client.post("/api/v1/participation/consent", { json: { accepted: true } });
    expect(sent(fetcher).init.body).toBe('{"accepted":true}');
    expect(sent(fetcher).headers.get("content-type")).toBe("application/json");
    fetcher.mockClear();
    await client.send("post", "/api/v1/participation/peers", { text: { body: "v=0", type: "application/sdp" } });
    expect(sent(fetcher).init.body).toBe("v=0");
    expect(sent(fetcher).headers.get("content-type")).toBe("application/sdp");
  });

  it("takes an answer without a body as undefined", async () => {
    const { client } = answering(new Response(null, { status: 202 }));
    await expect(client.post("/api/v1/sessions/{id}/end", { path: { id: "x" } })).resolves.toBeUndefined();
  });

  it("turns problem details into a problem with its remedy", async () => {
    const body = {
      type: "/problems/unknown_link",
      title: "This link is unknown",
      status: 404,
      detail: "No interview belongs to it.",
      remedy: "Copy the whole link.",
    };
    const { client } = answering(
      new Response(JSON.stringify(body), { status: 404, headers: { "Content-Type": "application/problem+json" } }),
    );
    const problem = await problemIn(client.get("/api/v1/participation"));
    expect(problem).toEqual({
      code: "unknown_link",
      title: "This link is unknown",
      status: 404,
      detail: "No interview belongs to it.",
      remedy: "Copy the whole link.",
      mistakes: [],
    });
  });

  it.each([
    [{ position: 3, waiting: 5 }, "5", { place: { position: 3, waiting: 5 }, retryAfterS: 5 }],
    [{ position: 3 }, "0", { place: { position: 3, waiting: 3 }, retryAfterS: 0 }],
    [{ position: 3, waiting: 1 }, "Sun, 29 Nov 2026 15:00:00 GMT", { place: { position: 3, waiting: 3 } }],
    [{ position: 0, waiting: 5 }, null, {}],
    [{ position: 1.5 }, null, {}],
    [{ position: "3" }, "-3", {}],
    [{}, "", {}],
  ])(
    "takes the place in line and the next time to ask only where they make sense: case %#",
    async (more, after, known) => {
      const headers = { "Content-Type": "application/problem+json", ...(after !== null && { "Retry-After": after }) };
      const body = { type: "/problems/full", title: "t", status: 503, detail: "d", remedy: "r", ...more };
      const { client } = answering(new Response(JSON.stringify(body), { status: 503, headers }));
      const problem = await problemIn(client.get("/api/v1/participation"));
      const plain = { code: "full", title: "t", status: 503, detail: "d", remedy: "r", mistakes: [] };
      expect(problem).toEqual({ ...plain, ...known });
    },
  );

  it("makes a problem of what a proxy says in HTML", async () => {
    const { client } = answering(
      new Response("<h1>502</h1>", { status: 502, headers: { "Content-Type": "text/html" } }),
    );
    const problem = await problemIn(client.get("/api/v1/studies"));
    expect(problem.status).toBe(502);
    expect(problem.title).toBe("The server has trouble");
    expect(problem.remedy).not.toBe("");
  });

  it("makes a problem of JSON that is none, and of broken JSON", async () => {
    for (const text of ["[1]", "{", '"x"', "null"]) {
      const { client } = answering(
        new Response(text, { status: 500, headers: { "Content-Type": "application/problem+json" } }),
      );
      expect((await problemIn(client.get("/api/v1/studies"))).code).toBe("http_500");
    }
  });

  it("says that the server cannot be reached when it cannot", async () => {
    const { client } = answering(new TypeError("Failed to fetch"));
    const problem = await problemIn(client.get("/api/v1/studies"));
    expect(problem.code).toBe("unreachable");
    expect(problem.status).toBe(0);
  });

  it("lets a cancelled request be cancelled", async () => {
    const { client } = answering(new DOMException("gone", "AbortError"));
    await expect(client.get("/api/v1/studies")).rejects.toBeInstanceOf(DOMException);
  });
});
