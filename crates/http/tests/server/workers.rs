//! The interface to workers: every outcome has its status and its code.

use crate::support::{Served, ask, served};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use troupe_http::ServeOptions;
use troupe_node::{Cause, Context, Overflow, Worker, WorkerOptions};

struct Echo {
    begun: Arc<Notify>,
    called_off: Arc<Notify>,
}

impl Worker for Echo {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        match message.as_str() {
            "fail" => return Err(Cause::new("as it was told")),
            "wait" => {
                self.begun.notify_one();
                context.cancelled().await;
                self.called_off.notify_one();
            }
            "say nothing" => {}
            "block" => {
                self.begun.notify_one();
                // The whole isolate is held up.
                std::thread::sleep(Duration::from_secs(2));
            }
            _ => context.reply(message)?,
        }
        Ok(())
    }
}

/// Takes a message and never answers it.
struct Mute {
    taken: Arc<Notify>,
}

impl Worker for Mute {
    async fn handle_message(&mut self, _context: Context, _message: String) -> Result<(), Cause> {
        self.taken.notify_one();
        Ok(())
    }
}

struct Fixture {
    served: Served,
    begun: Arc<Notify>,
    called_off: Arc<Notify>,
}

async fn fixture() -> Fixture {
    let served = served(ServeOptions { workers: true, ..ServeOptions::local() }).await;
    let (begun, called_off) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (one, other) = (begun.clone(), called_off.clone());
    let make = move || Echo { begun: one.clone(), called_off: other.clone() };
    let options = WorkerOptions { mailbox: 1, overflow: Overflow::Reject, ..WorkerOptions::default() };
    served.node.start_worker("echo", make, options).await.unwrap();
    Fixture { served, begun, called_off }
}

#[tokio::test]
async fn a_message_is_answered_by_its_reply_and_a_send_when_it_was_taken() {
    let Fixture { served, .. } = fixture().await;
    for path in ["/workers/echo", "/workers/here%2Fecho", "/workers/here/echo?timeout=5s"] {
        let reply = ask(served.address, "POST", path, &[], "<b>hé</b>").await;
        assert_eq!((reply.status, reply.text()), (200, "<b>hé</b>"), "{path}");
        assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
    }
    // Who speaks JSON is told where the worker does.
    for (kind, body, told) in [
        ("application/json", "{\"a\":\"\\ud800\"}", "application/json"),
        ("Application/JSON; charset=utf-8", "7", "application/json"),
        ("application/json", "{\"a\":", "text/plain; charset=utf-8"),
        ("text/plain", "7", "text/plain; charset=utf-8"),
    ] {
        let reply = ask(served.address, "POST", "/workers/echo", &[("content-type", kind)], body).await;
        assert_eq!((reply.status, reply.text(), reply.header("content-type")), (200, body, told));
    }
    for path in ["/workers/echo/send", "/workers/here%2Fecho/send", "/workers/here/echo/send"] {
        assert_eq!(ask(served.address, "POST", path, &[], "x").await.status, 202, "{path}");
    }
}

#[tokio::test]
async fn each_failure_has_its_status_and_its_code() {
    let Fixture { served, begun, called_off } = fixture().await;
    let post = async |path: &str, body: &str| ask(served.address, "POST", path, &[], body).await;
    let failed = post("/workers/echo", "fail").await;
    assert_eq!(failed.problem(), (500, "WORKER_FAILED".into()));
    assert_eq!(
        (&failed.json()["worker"], &failed.json()["cause"]["message"]),
        (&"echo".into(), &"as it was told".into())
    );
    assert_eq!(post("/workers/nobody", "").await.problem(), (404, "NO_SUCH_WORKER".into()));
    assert_eq!(post("/workers/nobody/send", "").await.problem(), (404, "NO_SUCH_WORKER".into()));
    let late = post("/workers/echo?timeout=20ms", "say nothing").await;
    assert_eq!(late.problem(), (504, "TIMEOUT".into()));
    assert_eq!(late.json()["stage"], "handled");
    for path in [
        "/workers/no%20name",
        "/workers/%ff",
        "/workers/here%2F..%2Fecho",
        "/workers/a/%00/send",
        "/workers/echo?timeout=soon",
        "/workers/echo?timeuot=1s",
    ] {
        assert_eq!(post(path, "").await.problem(), (400, "INVALID_ARGUMENT".into()), "{path}");
    }
    let no_text = ask(served.address, "POST", "/workers/echo", &[], [0xff, 0xfe]).await;
    assert_eq!(no_text.problem(), (400, "INVALID_ARGUMENT".into()));
    for form in ["multipart/form-data; boundary=x", "Multipart/Form-Data"] {
        let refused = ask(served.address, "POST", "/workers/echo", &[("content-type", form)], "x").await;
        assert_eq!(refused.problem(), (415, "INVALID_ARGUMENT".into()));
    }
    let long = ask(served.address, "POST", "/workers/echo", &[], vec![b'x'; (16 << 20) + 1]).await;
    assert_eq!(long.problem(), (413, "MESSAGE_TOO_LARGE".into()));
    assert_eq!(ask(served.address, "PUT", "/workers/echo", &[], "").await.status, 405);

    // One is being handled, one fills the mailbox.
    let address = served.address;
    let running = tokio::spawn(async move { ask(address, "POST", "/workers/echo", &[], "wait").await });
    begun.notified().await;
    assert_eq!(post("/workers/echo/send", "fills the mailbox").await.status, 202);
    let full = post("/workers/echo", "one too many").await;
    assert_eq!(full.problem(), (429, "MAILBOX_FULL".into()));
    assert_eq!(full.header("retry-after"), "1");
    served.node.stop_worker("echo", Duration::ZERO).await.unwrap();
    assert_eq!(running.await.unwrap().problem(), (409, "WORKER_STOPPED".into()));
    called_off.notified().await;
    served.node.stop(Duration::ZERO).await;
    let stopped = post("/workers/echo", "").await;
    assert_eq!(stopped.problem(), (503, "NODE_STOPPED".into()));
    assert_eq!(stopped.header("retry-after"), "1");
}

#[tokio::test]
async fn a_message_of_sixteen_mebibytes_is_taken() {
    let Fixture { served, .. } = fixture().await;
    let reply = ask(served.address, "POST", "/workers/echo", &[], vec![b'x'; 16 << 20]).await;
    assert_eq!((reply.status, reply.body.len()), (200, 16 << 20));
}

#[tokio::test]
async fn a_message_that_does_not_say_its_length_is_bounded_as_well() {
    let Fixture { served, .. } = fixture().await;
    let chunked = async |chunks: usize| {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let head = format!(
            "POST /workers/echo HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n",
            served.address
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let chunk = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
        for _ in 0..chunks {
            stream.write_all(chunk.as_bytes()).await.unwrap();
        }
        stream.write_all(b"0\r\n\r\n").await.unwrap();
        let mut told = String::new();
        stream.read_to_string(&mut told).await.unwrap();
        told
    };
    assert!(chunked(16).await.starts_with("HTTP/1.1 200"));
    let refused = chunked(17).await;
    assert!(refused.starts_with("HTTP/1.1 413") && refused.contains("MESSAGE_TOO_LARGE"), "{refused}");
}

#[tokio::test]
async fn a_caller_that_hangs_up_calls_its_message_off() {
    let Fixture { served, begun, called_off } = fixture().await;
    let address = served.address;
    let running = tokio::spawn(async move { ask(address, "POST", "/workers/echo", &[], "wait").await });
    begun.notified().await;
    running.abort();
    called_off.notified().await;
}

#[tokio::test]
async fn a_caller_gets_its_timeout_also_when_the_isolate_is_held_up() {
    let Fixture { served, begun, .. } = fixture().await;
    assert_eq!(ask(served.address, "POST", "/workers/echo/send", &[], "block").await.status, 202);
    begun.notified().await;
    let late = ask(served.address, "POST", "/workers/echo?timeout=10ms", &[], "x").await;
    assert_eq!(late.problem(), (504, "TIMEOUT".into()));
    assert_eq!(late.json()["stage"], "in-transit");
}

#[tokio::test]
async fn messages_are_refused_where_they_are_not_enabled() {
    let served = served(ServeOptions::local()).await;
    for (method, path) in [("POST", "/workers/main"), ("POST", "/workers/main/send"), ("GET", "/logs/levels")]
    {
        assert_eq!(
            ask(served.address, method, path, &[], "").await.problem(),
            (403, "NOT_PERMITTED".into()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn messages_under_way_are_bounded_in_bytes_and_a_caller_that_hangs_up_makes_room() {
    let Fixture { served, .. } = fixture().await;
    let head = format!(
        "POST /workers/echo HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n",
        served.address,
        16 << 20
    );
    let mut held = Vec::new();
    for _ in 0..7 {
        // Its body never comes.
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        held.push(stream);
    }
    let post = async || ask(served.address, "POST", "/workers/echo", &[], vec![b'x'; 16 << 20]).await;
    let refused = loop {
        // Until all of them have been read.
        let reply = post().await;
        if reply.status != 200 {
            break reply;
        }
    };
    assert_eq!(refused.problem(), (503, "TOO_MANY_REQUESTS".into()));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(ask(served.address, "POST", "/workers/echo", &[], "small").await.status, 200);
    drop(held);
    while post().await.status != 200 {}
}

/// A message to a worker that never answers: each of these heads and bodies, until the worker has it.
async fn under_way(served: &Served, requests: impl IntoIterator<Item = String>) -> Vec<TcpStream> {
    let taken = Arc::new(Notify::new());
    let told = taken.clone();
    let make = move || Mute { taken: told.clone() };
    served.node.start_worker("mute", make, WorkerOptions::default()).await.unwrap();
    let mut held = Vec::new();
    for request in requests {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let head = format!("POST /workers/mute?timeout=1h HTTP/1.1\r\nhost: {}\r\n", served.address);
        stream.write_all((head + &request).as_bytes()).await.unwrap();
        let mut answer = [0; 1024];
        tokio::select! {
            () = taken.notified() => held.push(stream),
            count = stream.read(&mut answer) => panic!("{}", String::from_utf8_lossy(&answer[..count.unwrap()])),
        }
    }
    held
}

#[tokio::test]
async fn a_message_that_was_read_counts_as_what_it_is_whether_it_said_its_length_or_not() {
    let Fixture { served, .. } = fixture().await;
    let chunked = "transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    // Sixteen of 16 MiB would be more than may be under way.
    let held = under_way(&served, ["\r\n", chunked].repeat(8).into_iter().map(str::to_owned)).await;
    assert_eq!(held.len(), 16);
    let reply = ask(served.address, "POST", "/workers/echo", &[], vec![b'x'; 16 << 20]).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn a_message_that_did_not_say_its_length_counts_until_its_reply() {
    let Fixture { served, .. } = fixture().await;
    let message = "x".repeat(15 << 20);
    let chunked = format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n{message}\r\n0\r\n\r\n", message.len());
    let held = under_way(&served, vec![chunked; 8]).await;
    let refused = ask(served.address, "POST", "/workers/echo", &[], vec![b'x'; 9 << 20]).await;
    assert_eq!(refused.problem(), (503, "TOO_MANY_REQUESTS".into()));
    assert_eq!(ask(served.address, "POST", "/workers/echo", &[], vec![b'x'; 3 << 20]).await.status, 200);
    drop(held);
}
