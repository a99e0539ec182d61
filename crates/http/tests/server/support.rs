//! A server, and callers of it.

use crate::script::{Script, Zone};
use axum::body::{Body, BodyDataStream, to_bytes};
use futures_util::StreamExt;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use troupe_http::{ServeOptions, Server, serve};
use troupe_node::{Node, NodeOptions};

/// What has not come about by then will not: only a test that fails waits for so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Served {
    pub(crate) node: Node,
    pub(crate) script: Arc<Script>,
    pub(crate) address: SocketAddr,
    pub(crate) server: Server,
}

/// A server of a node by itself, in a scripted zone.
pub(crate) async fn served(options: ServeOptions) -> Served {
    let node = Node::create(NodeOptions::alone("here")).await.unwrap();
    let script = Script::new();
    let server = serve(node.shared().clone(), Arc::new(Zone(script.clone())), options).unwrap();
    Served { node, script, address: server.address(), server }
}

/// One that watches the zone.
pub(crate) async fn watching() -> Served {
    served(ServeOptions { view: true, ..ServeOptions::local() }).await
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code of a problem.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let body = self.json();
        assert_eq!(body["status"], self.status);
        (self.status, body["code"].as_str().unwrap().to_owned())
    }
}

async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> hyper::Response<hyper::body::Incoming> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = hyper::Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", address.to_string());
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    sender.send_request(request.body(Body::from(body)).unwrap()).await.unwrap()
}

pub(crate) async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Vec<u8>>,
) -> Reply {
    let answered = async {
        let response = send(address, method, path, headers, body.into()).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = to_bytes(Body::new(response.into_body()), usize::MAX).await.unwrap();
        Reply { status, headers, body: body.into() }
    };
    tokio::time::timeout(PATIENCE, answered).await.unwrap()
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Reply {
    ask(address, "GET", path, &[], "").await
}

/// Asks until the answer is as wanted.
pub(crate) async fn eventually(address: SocketAddr, path: &str, is_it: impl Fn(&Reply) -> bool) -> Reply {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let reply = get(address, path).await;
        if is_it(&reply) {
            return reply;
        }
        assert!(tokio::time::Instant::now() < until, "{path} stays: {} {}", reply.status, reply.text());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A reader of `/events`.
pub(crate) struct Stream {
    body: BodyDataStream,
    text: String,
}

pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

impl Stream {
    pub(crate) async fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let response = send(address, "GET", path, headers, Vec::new()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: Body::new(response.into_body()).into_data_stream(), text: String::new() }
    }

    /// The next event; `None`: the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let mut lines = event.lines();
                    lines
                        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                        .unwrap_or("")
                        .to_owned()
                };
                let (name, id, data) = (field("event"), field("id"), field("data"));
                let rest = rest.len();
                self.text.drain(..self.text.len() - rest);
                if !name.is_empty() {
                    return Some(Event { name, id, data: serde_json::from_str(&data).unwrap() });
                }
                continue;
            }
            let chunk = tokio::time::timeout(PATIENCE, self.body.next()).await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        }
    }

    /// Reads on to an event of that name.
    pub(crate) async fn until(&mut self, name: &str) -> Event {
        let reading = async {
            loop {
                let event = self.next().await.unwrap();
                if event.name == name {
                    return event;
                }
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap()
    }

    /// Messages of lines, up to this one.
    pub(crate) async fn messages_until(&mut self, last: &str) -> Vec<String> {
        let mut messages = Vec::new();
        loop {
            let event = self.until("lines").await;
            for line in event.data.as_array().unwrap() {
                messages.push(line["message"].as_str().unwrap().to_owned());
            }
            if messages.last().is_some_and(|message| message == last) {
                return messages;
            }
        }
    }
}
