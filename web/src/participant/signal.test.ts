import { beforeEach, expect, it, vi } from "vitest";
import { refusal } from "../../tests/pages";
import { ApiError } from "../api/problem";
import { ParticipantApi } from "./signal";

const KEY = "colloquy-grant:secret";
const signal = () => new AbortController().signal;

const accepted = (grant: string | null) => () =>
  new Response("answer", {
    status: 201,
    headers: { Location: "/api/v1/participation/peers/1", ...(grant === null ? {} : { "Colloquy-Grant": grant }) },
  });

/** Answers one request after the other, and notes which grant each brought. */
function answering(...answers: (() => Response | Promise<Response>)[]) {
  const shown: (string | null)[] = [];
  vi.stubGlobal(
    "fetch",
    vi.fn((_: string, init: RequestInit) => {
      shown.push(new Headers(init.headers).get("colloquy-grant"));
      const answer = answers[shown.length - 1];
      return answer === undefined ? Promise.reject(new TypeError("no answer")) : Promise.resolve(answer());
    }),
  );
  return shown;
}

beforeEach(() => window.sessionStorage.clear());

it("each offer shows the grant of the answer before", async () => {
  const shown = answering(accepted("one"), accepted("two"), accepted(null), accepted("four"));
  const api = new ParticipantApi("secret");
  for (let offer = 0; offer < 4; offer++) await api.offer("offer", signal());
  expect(shown).toEqual([null, "one", "two", null]);
  expect(window.sessionStorage.getItem(KEY)).toBe("four");
});

it("the grant outlives a reload of the tab, for its own link only", async () => {
  const shown = answering(accepted("one"), accepted("of another"), accepted("two"));
  await new ParticipantApi("secret").offer("offer", signal());
  await new ParticipantApi("another").offer("offer", signal());
  await new ParticipantApi("secret").offer("offer", signal());
  expect(shown).toEqual([null, null, "one"]);
});

it.each(["unknown", "used", "expired", "foreign"])(
  "a grant that is %s is forgotten and the link alone offered",
  async (reason) => {
    window.sessionStorage.setItem(KEY, "old");
    const shown = answering(refusal(401, `grant-${reason}`, "No", "Offer again."), accepted("new"));
    const { location } = await new ParticipantApi("secret").offer("offer", signal());
    expect(location).toBe("/api/v1/participation/peers/1");
    expect(shown).toEqual(["old", null]);
    expect(window.sessionStorage.getItem(KEY)).toBe("new");
  },
);

it("a refused grant stays forgotten when the link is refused as well", async () => {
  window.sessionStorage.setItem(KEY, "old");
  const shown = answering(refusal(401, "grant-used", "No", "Offer again."), refusal(410, "ended", "Over", "Nothing."));
  await expect(new ParticipantApi("secret").offer("offer", signal())).rejects.toThrow(ApiError);
  expect(shown).toEqual(["old", null]);
  expect(window.sessionStorage.getItem(KEY)).toBeNull();
});

it("a link that is not known is not offered twice", async () => {
  window.sessionStorage.setItem(KEY, "old");
  const shown = answering(refusal(401, "link-unknown", "No", "Copy the link."));
  await expect(new ParticipantApi("secret").offer("offer", signal())).rejects.toThrow(ApiError);
  expect(shown).toEqual(["old"]);
});

it("a grant that may not have arrived is shown again", async () => {
  window.sessionStorage.setItem(KEY, "old");
  const offline = () => Promise.reject(new TypeError("offline"));
  const shown = answering(offline, refusal(503, "full", "Full", "Wait."), accepted("new"));
  const api = new ParticipantApi("secret");
  await expect(api.offer("offer", signal())).rejects.toThrow(ApiError);
  await expect(api.offer("offer", signal())).rejects.toThrow(ApiError);
  await api.offer("offer", signal());
  expect(shown).toEqual(["old", "old", "old"]);
});

it("a browser without storage keeps the grant for as long as the page lives", async () => {
  const denied = () => {
    throw new DOMException("denied", "SecurityError");
  };
  vi.stubGlobal("sessionStorage", { getItem: denied, setItem: denied, removeItem: denied });
  const shown = answering(accepted("one"), accepted("two"), accepted("three"));
  const api = new ParticipantApi("secret");
  await api.offer("offer", signal());
  await api.offer("offer", signal());
  api.forgetGrant();
  await api.offer("offer", signal());
  expect(shown).toEqual([null, "one", null]);
});

it("a restart goes to the address that the server gave, of this server only", async () => {
  const fetcher = vi.fn<typeof fetch>(() => Promise.resolve(new Response("back")));
  vi.stubGlobal("fetch", fetcher);
  const api = new ParticipantApi("secret");
  const own = new URL("/api/v1/participation/peers/3", window.location.origin).href;
  expect(await api.restart(own, "fragment", signal())).toBe("back");
  const [address, init] = fetcher.mock.calls[0] ?? [];
  expect(address).toBe("/api/v1/participation/peers/3");
  expect(init).toMatchObject({ method: "PATCH", body: "fragment" });
  const headers = new Headers(init?.headers);
  expect(headers.get("content-type")).toBe("application/trickle-ice-sdpfrag");
  expect(headers.get("if-match")).toBe("*");
  await expect(api.restart("https://elsewhere.example/peers/3", "fragment", signal())).rejects.toThrow(
    "not of this server",
  );
  expect(fetcher).toHaveBeenCalledTimes(1);
});
