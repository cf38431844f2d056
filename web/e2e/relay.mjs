/** A network between browser and server that can go away: a UDP relay, and the page's way through it. */

import { createSocket } from "node:dgram";

function bound() {
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    socket.once("error", reject);
    socket.bind(0, "127.0.0.1", () => resolve(socket));
  });
}

/** A port of loopback that is free for UDP at this moment. */
export async function freePort() {
  const socket = await bound();
  const { port } = socket.address();
  await new Promise((resolve) => socket.close(resolve));
  return port;
}

/**
 * Relays datagrams between whoever sends to it and the server's media port, as long as the network is there.
 * @param {number} server
 */
export async function relay(server) {
  const front = await bound();
  const ways = new Map();
  let there = true;
  front.on("message", (message, from) => {
    const key = `${from.address}:${from.port}`;
    let way = ways.get(key);
    if (way === undefined) {
      way = createSocket("udp4");
      way.on("message", (back) => {
        if (there) front.send(back, from.port, from.address);
      });
      way.on("error", () => undefined);
      ways.set(key, way);
    }
    if (there) way.send(message, server, "127.0.0.1");
  });
  const { port } = front.address();
  return {
    /** Without a network, HTTP fails too, and the browser knows it. */
    async network(page, isThere) {
      there = isThere;
      await page.context().setOffline(!isThere);
    },
    /** Lets a page reach the server's media through here only. */
    async guide(page) {
      await page.addInitScript(
        ({ server, port }) => {
          const take = RTCPeerConnection.prototype.setRemoteDescription;
          RTCPeerConnection.prototype.setRemoteDescription = function (description) {
            const lines = description.sdp
              .split("\r\n")
              .filter((line) => !/^a=candidate:.* tcp /i.test(line))
              .map((line) => (line.startsWith("a=candidate:") ? line.replace(` ${server} `, ` ${port} `) : line));
            return take.call(this, { type: description.type, sdp: lines.join("\r\n") });
          };
        },
        { server, port },
      );
    },
    close() {
      front.close();
      for (const way of ways.values()) way.close();
    },
  };
}
