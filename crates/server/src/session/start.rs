//! Starting a session: makes all its parts, connects them by their queues, and sets them going.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::ids::PeerNo;
use engine::session::{Session, State};
use media::{Beginning, Chunk, Desk, DeskConfig, Recording};
use providers::{Profile, Secret};
use store::Epoch;
use tokio::sync::mpsc;

use super::leftovers::{self, Left};
use super::media as media_task;
use super::notice;
use super::offer::{Accepted, OfferRefusal, Start};
use super::outbox::Outbox;
use super::recorder::{self, Recorder};
use super::registry::{Entry, Registry, Slot};
use super::shard::Seat;
use super::supervise::Supervised;
use super::task::{self, Provider, SessionTask};

/// The other ends of a media task's queues.
struct MediaEnds {
    orders: mpsc::Sender<media_task::Order>,
    spoken: mpsc::Sender<media_task::Spoken>,
    reports: mpsc::Receiver<media_task::Report>,
    chunks: mpsc::Receiver<Chunk>,
}

impl Registry {
    pub(super) async fn start(
        &self,
        start: Start,
        sdp: &str,
        slot: Slot,
    ) -> Result<Accepted, OfferRefusal> {
        let inner = &self.inner;
        let row = inner
            .parts
            .store
            .session(&start.session_id)
            .await?
            .ok_or(OfferRefusal::Ended)?;
        let store = &inner.parts.store;
        let left = leftovers::left(store, &inner.parts.metrics, &start.session_id).await?;
        // The offer is looked at before anything is written: a bad one must leave no trace.
        let mut desk = self.desk(&start.profile, left.beginning)?;
        let answer = desk
            .accept(Instant::now(), sdp, &inner.told)
            .map_err(OfferRefusal::Bad)?;
        let mut last_seq = row.last_seq;
        if row.state == State::Ended {
            if leftovers::returnable_until(store, &row, &start.study)
                .await?
                .is_none()
            {
                return Err(OfferRefusal::Ended);
            }
            store.reopen_session(&start.session_id).await?;
            last_seq += 1;
        }
        let epoch = inner
            .parts
            .store
            .claim_session(&start.session_id, &inner.parts.node)
            .await?;
        let peer = left.past.peer.unwrap_or(PeerNo(0)).next();
        self.spawn(
            start,
            desk,
            &answer.ufrag,
            peer,
            (epoch, last_seq),
            left,
            slot,
        );
        Ok(Accepted {
            sdp: answer.sdp,
            peer,
        })
    }

    fn desk(&self, profile: &Profile, beginning: Beginning) -> Result<Desk, OfferRefusal> {
        let config = DeskConfig {
            model_rate_hz: profile.input_rate_hz,
            opus_complexity: self.inner.parts.config.media.opus_complexity,
            opus_bitrate_bps: self.inner.parts.config.media.opus_bitrate_bps,
            recording: Recording::On,
            beginning,
            farewell: notice::REPLACED,
        };
        Desk::new(Instant::now(), config).map_err(|error| {
            tracing::error!(%error, "audio cannot be set up");
            OfferRefusal::Unavailable
        })
    }

    /// Connects all parts of a session and sets them going.
    fn spawn(
        &self,
        start: Start,
        desk: Desk,
        ufrag: &str,
        peer: PeerNo,
        (epoch, last_seq): (Epoch, u64),
        left: Left,
        slot: Slot,
    ) {
        let inner = &self.inner;
        let parts = &inner.parts;
        let session_id = start.session_id.clone();
        let (commands_in, commands) = mpsc::channel(task::COMMANDS);
        let (events_in, events) = mpsc::channel(task::EVENTS);
        let (gaps_in, gaps) = mpsc::channel(4);
        let (failures_in, failures) = mpsc::channel(4);
        let seat = parts.shards.seat();
        let media = self.spawn_media(desk, ufrag, peer, &seat, failures_in.clone());
        let recorder = Recorder {
            store: parts.store.clone(),
            session_id: session_id.clone(),
            chunks: media.chunks,
            gaps: gaps_in,
            metrics: Arc::clone(&parts.metrics),
        };
        let recorder = inner.tasks.spawn(recorder.run());
        let task = SessionTask {
            session_id: session_id.clone(),
            language: start.plan.language.clone(),
            session: Session::restore(
                parts.clock.now(),
                start.plan,
                start.profile.capabilities,
                left.past,
            ),
            study: start.study,
            outbox: Outbox::new(
                parts.store.clone(),
                session_id.clone(),
                epoch,
                last_seq,
                Arc::clone(&parts.metrics),
            ),
            peer,
            way: start.way,
            commands,
            reports: media.reports,
            events,
            events_in,
            gaps,
            failures,
            failures_in,
            media: media.orders,
            spoken: media.spoken,
            link: None,
            provider: self.provider(start.profile),
            seat,
            tasks: inner.tasks.clone(),
            stop: inner.stop.clone(),
            changes: parts.changes.clone(),
            clock: parts.clock,
            metrics: Arc::clone(&parts.metrics),
        };
        let supervised = Supervised {
            task,
            recorder,
            store: parts.store.clone(),
            epoch,
            stop: inner.stop.clone(),
            slot,
        };
        // Before the task runs: its end takes the entry out again.
        inner
            .sessions()
            .insert(session_id, Entry::Live(commands_in));
        drop(inner.tasks.spawn(supervised.run()));
    }

    fn spawn_media(
        &self,
        desk: Desk,
        ufrag: &str,
        peer: PeerNo,
        seat: &Seat,
        failures: mpsc::Sender<&'static str>,
    ) -> MediaEnds {
        let inner = &self.inner;
        let (orders_in, orders) = mpsc::channel(media_task::ORDERS);
        let (spoken_in, spoken) = mpsc::channel(media_task::SPOKEN);
        let (reports_in, reports) = mpsc::channel(media_task::REPORTS);
        let (datagrams_in, datagrams) = mpsc::channel(media_task::DATAGRAMS);
        let (chunks_in, chunks) = mpsc::channel(recorder::QUEUE);
        let media = media_task::MediaTask {
            desk,
            peer,
            route: Some(seat.lane().route(ufrag, datagrams_in.clone())),
            datagrams_in,
            datagrams,
            orders,
            spoken,
            reports: reports_in,
            chunks: Some(chunks_in),
            failures,
            lane: seat.lane().clone(),
            told: Arc::clone(&inner.told),
            clock: inner.parts.clock,
            metrics: Arc::clone(&inner.parts.metrics),
        };
        drop(inner.tasks.spawn_on(media.run(), seat.handle()));
        MediaEnds {
            orders: orders_in,
            spoken: spoken_in,
            reports,
            chunks,
        }
    }

    fn provider(&self, profile: Profile) -> Provider {
        let config = &self.inner.parts.config.provider;
        let key = &config.openai_api_key;
        Provider {
            codec: self.inner.parts.codec,
            profile,
            base_url: config.openai_base_url.clone(),
            key: (!key.expose().is_empty()).then(|| Secret::clone(key)),
            ready_within: Duration::from_millis(config.connect_timeout_ms),
            tls: Arc::clone(&self.inner.tls),
        }
    }
}
