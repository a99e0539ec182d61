//! `/events`: many readers, slow ones, and those that come back.

use crate::support::{PATIENCE, Stream, eventually, get, watching};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn fifty_readers_get_every_line() {
    let served = watching().await;
    let mut readers = Vec::new();
    for _ in 0..50 {
        let mut stream = Stream::open(served.address, "/events", &[]).await;
        // It has begun.
        stream.until("nodes").await;
        readers.push(stream);
    }
    for i in 0..1_000 {
        served.script.log("here", "here", i, &i.to_string());
    }
    for stream in &mut readers {
        assert_eq!(stream.messages_until("999").await.len(), 1_000);
    }
}

#[tokio::test]
async fn a_reader_that_comes_back_goes_on_where_it_was() {
    let served = watching().await;
    served.script.log("here", "here", 1, "one");
    let mut stream = Stream::open(served.address, "/events", &[]).await;
    let id = stream.until("lines").await.id;
    drop(stream);
    served.script.log("here", "here", 2, "two");
    let mut stream = Stream::open(served.address, "/events", &[("last-event-id", &id)]).await;
    assert_eq!(stream.messages_until("two").await, ["two"]);
    let mut stream = Stream::open(served.address, &format!("/events?after={id}"), &[]).await;
    assert_eq!(stream.messages_until("two").await, ["two"]);
    let mut stream = Stream::open(served.address, "/events?history=1", &[]).await;
    assert_eq!(stream.messages_until("two").await, ["two"]);
}

#[tokio::test]
async fn nodes_workers_and_dead_letters_come_every_second() {
    let served = watching().await;
    let worker = json!({ "name": "w", "queued": 1, "handled": 2, "failed": 0 });
    served
        .script
        .state("here", json!({ "state": "draining", "workers": [worker], "deadLetters": { "x": 1 } }));
    let mut stream = Stream::open(served.address, "/events", &[]).await;
    loop {
        let nodes = stream.until("nodes").await.data;
        if nodes[0]["presence"] == "draining" {
            assert!(nodes[0].get("workers").is_none());
            break;
        }
    }
    let workers = stream.until("workers").await.data;
    assert_eq!((&workers[0]["node"], &workers[0]["name"]), (&json!("here"), &json!("w")));
    assert_eq!(stream.until("deadLetters").await.data["total"], json!({ "x": 1 }));
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_told_what_it_lost_and_costs_no_more_than_its_socket_holds() {
    const LINES: usize = 40_000;
    const MOST: usize = 16 << 20;
    let served = watching().await;
    let mut slow = TcpStream::connect(served.address).await.unwrap();
    let request = format!("GET /events HTTP/1.1\r\nhost: {}\r\n\r\n", served.address);
    slow.write_all(request.as_bytes()).await.unwrap();
    // It reads the beginning, and then no more.
    slow.readable().await.unwrap();
    let padding = "x".repeat(1_000);
    let line = |i: usize| json!({ "node": "here", "time": i, "message": format!("{i} {padding}") });
    served.script.log_lines("here", (0..LINES).map(line));
    let last = format!("{} ", LINES - 1);
    let is_last = |line: &serde_json::Value| line["message"].as_str().unwrap().starts_with(&last);
    eventually(served.address, "/logs?limit=1", |reply| {
        reply.json()["lines"].as_array().unwrap().iter().any(is_last)
    })
    .await;

    let (mut read, mut text, mut buffer) = (0, String::new(), vec![0; 1 << 20]);
    let dropped = loop {
        let count = tokio::time::timeout(PATIENCE, slow.read(&mut buffer)).await.unwrap().unwrap();
        assert!(count > 0);
        read += count;
        text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        if let Some((_, behind)) = text.split_once("event: dropped\ndata: {\"lines\":")
            && let Some((number, _)) = behind.split_once('}')
        {
            break number.parse::<usize>().unwrap();
        }
        // Whatever was kept for it has been read by now.
        assert!(read < MOST, "{read} bytes were kept for a reader that did not read");
    };
    let got = text.matches("\"id\":").count();
    assert!(got + dropped <= LINES && dropped >= LINES - 20_000 - got, "{got} came, {dropped} were dropped");
}

#[tokio::test]
async fn readers_are_bounded_and_leave_connections_for_probes() {
    let served = watching().await;
    let mut readers = Vec::new();
    for _ in 0..128 {
        readers.push(Stream::open(served.address, "/events", &[]).await);
    }
    let refused = get(served.address, "/events").await;
    assert_eq!(refused.problem(), (503, "TOO_MANY_REQUESTS".into()));
    assert_eq!(get(served.address, "/livez").await.status, 200);
}

#[tokio::test]
async fn the_stream_ends_with_the_server() {
    let served = watching().await;
    let mut stream = Stream::open(served.address, "/events", &[]).await;
    stream.until("nodes").await;
    let (ended, has_ended) = tokio::sync::oneshot::channel();
    served.server.close(|| ended.send(()).unwrap());
    while stream.next().await.is_some() {}
    tokio::time::timeout(Duration::from_secs(30), has_ended).await.unwrap().unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}
