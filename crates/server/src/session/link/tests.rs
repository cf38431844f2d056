#![expect(clippy::unwrap_used, reason = "tests")]

use engine::link::Patience;
use providers::{Counters, Endpoint};
use tokio::io::{DuplexStream, duplex};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;

/// A vendor's protocol in which nobody says anything.
struct Quiet;

impl Codec for Quiet {
    fn endpoint(&self) -> Endpoint {
        Endpoint {
            url: String::new(),
            headers: vec![],
        }
    }

    fn open(&mut self, _: &LinkConfig, _: &mut Vec<CodecOutput>) {}

    fn command(&mut self, _: &LinkCommand, _: &mut Vec<CodecOutput>) {}

    fn audio(&mut self, _: &[i16], _: &mut Vec<CodecOutput>) {}

    fn flush(&mut self, _: &mut Vec<CodecOutput>) {}

    fn frame(&mut self, _: Frame<'_>, _: &mut Vec<CodecOutput>) {}

    fn closed(&mut self, _: Closed<'_>, _: &mut Vec<CodecOutput>) {}

    fn counters(&self) -> Counters {
        Counters::default()
    }
}

/// A link over a wire in memory, in virtual time.
struct Bench {
    running: Running,
    ours: WebSocketStream<DuplexStream>,
    theirs: WebSocketStream<DuplexStream>,
    _orders: mpsc::Sender<Order>,
    heard: fresh::Sender<Heard>,
}

async fn bench() -> Bench {
    let (ours, theirs) = duplex(64 << 10);
    let (orders_in, orders) = mpsc::channel(1);
    let (heard_in, heard) = fresh::channel(1);
    let task = LinkTask {
        no: LinkNo(1),
        codec: Box::new(Quiet),
        config: LinkConfig {
            instructions: String::new(),
            tools: vec![],
            language: "en".to_owned(),
            voice: None,
            patience: Patience {
                silence_ms: 500,
                threshold_permille: 500,
                prefix_ms: 300,
            },
            history: vec![],
        },
        ready_within: Duration::from_secs(1),
        orders,
        events: mpsc::channel(1).0,
        heard,
        spoken: mpsc::channel(1).0,
        failures: mpsc::channel(1).0,
        tls: tls(),
        metrics: Arc::new(Metrics::new()),
    };
    let mut running = Running::new(task);
    running.ready = true;
    Bench {
        running,
        ours: WebSocketStream::from_raw_socket(ours, Role::Client, None).await,
        theirs: WebSocketStream::from_raw_socket(theirs, Role::Server, None).await,
        _orders: orders_in,
        heard: heard_in,
    }
}

fn is_silence(end: &End) -> bool {
    matches!(end, End::Io(detail) if detail.contains("silent"))
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_takes_everything_and_answers_nothing_is_found_within_8_s() {
    let mut bench = bench().await;
    let began = Instant::now();
    let end = bench.running.talk(&mut bench.ours, began).await;
    assert!(is_silence(&end));
    assert_eq!(began.elapsed(), SILENT_AT_MOST);
    assert!(SILENT_AT_MOST <= Duration::from_secs(8));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_says_nothing_and_answers_pings_is_kept_until_it_stops_answering() {
    let mut bench = bench().await;
    let began = Instant::now();
    let theirs = &mut bench.theirs;
    let vendor = async {
        for _ in 0..200 {
            let ping = theirs.next().await.unwrap().unwrap();
            assert!(matches!(ping, Message::Ping(_)), "{ping:?}");
            // A pong is sent with the next write.
            theirs.flush().await.unwrap();
        }
        // Half open: what is sent to it still goes somewhere.
        std::future::pending::<()>().await;
    };
    let end = tokio::select! {
        end = bench.running.talk(&mut bench.ours, began) => end,
        () = vendor => unreachable!("it never ends"),
    };
    assert!(is_silence(&end));
    assert_eq!(began.elapsed(), PING_EVERY * 200 + SILENT_AT_MOST);
}

#[tokio::test(start_paused = true)]
async fn what_came_while_this_process_stood_still_is_read_before_the_provider_is_taken_for_silent()
{
    let mut bench = bench().await;
    let began = Instant::now();
    let mut talk = std::pin::pin!(bench.running.talk(&mut bench.ours, began));
    assert!(futures_util::poll!(&mut talk).is_pending());
    // Both have spoken, and nobody looked for longer than a provider may be silent.
    let frame = Heard {
        pcm: vec![0; 480],
        at: began.into_std(),
    };
    drop(bench.heard.send(frame));
    bench.theirs.send(Message::text("{}")).await.unwrap();
    tokio::time::advance(SILENT_AT_MOST * 2).await;
    assert!(futures_util::poll!(&mut talk).is_pending());
}
