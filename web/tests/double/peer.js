/**
 * Runs inside the page, before it: the far end of the media connection. It answers the page's offers with a second
 * RTCPeerConnection in the same browser, so that real ICE, DTLS, Opus and SCTP run; only the network is missing.
 * `window.__double` lets a test say things as the server.
 */
(() => {
  const realFetch = window.fetch.bind(window);
  const double = { channel: null, peer: null, received: [], offers: 0, refuse: null, onopen: null };
  window.__double = double;
  double.say = (message) => double.channel.send(JSON.stringify(message));
  double.drop = () => double.peer.close();

  window.fetch = async (input, init) => {
    const address = new URL(String(input), location.origin);
    if (init?.method !== "POST" || !address.pathname.endsWith("/participation/peers")) return realFetch(input, init);
    double.offers += 1;
    if (double.refuse !== null) return double.refuse();
    // Whether there is a place for this link is the server's to say.
    if (location.hash === "#waiting") {
      const answer = await realFetch(input, init);
      if (!answer.ok) return answer;
    }
    const peer = new RTCPeerConnection();
    double.peer = peer;
    peer.ondatachannel = ({ channel }) => {
      double.channel = channel;
      channel.onmessage = (event) => double.received.push(JSON.parse(event.data));
      channel.onopen = () => double.onopen?.();
    };
    const context = new AudioContext();
    const tone = context.createOscillator();
    const out = context.createMediaStreamDestination();
    tone.connect(out);
    tone.start();
    await peer.setRemoteDescription({ type: "offer", sdp: init.body });
    peer.addTrack(out.stream.getAudioTracks()[0], out.stream);
    await peer.setLocalDescription(await peer.createAnswer());
    if (peer.iceGatheringState !== "complete") {
      await new Promise((resolve) => {
        peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && resolve();
      });
    }
    return new Response(peer.localDescription.sdp, {
      status: 201,
      headers: { "Content-Type": "application/sdp", Location: `/api/v1/participation/peers/${double.offers}` },
    });
  };
})();
