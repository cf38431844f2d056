//! A way to the server that uses TCP only. Our own peer speaks UDP, so a relay stands between: to the peer it is the only
//! candidate, to the server it is an ICE-TCP connection.

use std::net::SocketAddr;

use media::demux::{Deframer, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// Starts a relay to the TCP candidate of this answer and returns the answer with the relay as its only candidate.
pub(crate) async fn over_tcp(answer: String) -> String {
    let is_candidate = |line: &&str| line.starts_with("a=candidate:");
    let tcp = answer
        .lines()
        .filter(is_candidate)
        .find(|line| line.to_lowercase().contains(" tcp "))
        .unwrap();
    let server = address(tcp);
    let relay = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let relay_addr = relay.local_addr().unwrap();
    let candidate = format!(
        "a=candidate:1 1 udp 2130706175 {} {} typ host",
        relay_addr.ip(),
        relay_addr.port()
    );
    let mut lines: Vec<&str> = Vec::new();
    for line in answer.lines() {
        if !is_candidate(&line) {
            lines.push(line);
        } else if line == tcp {
            lines.push(&candidate);
        }
    }
    let munged = lines.join("\r\n") + "\r\n";
    tokio::spawn(run(relay, TcpStream::connect(server).await.unwrap()));
    munged
}

/// Foundation, component, transport, priority, address, port (RFC 8839, section 5.1).
fn address(candidate: &str) -> SocketAddr {
    let fields: Vec<&str> = candidate.split_whitespace().collect();
    format!("{}:{}", fields.get(4).unwrap(), fields.get(5).unwrap())
        .parse()
        .unwrap()
}

async fn run(relay: UdpSocket, stream: TcpStream) {
    let (mut reader, mut writer) = stream.into_split();
    let (mut datagram, mut chunk) = ([0; 2_048], [0; 4_096]);
    let mut deframer = Deframer::new();
    let mut caller = None;
    loop {
        tokio::select! {
            received = relay.recv_from(&mut datagram) => {
                let Ok((length, source)) = received else { return };
                caller = Some(source);
                let framed = frame(datagram.get(..length).unwrap()).unwrap();
                if writer.write_all(&framed).await.is_err() {
                    return;
                }
            }
            length = reader.read(&mut chunk) => {
                let Ok(length @ 1..) = length else { return };
                deframer.push(chunk.get(..length).unwrap());
                while let (Some(bytes), Some(caller)) = (deframer.pop(), caller) {
                    drop(relay.send_to(&bytes, caller).await);
                }
            }
        }
    }
}
