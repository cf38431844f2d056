//! Media without sockets: the WebRTC peer, Opus, playout, voice activity, recording.
