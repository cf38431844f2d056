//! Speech-to-speech wire protocols as codecs: frames in, events out.
