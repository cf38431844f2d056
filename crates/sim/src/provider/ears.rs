//! The provider's ears: words of audio, recognised off the async threads.

use std::sync::Arc;

use crate::recognise::{self, Recogniser};

/// The words in 24 kHz mono audio; unknown speech is marked as such, noise is nothing.
pub(crate) async fn words(pcm: Arc<[i16]>) -> String {
    let work = tokio::task::spawn_blocking(move || {
        recognise::transcript(&Recogniser::embedded().recognise(&pcm))
    });
    work.await.unwrap_or_else(|failure| {
        tracing::error!(%failure, "recognition failed; the words are lost");
        String::new()
    })
}
