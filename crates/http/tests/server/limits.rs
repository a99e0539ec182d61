//! Callers that take their time: heads and bodies that do not come, answers that nobody reads. A test that fails waits for its
//! patience to end; none measures a time.

use crate::support::{PATIENCE, Served, ask, get, served};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use troupe_http::{Limits, ServeOptions};
use troupe_node::{Cause, Context, Worker, WorkerOptions};

/// Long enough for whoever does not wait on purpose.
const SHORT: Duration = Duration::from_millis(300);
/// Longer than any test.
const NEVER: Duration = Duration::from_secs(3_600);

fn unlimited() -> Limits {
    Limits { head: NEVER, body_pause: NEVER, body: NEVER, unread: NEVER }
}

async fn limited(limits: Limits) -> Served {
    served(ServeOptions { workers: true, limits, ..ServeOptions::local() }).await
}

/// Sends `begin` and then, for ever, `more` whenever a moment has passed; what the server says until it closes.
async fn told(served: &Served, begin: String, more: &'static str) -> String {
    let (mut reading, mut writing) = TcpStream::connect(served.address).await.unwrap().into_split();
    writing.write_all(begin.as_bytes()).await.unwrap();
    let dripping = tokio::spawn(async move {
        while !more.is_empty() && writing.write_all(more.as_bytes()).await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
        // Open until it is aborted.
        std::future::pending::<()>().await;
    });
    let mut told = Vec::new();
    // One that is closed while bytes are on their way is reset, which reads as an error: closed it is.
    let _ = tokio::time::timeout(PATIENCE, reading.read_to_end(&mut told)).await.unwrap();
    dripping.abort();
    String::from_utf8(told).unwrap()
}

fn post(served: &Served, length: usize) -> String {
    format!(
        "POST /workers/main/send HTTP/1.1\r\nhost: {}\r\ncontent-length: {length}\r\n\r\n",
        served.address
    )
}

#[tokio::test]
async fn a_connection_that_sends_no_whole_head_is_closed_also_when_it_drips() {
    let served = limited(Limits { head: SHORT, ..unlimited() }).await;
    for (begin, more) in [
        ("", ""),
        ("GET /livez HTTP/1.1\r\nhost: localhost\r\n", ""),
        ("GET /livez HTTP/1.1\r\n", "x: y\r\n"),
    ] {
        let told = told(&served, begin.to_owned(), more).await;
        assert!(!told.starts_with("HTTP/1.1 200"), "{told}");
    }
    assert_eq!(get(served.address, "/livez").await.status, 200);
}

#[tokio::test]
async fn a_connection_that_asks_nothing_more_is_closed() {
    let served = limited(Limits { head: SHORT, ..unlimited() }).await;
    let told = told(&served, "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n".into(), "").await;
    assert!(told.starts_with("HTTP/1.1 200 OK"), "{told}");
}

#[tokio::test]
async fn a_body_that_stops_or_drips_is_answered_and_its_connection_closed() {
    let stops = limited(Limits { body_pause: SHORT, ..unlimited() }).await;
    let drips = limited(Limits { body: SHORT, ..unlimited() }).await;
    for (served, more) in [(stops, ""), (drips, "x")] {
        let told = told(&served, post(&served, 1 << 20), more).await;
        assert!(told.starts_with("HTTP/1.1 408 "), "{told}");
        assert!(told.contains("\"code\":\"TIMEOUT\"") && told.contains("\"maybeExecuted\":false"), "{told}");
        assert_eq!(get(served.address, "/livez").await.status, 200);
    }
}

struct Long;

impl Worker for Long {
    async fn handle_message(&mut self, context: Context, _: String) -> Result<(), Cause> {
        Ok(context.reply("x".repeat(16 << 20))?)
    }
}

/// As many replies as fit under way; nobody reads them. Each has begun to come.
async fn unread_replies(served: &Served) -> Vec<TcpStream> {
    served.node.start_worker("long", || Long, WorkerOptions::default()).await.unwrap();
    let head =
        format!("POST /workers/long HTTP/1.1\r\nhost: {}\r\ncontent-length: 0\r\n\r\n", served.address);
    let mut held = Vec::new();
    for _ in 0..7 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.readable().await.unwrap();
        held.push(stream);
    }
    held
}

/// Asks until the reply comes.
async fn until_answered(served: &Served) {
    let until = tokio::time::Instant::now() + PATIENCE;
    while ask(served.address, "POST", "/workers/long", &[], "").await.status != 200 {
        assert!(tokio::time::Instant::now() < until, "there is never room again");
    }
}

#[tokio::test]
async fn replies_that_nobody_reads_are_bounded_in_bytes_and_a_caller_that_hangs_up_makes_room() {
    let served = limited(unlimited()).await;
    let mut held = unread_replies(&served).await;
    let refused = ask(served.address, "POST", "/workers/long", &[], "").await;
    assert_eq!(refused.problem(), (503, "TOO_MANY_REQUESTS".into()));
    assert_eq!(refused.json()["maybeExecuted"], true);
    held.pop();
    until_answered(&served).await;
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_given_up_and_its_connection_closed() {
    let served = limited(Limits { unread: SHORT, head: SHORT, ..unlimited() }).await;
    let held = unread_replies(&served).await;
    until_answered(&served).await;
    let mut cut_off = 0;
    for mut stream in held {
        let mut told = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut told)).await.unwrap();
        // Those whose patience is not at its end yet are read in time.
        cut_off += usize::from(told.len() < 16 << 20);
    }
    assert!(cut_off > 0);
}
