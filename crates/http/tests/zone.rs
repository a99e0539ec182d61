//! A real zone: what its members tell, over their channels. By itself, for a log is a matter of the process.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]
#![expect(clippy::allow_attributes, reason = "not every file of tests uses all of what it shares")]

#[allow(dead_code)]
#[path = "server/script.rs"]
mod script;
#[allow(dead_code)]
#[path = "server/support.rs"]
mod support;

use crate::support::{Stream, eventually, get};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use troupe_http::{Role, ServeOptions, ZoneSource, serve};
use troupe_node::observe::{Level, Line, keep};
use troupe_node::{Cause, Context, Node, NodeOptions, Worker, WorkerOptions};

struct Echo;

impl Worker for Echo {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        context.reply(message)?;
        Ok(())
    }
}

/// A folder of the test's own, removed in the end.
struct Home(PathBuf);

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn home() -> Home {
    let home = std::env::temp_dir().join(format!("troupe-http-{}", std::process::id()));
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).unwrap();
    Home(home)
}

fn log(message: &str) {
    keep(Line {
        time: 1,
        node: None,
        level: Level::Warn,
        name: "node".into(),
        worker: Some("w".into()),
        message: message.into(),
        fields: Some("{\"a\":1}".into()),
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_serves_what_the_nodes_of_its_zone_tell() {
    let home = home();
    // The log of a process is that of the node which was opened first: by its channel the lines come to the observer.
    let far = Node::create(NodeOptions::in_zone("far", "http", home.0.clone())).await.unwrap();
    log("before anybody looked");
    let options = NodeOptions::in_zone("observer-1", "http", home.0.clone()).with_role(Role::Observer);
    let observer = Node::create(options).await.unwrap();
    let source = ZoneSource::new(observer.shared().clone(), Some("http".into()), Role::Observer);
    let options = ServeOptions { view: true, ..ServeOptions::local() };
    let server = serve(observer.shared().clone(), Arc::new(source), options).unwrap();

    let mut stream = Stream::open(server.address(), "/events", &[]).await;
    loop {
        let lines = stream.until("lines").await.data;
        if let Some(line) =
            lines.as_array().unwrap().iter().find(|line| line["message"] == "before anybody looked")
        {
            assert_eq!(
                (&line["node"], &line["level"], &line["worker"]),
                (&"far".into(), &"warn".into(), &"w".into())
            );
            assert_eq!(line["fields"]["a"], 1);
            break;
        }
    }
    log("while somebody looks");
    let is_there = |reply: &crate::support::Reply| reply.text().contains("while somebody looks");
    eventually(server.address(), "/logs?node=far&worker=w", is_there).await;
    let counts = |reply: &crate::support::Reply| reply.json()["handled"] == 3;
    far.start_worker("echo", || Echo, WorkerOptions::default()).await.unwrap();
    for _ in 0..3 {
        observer.send_and_receive("echo", "x").await.unwrap();
    }
    let worker = eventually(server.address(), "/workers/far/echo", counts).await.json();
    assert_eq!((&worker["node"], &worker["state"]), (&"far".into(), &"idle".into()));
    let nodes =
        eventually(server.address(), "/nodes", |reply| reply.json()[0]["presence"] == "up").await.json();
    assert_eq!(
        (nodes.as_array().unwrap().len(), &nodes[0]["node"], &nodes[0]["id"]),
        (1, &"far".into(), &far.id().into())
    );
    // The server tells of its own node, which is no node of the zone.
    let metrics = get(server.address(), "/metrics").await;
    assert!(
        metrics.text().contains("troupe_node_info{node=\"observer-1\",zone=\"http\""),
        "{}",
        metrics.text()
    );
    let bytes = metrics.text().lines().find(|line| line.starts_with("troupe_peer_bytes_total{peer=\"far\""));
    assert!(!bytes.unwrap().ends_with(" 0"));
    let zone = eventually(server.address(), "/zone", |reply| reply.status == 200).await.json();
    assert_eq!(
        (&zone["zone"], &zone["servedBy"], zone["members"].as_array().unwrap().len()),
        (&"http".into(), &"observer-1".into(), 2)
    );

    far.stop(Duration::ZERO).await;
    eventually(server.address(), "/nodes/far", |reply| reply.json()["presence"] == "gone").await;
    observer.stop(Duration::ZERO).await;
}
