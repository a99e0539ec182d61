//! Probes, while all is well, while the isolate is held up, while the node drains.

use crate::support::{PATIENCE, eventually, get, served};
use std::time::Duration;
use troupe_http::ServeOptions;
use troupe_node::Error;

#[tokio::test]
async fn a_loop_that_is_held_up_fails_its_probe_after_the_time_that_was_set_and_is_well_again_after() {
    let options = ServeOptions { stall: Duration::from_millis(200), ..ServeOptions::local() };
    let served = served(options).await;
    assert_eq!(get(served.address, "/livez").await.json()["status"], "alive");
    assert_eq!(get(served.address, "/readyz").await.json()["status"], "ready");
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let node = served.node.clone();
    let blocking = tokio::spawn(async move {
        let block = async move |_| {
            // Holds the whole isolate up until the gate is dropped.
            let _ = gate.recv();
            Ok::<_, Error>(())
        };
        node.run(block).await
    });
    let stalled = eventually(served.address, "/livez", |reply| reply.status == 503).await.json();
    assert_eq!(stalled["status"], "stalled");
    assert!(stalled["blockedMs"].as_u64().unwrap() >= 200);
    assert_eq!(get(served.address, "/readyz").await.status, 503);
    drop(open);
    blocking.await.unwrap().unwrap();
    eventually(served.address, "/livez", |reply| reply.status == 200).await;
    assert_eq!(get(served.address, "/readyz").await.status, 200);
}

#[tokio::test]
async fn what_waited_for_a_loop_that_is_held_up_counts_from_the_first_probe_on() {
    let options = ServeOptions { stall: Duration::from_millis(200), ..ServeOptions::local() };
    let served = served(options).await;
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let (begin, begun) = tokio::sync::oneshot::channel::<()>();
    let node = served.node.clone();
    let blocking = tokio::spawn(async move {
        let block = async move |_| {
            let _ = begin.send(());
            // Holds the whole isolate up until the gate is dropped.
            let _ = gate.recv();
            Ok::<_, Error>(())
        };
        node.run(block).await
    });
    begun.await.unwrap();
    // Nobody has looked; something comes, and waits.
    let shared = served.node.shared().clone();
    let waiting = tokio::spawn(async move { shared.turn().await });
    let until = tokio::time::Instant::now() + PATIENCE;
    while served.node.shared().held_up() < Duration::from_millis(200) {
        assert!(tokio::time::Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let first = get(served.address, "/livez").await;
    assert_eq!((first.status, &first.json()["status"]), (503, &"stalled".into()));
    assert!(first.json()["blockedMs"].as_u64().unwrap() >= 200);
    drop(open);
    blocking.await.unwrap().unwrap();
    assert!(waiting.await.unwrap());
    eventually(served.address, "/livez", |reply| reply.status == 200).await;
}

#[tokio::test]
async fn a_node_that_drains_is_alive_and_not_ready() {
    let served = served(ServeOptions::local()).await;
    served.node.shared().set_draining();
    assert_eq!(get(served.address, "/livez").await.status, 200);
    let ready = get(served.address, "/readyz").await;
    assert_eq!((ready.status, &ready.json()["status"]), (503, &"draining".into()));
    served.node.stop(Duration::ZERO).await;
    assert_eq!(get(served.address, "/livez").await.status, 200);
}

#[tokio::test]
async fn a_server_that_is_closed_leaves_no_thread() {
    let served = served(ServeOptions::local()).await;
    let (ended, has_ended) = tokio::sync::oneshot::channel();
    served.server.close(|| ended.send(()).unwrap());
    tokio::time::timeout(PATIENCE, has_ended).await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(served.address).await.is_err());
}
