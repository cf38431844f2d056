//! A client of the simulated provider: a plain WebSocket that holds every event against the vendor's schema.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::LazyLock;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use sim::provider::{SimConfig, serve};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Nothing in these tests takes nearly as long on any machine.
const DEADLINE: Duration = Duration::from_secs(60);

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema = include_str!("../../../providers/schemas/openai_server.schema.json");
    jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap()
});

/// A simulated provider on a port of its own; stops when dropped.
pub(crate) struct Provider {
    /// `127.0.0.1:port`
    pub(crate) address: String,
    _stop: DropGuard,
}

pub(crate) async fn provider(config: SimConfig) -> Provider {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let stop = CancellationToken::new();
    serve(listener, config, stop.clone());
    Provider {
        address,
        _stop: stop.drop_guard(),
    }
}

/// A realtime connection.
pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Everything received so far.
    pub(crate) events: Vec<Value>,
}

impl Client {
    pub(crate) async fn connect(provider: &Provider, key: &str) -> Result<Client, Error> {
        let url = format!(
            "ws://{}/v1/realtime?model=gpt-realtime-2.1",
            provider.address
        );
        let mut request = url.into_client_request().unwrap();
        request
            .headers_mut()
            .insert("authorization", format!("Bearer {key}").parse().unwrap());
        let (socket, _) = connect_async(request).await?;
        Ok(Client {
            socket,
            events: Vec::new(),
        })
    }

    pub(crate) async fn send(&mut self, event: Value) {
        self.socket
            .send(Message::text(event.to_string()))
            .await
            .unwrap();
    }

    pub(crate) async fn update(&mut self, mut session: Value) {
        session["type"] = json!("realtime");
        self.send(json!({ "type": "session.update", "session": session }))
            .await;
    }

    /// Says something, in pieces of 40 ms, as fast as the socket takes them.
    pub(crate) async fn say(&mut self, pcm: &[i16]) {
        for chunk in pcm.chunks(960) {
            let bytes: Vec<u8> = chunk
                .iter()
                .flat_map(|sample| sample.to_le_bytes())
                .collect();
            let audio = base64_simd::STANDARD.encode_to_string(bytes);
            self.send(json!({ "type": "input_audio_buffer.append", "audio": audio }))
                .await;
        }
    }

    /// The next frame, whatever it is; none when the connection is gone.
    pub(crate) async fn frame(&mut self) -> Option<Result<Message, Error>> {
        tokio::time::timeout(DEADLINE, self.socket.next())
            .await
            .expect("the provider went silent")
    }

    /// The next event, which must be one of the vendor's.
    pub(crate) async fn event(&mut self) -> Value {
        let Some(Ok(Message::Text(text))) = self.frame().await else {
            panic!("the connection ended after {:?}", self.events.last());
        };
        let event: Value = serde_json::from_str(&text).unwrap();
        if let Err(error) = SCHEMA.validate(&event) {
            panic!("{}: {error}\n{event:#}", event["type"]);
        }
        self.events.push(event.clone());
        event
    }

    /// Reads on to an event of this type.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        loop {
            let event = self.event().await;
            if event["type"] == kind {
                return event;
            }
        }
    }
}
