//! Takes the records of the nodes that are kept here into the history, as they join: those send them nowhere else. A
//! node is asked again when it has answered, so that it sends no faster than the history takes.

use crate::history::History;
use crate::line::{Level, Line, unix_ms};
use crate::lines::LONGEST_LINE;
use serde::Deserialize;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use troupe_node::discovery::{Member, Role};
use troupe_node::observe::OBSERVE;
use troupe_node::{Error, Node};

/// Lines asked for at once, and how long a node may wait until it has some, in milliseconds: what it grants at most.
const PAGE: &str = "\"limit\":2000,\"wait\":25000";

/// An answer that waited, and its way.
const ANSWER: Duration = Duration::from_secs(35);

/// A node that did not answer is asked again so much later, while it is in the zone; then after twice as long …
const AGAIN: Duration = Duration::from_secs(1);

/// … but no longer than this.
const LONGEST: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct Answer {
    /// Tells lives of the node apart: it is asked by name, and another one may have that meanwhile.
    incarnation: String,
    next: u64,
    #[serde(default)]
    dropped: u64,
    lines: Vec<Line>,
}

/// Those that are being asked, by the identifiers of their nodes: a node that starts anew has another.
#[derive(Debug, Default)]
pub struct Pulls(HashMap<String, watch::Sender<()>>);

impl Pulls {
    /// Follows who is in the zone: begins with those of `kept` that have come, and ends with those that have gone.
    pub fn follow(&mut self, members: &[Member], kept: &[String], node: &Node, history: &History) {
        // What they have taken already, and wait with, they still put into the history.
        self.0.retain(|id, _| members.iter().any(|member| member.id.to_string() == *id));
        let is_kept = |member: &&Member| member.role == Role::Node && kept.contains(&member.name);
        for member in members.iter().filter(is_kept) {
            let id = member.id.to_string();
            self.0.entry(id).or_insert_with(|| {
                let (stays, gone) = watch::channel(());
                tokio::spawn(pull(node.clone(), member.name.clone(), history.clone(), gone));
                stays
            });
        }
    }
}

/// Until the node has gone. What it has handed out it counts as kept and forgets, so that this is never given up on the way
/// to the history, however long that takes.
async fn pull(node: Node, from: String, history: History, gone: watch::Receiver<()>) {
    let (mut after, mut pause, mut has_said) = (0, AGAIN, false);
    let mut life = None;
    // Nothing is ever sent: an error is the end.
    while gone.has_changed().is_ok() {
        let request = format!("{{\"lines\":{{\"after\":{after},{PAGE}}}}}");
        // A question that is under way when the node goes has its answer or fails with the link.
        let failed = match node.ask(&from, OBSERVE, request.as_bytes(), ANSWER).await {
            Ok(bytes) => match serde_json::from_slice::<Answer>(&bytes) {
                Ok(answer) => {
                    // Whoever has the name now is asked from the beginning by a task of its own.
                    if *life.get_or_insert_with(|| answer.incarnation.clone()) != answer.incarnation {
                        return;
                    }
                    after = answer.next;
                    take(&from, answer, &history).await;
                    (pause, has_said) = (AGAIN, false);
                    continue;
                }
                Err(error) => format!("its records can't be read: {error}"),
            },
            // It leaves the zone, or comes back to it: no loss until it says so.
            Err(error @ (Error::NodeUnreachable { .. } | Error::NodeStopped)) => {
                log::debug!(target: "supervisor", "node {from} gives no records now: {error}");
                String::new()
            }
            Err(error) => format!("it gives no records: {error}"),
        };
        if !failed.is_empty() && !has_said {
            has_said = true;
            history.say(&from, Level::Warn, failed);
        }
        let mut gone = gone.clone();
        tokio::select! {
            () = sleep(pause) => {}
            _ = gone.changed() => return,
        }
        pause = (pause * 2).min(LONGEST);
    }
}

async fn take(from: &str, answer: Answer, history: &History) {
    let mut lines = Vec::with_capacity(answer.lines.len() + 1);
    if answer.dropped > 0 {
        let said = format!(
            "{} of its records were dropped here: they came faster than they were taken",
            answer.dropped
        );
        lines.push(Line::now(from, Level::Warn, "supervisor", said));
    }
    let now = unix_ms();
    for mut line in answer.lines {
        // Whatever it says, it speaks for itself only, and no line is longer than one that was printed.
        from.clone_into(&mut line.node);
        line.time = line.time.min(now);
        line.bound(LONGEST_LINE);
        lines.push(line);
    }
    if !lines.is_empty() {
        history.add(lines).await;
    }
}
