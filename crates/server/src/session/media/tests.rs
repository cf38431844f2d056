#![expect(clippy::unwrap_used, reason = "tests")]

use media::{Beginning, Certificate, DeskConfig, Recording};

use super::super::link::HEARD;
use super::*;
use crate::udp::NetThread;

struct Bench {
    running: Running,
    metrics: Arc<Metrics>,
    _orders: mpsc::Sender<Order>,
    _thread: NetThread,
}

fn bench() -> Bench {
    let metrics = Arc::new(Metrics::new());
    let (net, thread) = crate::udp::loopback(&metrics);
    let config = DeskConfig {
        model_rate_hz: 24_000,
        opus_complexity: 5,
        opus_bitrate_bps: 32_000,
        recording: Recording::On,
        beginning: Beginning::default(),
        farewell: "",
    };
    let told = NetConfig {
        udp: vec![],
        tcp: vec![],
        cert: Certificate::generate(),
    };
    let (orders_in, orders) = mpsc::channel(1);
    let (datagrams_in, datagrams) = mpsc::channel(1);
    let task = MediaTask {
        desk: Desk::new(Instant::now(), config).unwrap(),
        peer: PeerNo(1),
        route: None,
        datagrams_in,
        datagrams,
        orders,
        spoken: mpsc::channel(1).1,
        reports: mpsc::channel(1).0,
        chunks: None,
        failures: mpsc::channel(1).0,
        lane: Lane::new(&net),
        told: Arc::new(told),
        clock: Clock::start(),
        metrics: Arc::clone(&metrics),
    };
    Bench {
        running: task.begin(),
        metrics,
        _orders: orders_in,
        _thread: thread,
    }
}

impl Bench {
    /// The participant says these frames, each of one sample that is its number.
    fn says(&mut self, frames: std::ops::RangeInclusive<i16>) {
        for frame in frames {
            self.running.hear(vec![frame], Instant::now());
        }
    }

    fn opens_link(&mut self) -> fresh::Receiver<Heard> {
        let (heard_in, heard) = fresh::channel(HEARD);
        self.running.obey(Order::Listen(heard_in));
        heard
    }

    fn dropped(&self) -> u64 {
        self.metrics
            .dropped
            .get_or_create(&[("kind", "audio_in")])
            .get()
    }
}

fn read(link: &mut fresh::Receiver<Heard>, at_most: usize) -> Vec<i16> {
    let frames = std::iter::from_fn(|| link.try_recv()).take(at_most);
    frames.flat_map(|frame| frame.pcm).collect()
}

#[test]
fn what_is_said_while_there_is_no_link_reaches_the_next_one_in_order() {
    let mut bench = bench();
    bench.says(1..=100);
    let mut first = bench.opens_link();
    bench.says(101..=110);
    assert_eq!(read(&mut first, 105), (1..=105).collect::<Vec<i16>>());
    // It goes with five frames that it did not read; the next one hears those first.
    drop(first);
    bench.says(111..=150);
    let mut second = bench.opens_link();
    bench.says(151..=160);
    assert_eq!(read(&mut second, HEARD), (106..=160).collect::<Vec<i16>>());
    assert_eq!(bench.dropped(), 0);
}

#[test]
fn of_more_than_ten_seconds_without_a_link_the_oldest_are_dropped_and_counted() {
    let mut bench = bench();
    bench.says(1..=503);
    let mut link = bench.opens_link();
    assert_eq!(read(&mut link, HEARD), (4..=503).collect::<Vec<i16>>());
    assert_eq!(bench.dropped(), 3);
}

#[test]
fn what_was_said_before_a_long_absence_is_not_heard_after_it() {
    let mut bench = bench();
    let long_ago = Instant::now().checked_sub(KEPT_FOR * 2).unwrap();
    bench.running.hear(vec![1], long_ago);
    bench.says(2..=3);
    let mut link = bench.opens_link();
    assert_eq!(read(&mut link, HEARD), [2, 3]);
}
