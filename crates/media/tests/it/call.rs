//! A call between a desk and a synthetic participant.
//!
//! Time jumps from event to event: a datagram's arrival, a deadline of either side, the microphone's next packet. The
//! harness waits exactly as long as it is told, so a timer that is never set or never cleared shows.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastrand::Rng;
use media::{
    Certificate, Chunk, Datagram, Desk, DeskConfig, DeskFact, DeskOutput, IceFragment, NetConfig,
    Peer, PeerConfig, PeerOutput, Proto,
};

/// What a link does to datagrams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) delay: Duration,
    /// Added uniformly.
    pub(crate) jitter: Duration,
    /// Datagrams lost, in thousandths.
    pub(crate) loss_permille: u32,
}

impl Link {
    pub(crate) const PERFECT: Link = Link {
        delay: Duration::from_millis(10),
        jitter: Duration::ZERO,
        loss_permille: 0,
    };

    pub(crate) fn lossy(loss_permille: u32) -> Link {
        Link {
            delay: Duration::from_millis(30),
            jitter: Duration::from_millis(15),
            loss_permille,
        }
    }
}

/// A microphone: one packet each 20 ms of its own clock.
pub(crate) struct Mic {
    pub(crate) packets: Box<dyn Iterator<Item = Vec<u8>>>,
    pub(crate) next: Instant,
    pub(crate) period: Duration,
    pub(crate) rtp_time: u32,
}

enum Side {
    Desk,
    Client,
}

struct Flight {
    to: Side,
    proto: Proto,
    source: SocketAddr,
    destination: SocketAddr,
    bytes: Vec<u8>,
}

pub(crate) struct Call {
    pub(crate) zero: Instant,
    pub(crate) now: Instant,
    pub(crate) desk: Desk,
    pub(crate) client: Option<Peer>,
    pub(crate) mic: Option<Mic>,
    pub(crate) up: Link,
    pub(crate) down: Link,
    pub(crate) net: NetConfig,
    /// Facts with the moment at which they were told.
    pub(crate) facts: Vec<(Instant, DeskFact)>,
    /// What the model hears, and when it got each frame.
    pub(crate) heard: Vec<i16>,
    pub(crate) heard_at: Vec<Instant>,
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) texts: Vec<String>,
    pub(crate) client_texts: Vec<String>,
    /// What the participant got: sequence number, RTP time, payload, arrival.
    pub(crate) client_audio: Vec<(u64, u64, Vec<u8>, Instant)>,
    pub(crate) client_lost: bool,
    pub(crate) desk_sent: usize,
    /// Addresses of the participant whose network is gone: nothing goes there, nothing comes from there.
    pub(crate) dead: Vec<SocketAddr>,
    /// What comes from this address takes longer.
    pub(crate) detour: Option<(SocketAddr, Duration)>,
    /// What the participant sent and from where, newest last.
    pub(crate) client_sent: Vec<(SocketAddr, Vec<u8>)>,
    rng: Rng,
    flights: BTreeMap<(Instant, u64), Flight>,
    flight_no: u64,
    clients: u16,
    desk_out: Vec<DeskOutput>,
    client_out: Vec<PeerOutput>,
}

impl Call {
    pub(crate) fn new(seed: u64, link: Link) -> Call {
        Call::with(seed, link, DeskConfig::default())
    }

    pub(crate) fn with(seed: u64, link: Link, config: DeskConfig) -> Call {
        let zero = Instant::now();
        let net = NetConfig {
            udp: vec!["192.0.2.1:7000".parse().unwrap()],
            tcp: vec!["192.0.2.1:7001".parse().unwrap()],
            cert: Certificate::generate(),
        };
        Call {
            zero,
            now: zero,
            desk: Desk::new(zero, config).unwrap(),
            client: None,
            mic: None,
            up: link,
            down: link,
            net,
            facts: Vec::new(),
            heard: Vec::new(),
            heard_at: Vec::new(),
            chunks: Vec::new(),
            texts: Vec::new(),
            client_texts: Vec::new(),
            client_audio: Vec::new(),
            client_lost: false,
            desk_sent: 0,
            dead: Vec::new(),
            detour: None,
            client_sent: Vec::new(),
            rng: Rng::with_seed(seed),
            flights: BTreeMap::new(),
            flight_no: 0,
            clients: 0,
            desk_out: Vec::new(),
            client_out: Vec::new(),
        }
    }

    /// A new participant connects, replacing any older one.
    pub(crate) fn connect(&mut self) {
        let local = self.new_address();
        let (mut client, offer) = Peer::offer(self.now, &PeerConfig { local, cert: None });
        let answer = self.desk.accept(self.now, &offer, &self.net).unwrap();
        client.answer(self.now, &answer.sdp).unwrap();
        self.client = Some(client);
    }

    fn new_address(&mut self) -> SocketAddr {
        self.clients += 1;
        self.address()
    }

    /// Where the participant is now.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([198, 51, 100, 7], 40_000 + self.clients))
    }

    /// The network under the participant is gone, and another one is there: nothing works before a restart.
    pub(crate) fn hop(&mut self) {
        self.dead.push(self.address());
        self.new_address();
    }

    /// An ICE restart from where the participant is now; what either side said.
    pub(crate) fn restart(&mut self) -> (IceFragment, IceFragment) {
        let client = self.client.as_mut().unwrap();
        let local = SocketAddr::from(([198, 51, 100, 7], 40_000 + self.clients));
        let asked = IceFragment::parse(&client.restart_offer(local).unwrap().to_string()).unwrap();
        let answered = self.desk.restart(self.now, &asked).unwrap().to_string();
        let answered = IceFragment::parse(&answered).unwrap();
        client.restart_answer(self.now, &answered).unwrap();
        (asked, answered)
    }

    /// Connects and waits until both sides are up.
    pub(crate) fn up(seed: u64, link: Link) -> Call {
        // A client whose server lost its last flight of DTLS may never come up; a page then offers anew, as here.
        for _ in 0..5 {
            let mut call = Call::new(seed, link);
            call.connect();
            let up = |call: &Call| call.has(|fact| *fact == DeskFact::Up) && call.client_is_up();
            if call.comes_to(Duration::from_secs(10), up) {
                return call;
            }
        }
        panic!("five calls in a row did not come up");
    }

    pub(crate) fn client_is_up(&self) -> bool {
        self.client.as_ref().is_some_and(Peer::is_up)
    }

    pub(crate) fn has(&self, wanted: impl Fn(&DeskFact) -> bool) -> bool {
        self.facts.iter().any(|(_, fact)| wanted(fact))
    }

    /// Milliseconds since the beginning.
    pub(crate) fn ms(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.zero).as_secs_f64() * 1_000.0
    }

    /// Speaks packets into the microphone from now on, then stays quiet (without packets).
    pub(crate) fn speak(&mut self, packets: impl IntoIterator<Item = Vec<u8>, IntoIter: 'static>) {
        self.speak_at(packets, Duration::from_millis(20));
    }

    /// The same with a microphone whose frames take `period`.
    pub(crate) fn speak_at(
        &mut self,
        packets: impl IntoIterator<Item = Vec<u8>, IntoIter: 'static>,
        period: Duration,
    ) {
        let packets = Box::new(packets.into_iter());
        let rtp_time = self.mic.as_ref().map_or(77_000, |mic| mic.rtp_time);
        self.mic = Some(Mic {
            packets,
            next: self.now,
            period,
            rtp_time,
        });
    }

    pub(crate) fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
        self.now = end;
    }

    pub(crate) fn wait_for(&mut self, most: Duration, done: impl Fn(&Call) -> bool) {
        let came = self.comes_to(most, done);
        assert!(came, "waited {most:?} in vain; facts: {:?}", self.facts);
    }

    /// Runs until this holds, or for so long; whether it holds.
    fn comes_to(&mut self, most: Duration, done: impl Fn(&Call) -> bool) -> bool {
        let end = self.now + most;
        while !done(self) {
            if !self.step(end) {
                return false;
            }
        }
        true
    }

    /// Does the next thing that happens before `end`; false if there is none.
    fn step(&mut self, end: Instant) -> bool {
        let desk = self.desk.deadline();
        let client = self.client.as_ref().map(Peer::deadline);
        let wire = self.flights.first_key_value().map(|((at, _), _)| *at);
        let mic = self.mic.as_ref().map(|mic| mic.next);
        let next = [Some(desk), client, wire, mic]
            .into_iter()
            .flatten()
            .min()
            .unwrap()
            .max(self.now);
        if next > end {
            return false;
        }
        self.now = next;
        if wire.is_some_and(|at| at <= next) {
            self.deliver();
        } else if mic.is_some_and(|at| at <= next) {
            self.record_voice();
        } else if desk <= next {
            self.desk.timeout(next, &mut self.desk_out);
            assert!(
                self.desk.deadline() > next,
                "the desk's timer was not cleared: it would spin"
            );
        } else if let Some(client) = &mut self.client {
            client.timeout(next, &mut self.client_out);
            assert!(
                client.deadline() > next,
                "the peer's timer was not cleared: it would spin"
            );
        }
        self.collect();
        true
    }

    fn deliver(&mut self) {
        let Some((_, flight)) = self.flights.pop_first() else {
            return;
        };
        let Flight {
            to,
            proto,
            source,
            destination,
            bytes,
        } = flight;
        let datagram = Datagram {
            proto,
            source,
            destination,
            bytes: &bytes,
        };
        match to {
            Side::Desk => self.desk.datagram(self.now, datagram, &mut self.desk_out),
            Side::Client => {
                if let Some(client) = &mut self.client {
                    client.datagram(self.now, datagram, &mut self.client_out);
                }
            }
        }
    }

    fn record_voice(&mut self) {
        let Some(mic) = &mut self.mic else { return };
        match mic.packets.next() {
            Some(packet) => {
                if let Some(client) = &mut self.client {
                    // An empty packet stands for one that the browser does not send.
                    if !packet.is_empty() {
                        client.send_audio(self.now, mic.rtp_time, packet, &mut self.client_out);
                    }
                }
                mic.rtp_time = mic.rtp_time.wrapping_add(960);
                mic.next += mic.period;
            }
            None => mic.next += Duration::from_secs(1_000_000),
        }
    }

    /// Asks the desk for what it has to say, as a caller does after each call.
    pub(crate) fn with_desk(
        &mut self,
        call: impl FnOnce(&mut Desk, Instant, &mut Vec<DeskOutput>),
    ) {
        call(&mut self.desk, self.now, &mut self.desk_out);
        self.collect();
    }

    pub(crate) fn with_client(
        &mut self,
        call: impl FnOnce(&mut Peer, Instant, &mut Vec<PeerOutput>),
    ) {
        if let Some(client) = &mut self.client {
            call(client, self.now, &mut self.client_out);
        }
        self.collect();
    }

    fn collect(&mut self) {
        for output in std::mem::take(&mut self.desk_out) {
            match output {
                DeskOutput::Transmit {
                    proto,
                    source,
                    destination,
                    bytes,
                } => {
                    self.desk_sent += 1;
                    // Towards the participant, source and destination swap roles.
                    self.fly(
                        self.down,
                        Flight {
                            to: Side::Client,
                            proto,
                            source,
                            destination,
                            bytes,
                        },
                    );
                }
                DeskOutput::ParticipantAudio(pcm) => {
                    assert_eq!(pcm.len(), crate::sound::FRAME);
                    self.heard.extend(pcm);
                    self.heard_at.push(self.now);
                }
                DeskOutput::Fact(fact) => self.facts.push((self.now, fact)),
                DeskOutput::Text(text) => self.texts.push(text),
                DeskOutput::Chunk(chunk) => self.chunks.push(chunk),
            }
        }
        for output in std::mem::take(&mut self.client_out) {
            match output {
                PeerOutput::Transmit {
                    proto,
                    source,
                    destination,
                    bytes,
                } => {
                    self.client_sent.push((source, bytes.clone()));
                    self.fly(
                        self.up,
                        Flight {
                            to: Side::Desk,
                            proto,
                            source,
                            destination,
                            bytes,
                        },
                    );
                }
                PeerOutput::Audio {
                    seq,
                    rtp_time,
                    payload,
                    at,
                } => {
                    self.client_audio
                        .push((seq, rtp_time, payload.to_vec(), at));
                }
                PeerOutput::Text(text) => self.client_texts.push(text),
                PeerOutput::Lost => self.client_lost = true,
                PeerOutput::Up => {}
            }
        }
    }

    fn fly(&mut self, link: Link, flight: Flight) {
        let theirs = match flight.to {
            Side::Desk => flight.source,
            Side::Client => flight.destination,
        };
        if self.dead.contains(&theirs) {
            return;
        }
        if self.rng.u32(0..1_000) < link.loss_permille {
            return;
        }
        let jitter = Duration::from_nanos(
            self.rng
                .u64(0..=u64::try_from(link.jitter.as_nanos()).unwrap()),
        );
        let detour = self.detour.filter(|(from, _)| *from == flight.source);
        let longer = detour.map_or(Duration::ZERO, |(_, longer)| longer);
        self.flight_no += 1;
        self.flights.insert(
            (self.now + link.delay + jitter + longer, self.flight_no),
            flight,
        );
    }

    /// All chunks, joined.
    pub(crate) fn recording(&self) -> Vec<u8> {
        self.chunks
            .iter()
            .flat_map(|chunk| chunk.bytes.iter().copied())
            .collect()
    }

    /// What the participant hears, decoded from what arrived, on its RTP timeline (24 kHz from the first packet).
    pub(crate) fn client_hears(&self) -> Vec<i16> {
        let mut packets = self.client_audio.clone();
        packets.sort_by_key(|(seq, ..)| *seq);
        let mut decoder = media::opus::Decoder::new(24_000).unwrap();
        let mut pcm = Vec::new();
        let Some(first) = packets.first().map(|(_, rtp_time, ..)| *rtp_time) else {
            return pcm;
        };
        for (_, rtp_time, payload, _) in packets {
            let at = usize::try_from((rtp_time - first) / 2).unwrap();
            pcm.resize(at, 0);
            pcm.extend_from_slice(decoder.decode(&payload).unwrap());
        }
        pcm
    }
}
