//! `/metrics`: what the serving node counts, as Prometheus reads it. Each node is asked for its own; none speaks for the zone.

use crate::app::App;
use crate::exposition::{Exposition, Kind};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use troupe_node::port::Reason;

/// Counts of one kind of thing by their upper bounds in ms; the last one has none.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Histogram {
    pub(crate) count: f64,
    pub(crate) sum_ms: f64,
    pub(crate) buckets: Vec<(Option<f64>, f64)>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct NodeState {
    node: String,
    zone: Option<String>,
    version: String,
    state: String,
    since: Option<f64>,
    cpu_ms: f64,
    rss: Option<f64>,
    workers_total: f64,
    isolates: Vec<Isolate>,
    classes: Vec<Class>,
    dead_letters: BTreeMap<String, f64>,
    peers: Vec<Peer>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Isolate {
    name: String,
    since_turn_ms: f64,
    delay: Histogram,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Class {
    #[serde(rename = "type")]
    kind: String,
    workers: f64,
    queued: f64,
    handled: f64,
    failed: f64,
    restarts: f64,
    oldest_ms: f64,
    in_mailbox: Histogram,
    in_handler: Histogram,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Peer {
    node: String,
    state: String,
    bytes_in: f64,
    bytes_out: f64,
    messages_in: f64,
    messages_out: f64,
    round_trip_ms: Option<f64>,
    handshakes: f64,
}

pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let unreadable = |error: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "STATE_UNREADABLE", error);
    let state = app.state(0).await.map_err(|error| unreadable(error.to_string()))?;
    let state = serde_json::from_value::<NodeState>(state).map_err(|error| unreadable(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], expose(&state)).into_response())
}

fn expose(state: &NodeState) -> String {
    let mut out = Exposition::default();
    let zone = state.zone.as_deref().unwrap_or("");
    out.family("troupe_node_info", Kind::Gauge, "The node that answers; always 1.");
    out.value(&[("node", &state.node), ("zone", zone), ("version", &state.version)], 1.0);
    out.family("troupe_node_state", Kind::Gauge, "1 for the state the node is in, 0 for the others.");
    for name in ["up", "stalled", "draining"] {
        out.value(&[("state", name)], if state.state == name { 1.0 } else { 0.0 });
    }
    out.family("troupe_node_start_time_seconds", Kind::Gauge, "When the node was opened, since 1970.");
    if let Some(since) = state.since {
        out.value(&[], since / 1000.0);
    }
    out.family("troupe_process_cpu_seconds_total", Kind::Counter, "Processor time of the process.");
    out.value(&[], state.cpu_ms / 1000.0);
    out.family("troupe_process_resident_memory_bytes", Kind::Gauge, "Memory of the process.");
    // Not every system tells.
    if let Some(rss) = state.rss {
        out.value(&[], rss);
    }
    out.family("troupe_workers", Kind::Gauge, "Workers and mailboxes of the node.");
    out.value(&[], state.workers_total);
    isolates(&mut out, &state.isolates);
    classes(&mut out, &state.classes);
    out.family("troupe_dead_letters_total", Kind::Counter, "Messages that reached nobody, by reason.");
    for (reason, count) in dead_letters(&state.dead_letters) {
        out.value(&[("reason", reason)], count);
    }
    peers(&mut out, &one_a_name(&state.peers));
    out.text()
}

/// Every reason, those that have not happened as well: what first appears as 1 has not grown, as far as a reader can tell.
fn dead_letters(counts: &BTreeMap<String, f64>) -> BTreeMap<&str, f64> {
    let none = Reason::ALL.iter().map(|reason| (reason.words(), 0.0));
    none.chain(counts.iter().map(|(reason, count)| (reason.as_str(), *count))).collect()
}

/// The peers, each name once: of a node that has begun anew, the link to its last life may still be there, and no series may
/// come twice. Its counts begin anew then, as counters may.
fn one_a_name(peers: &[Peer]) -> Vec<&Peer> {
    let mut named = BTreeMap::<&str, &Peer>::new();
    for peer in peers {
        let kept = named.entry(&peer.node).or_insert(peer);
        if kept.state != "connected" {
            *kept = peer;
        }
    }
    named.into_values().collect()
}

fn isolates(out: &mut Exposition, isolates: &[Isolate]) {
    let seconds = "Time since the isolate's loop last turned.";
    out.family("troupe_isolate_since_turn_seconds", Kind::Gauge, seconds);
    for isolate in isolates {
        out.value(&[("isolate", &isolate.name)], isolate.since_turn_ms / 1000.0);
    }
    let delay = "How late the isolate's loop came to what waited for it.";
    out.family("troupe_isolate_delay_seconds", Kind::Histogram, delay);
    for isolate in isolates {
        out.histogram(&[("isolate", &isolate.name)], &isolate.delay);
    }
}

/// A column of a table: the name of its family, what it counts, its help, and its value in a row.
type Column<Row, Value> = (&'static str, Kind, &'static str, fn(&Row) -> Value);

fn classes(out: &mut Exposition, classes: &[Class]) {
    let columns: [Column<Class, f64>; 6] = [
        ("troupe_class_workers", Kind::Gauge, "Workers of the class.", |class| class.workers),
        ("troupe_messages_queued", Kind::Gauge, "Messages that wait in mailboxes.", |class| class.queued),
        (
            "troupe_messages_handled_total",
            Kind::Counter,
            "Messages done with, failed ones included.",
            |class| class.handled,
        ),
        ("troupe_messages_failed_total", Kind::Counter, "Messages whose handler failed.", |class| {
            class.failed
        }),
        ("troupe_worker_restarts_total", Kind::Counter, "Fresh instances after a failure.", |class| {
            class.restarts
        }),
        ("troupe_message_oldest_seconds", Kind::Gauge, "Age of the message that waits longest.", |class| {
            class.oldest_ms / 1000.0
        }),
    ];
    for (name, kind, help, value) in columns {
        out.family(name, kind, help);
        for class in classes {
            out.value(&[("type", &class.kind)], value(class));
        }
    }
    out.family("troupe_message_in_mailbox_seconds", Kind::Histogram, "Time of messages in mailboxes.");
    for class in classes {
        out.histogram(&[("type", &class.kind)], &class.in_mailbox);
    }
    out.family("troupe_message_in_handler_seconds", Kind::Histogram, "Time of messages in handlers.");
    for class in classes {
        out.histogram(&[("type", &class.kind)], &class.in_handler);
    }
}

fn peers(out: &mut Exposition, peers: &[&Peer]) {
    out.family("troupe_peer_connected", Kind::Gauge, "1 while there is a channel to the node.");
    for peer in peers {
        out.value(&[("peer", &peer.node)], if peer.state == "connected" { 1.0 } else { 0.0 });
    }
    let columns: [Column<Peer, [f64; 2]>; 2] = [
        ("troupe_peer_bytes_total", Kind::Counter, "Bytes of channels to the node.", |peer| {
            [peer.bytes_in, peer.bytes_out]
        }),
        ("troupe_peer_messages_total", Kind::Counter, "Messages from and to the node.", |peer| {
            [peer.messages_in, peer.messages_out]
        }),
    ];
    for (name, kind, help, values) in columns {
        out.family(name, kind, help);
        for peer in peers {
            for (direction, value) in ["in", "out"].into_iter().zip(values(peer)) {
                out.value(&[("peer", &peer.node), ("direction", direction)], value);
            }
        }
    }
    out.family("troupe_peer_handshakes_total", Kind::Counter, "Handshakes with the node.");
    for peer in peers {
        out.value(&[("peer", &peer.node)], peer.handshakes);
    }
    out.family("troupe_peer_round_trip_seconds", Kind::Gauge, "Time there and back, as last measured.");
    for peer in peers {
        if let Some(time) = peer.round_trip_ms {
            out.value(&[("peer", &peer.node)], time / 1000.0);
        }
    }
}
