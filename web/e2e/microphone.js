/**
 * Runs inside the page, before it: a microphone that says what the test wants, when it wants. Chromium's own fake device
 * loops one file from the moment it is opened and cannot wait for a question, so the real `getUserMedia` is called (with
 * its permission, device and constraints) and its track is replaced by one that plays clips.
 * `window.__ears` measures what the page plays of the interviewer.
 */
(() => {
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  let context = null;
  let mouth = null;

  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const device = await real(constraints);
    context ??= new AudioContext({ sampleRate: 48_000 });
    mouth ??= room(context);
    const track = mouth.stream.getAudioTracks()[0].clone();
    const settings = device.getAudioTracks()[0].getSettings();
    track.getSettings = () => settings;
    const stop = track.stop.bind(track);
    track.stop = () => {
      stop();
      for (const own of device.getTracks()) own.stop();
    };
    return new MediaStream([track]);
  };

  /** A quiet room at about -65 dBFS: without any source the browser sends no packets at all. */
  function room(context) {
    const destination = context.createMediaStreamDestination();
    const noise = context.createBuffer(1, context.sampleRate, context.sampleRate);
    noise.getChannelData(0).forEach((_, at, samples) => {
      samples[at] = (Math.random() - 0.5) * 0.002;
    });
    const source = context.createBufferSource();
    source.buffer = noise;
    source.loop = true;
    source.connect(destination);
    source.start();
    return destination;
  }

  /** Says one clip (an Ogg Opus file in base64); resolves when it was said. */
  window.__say = async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const buffer = await context.decodeAudioData(bytes.buffer);
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(mouth);
    await new Promise((resolve) => {
      source.onended = resolve;
      source.start();
    });
  };

  const ears = { loudest: 0, heardMs: 0 };
  window.__ears = ears;
  let listened = null;
  let analyser = null;
  setInterval(() => {
    const audio = document.querySelector('[data-testid="interviewer-audio"]');
    const stream = audio?.srcObject ?? null;
    if (stream === null || audio.paused || context === null) return;
    if (stream !== listened) {
      listened = stream;
      analyser = context.createAnalyser();
      context.createMediaStreamSource(stream).connect(analyser);
    }
    const samples = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(samples);
    const power = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
    ears.loudest = Math.max(ears.loudest, power);
    if (power > 0.01) ears.heardMs += 50;
  }, 50);
})();
