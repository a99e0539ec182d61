//! Connections: taken, bounded, ended.

use crate::options::Limits;
use crate::patience::Patient;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Connections at a time. One costs up to two buffers and, while a message comes in, that message.
const CONNECTIONS: usize = 256;

/// Bytes of a connection's buffers: the head of a request must fit.
const BUFFER: usize = 64 << 10;

/// Answers that are under way when the server closes have so long to end.
const END_WITHIN: Duration = Duration::from_secs(1);

/// After the system refused a connection, for want of files as a rule, it is asked again so much later.
const REFUSED: Duration = Duration::from_millis(50);

/// What one connection too many is told, before it is closed.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\n\
connection: close\r\ncontent-length: 131\r\n\r\n\
{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\"code\":\"TOO_MANY_CONNECTIONS\",\"detail\":\"256 connections are open\"}";

/// Takes connections until the server closes, and waits for their ends.
pub(crate) async fn accept(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    mut is_closing: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let closing = is_closing.clone();
    loop {
        // Those that have ended make room.
        while connections.try_join_next().is_some() {}
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    log::debug!(target: "http", "a connection could not be taken: {error}");
                    tokio::time::sleep(REFUSED).await;
                    continue;
                }
            },
            () = closed(&mut is_closing) => break,
        };
        match permits.clone().try_acquire_owned() {
            Ok(permit) => {
                let (router, closing) = (router.clone(), closing.clone());
                connections.spawn(async move {
                    serve(stream, router, limits, closing).await;
                    drop(permit);
                });
            }
            Err(_) => refuse(stream),
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve(stream: TcpStream, router: Router, limits: Limits, mut is_closing: watch::Receiver<bool>) {
    // Small answers and events go at once. A socket that refuses that works as well.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(Patient::new(stream, limits.unread)), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closed(&mut is_closing) => {
            connection.as_mut().graceful_shutdown();
            // Over time it is cut.
            tokio::time::timeout(END_WITHIN, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        log::debug!(target: "http", "a connection ended: {error}");
    }
}

/// Resolves when the server closes, or is gone.
pub(crate) async fn closed(is_closing: &mut watch::Receiver<bool>) {
    // An error says that it is gone.
    let _ = is_closing.wait_for(|closing| *closing).await;
}

/// Tells one connection too many so, as far as its socket takes it at once, and closes it.
fn refuse(mut stream: TcpStream) {
    log::debug!(target: "http", "a connection was refused: {CONNECTIONS} are open");
    tokio::spawn(async move {
        // Whoever does not read it is closed all the same.
        let _ = tokio::time::timeout(END_WITHIN, stream.write_all(FULL)).await;
    });
}
