//! The state of a node, as it tells it to those who observe it.
//!
//! What only the isolate's thread knows of its workers is asked of it, and comes at its next turn; while that does not
//! come, the last answer stands, with the time it is of.

use super::histogram::milliseconds;
use crate::discovery::Role;
use crate::node::{Shared, lock};
use crate::port::{Census, ClassCensus, Reason, TICKS_PER_MS, WorkerCensus, dead_letters, now_ms, now_ticks};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use troupe_proto::noise::NodeId;

/// Woken and without a turn for so long, an isolate is stalled: then what it said last is told.
const STALLED: Duration = Duration::from_secs(1);
/// So long an isolate that is stalled already may take to answer.
const PATIENCE: Duration = Duration::from_millis(100);
/// What the isolate said is good for so long, in ticks: several observers cost as much as one.
const FRESH: u64 = 200 * TICKS_PER_MS;
/// Failures that are kept.
const FAILURES: usize = 20;
/// Bytes that are kept of a failure's message, and of its stack.
const FAILURE_BYTES: usize = 8 << 10;

/// What a node keeps for those who observe it.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    since: OnceLock<u64>,
    zone: OnceLock<(String, Role)>,
    is_draining: AtomicBool,
    http: Mutex<Option<String>>,
    failures: Mutex<VecDeque<Failure>>,
    /// What the isolate said last.
    census: watch::Sender<Option<Arc<Taken>>>,
    /// Workers of which the isolate was asked to tell one by one, and one more; 0: it has answered since, or was never asked.
    asked: AtomicUsize,
}

/// A failure of a worker.
#[derive(Debug)]
struct Failure {
    time: u64,
    worker: Box<str>,
    class: Box<str>,
    message: String,
    stack: Option<String>,
}

/// A census, and when it was taken.
#[derive(Debug)]
struct Taken {
    census: Census,
    /// Workers that it tells of one by one, at most.
    limit: usize,
    /// Milliseconds since 1970.
    time: u64,
    ticks: u64,
}

impl Observed {
    /// The node is to be in this zone.
    pub(crate) fn joins(&self, zone: &str, role: Role) {
        let _ = self.zone.set((zone.to_owned(), role));
    }

    /// The node is open.
    pub(super) fn opened(&self) {
        let _ = self.since.set(unix_ms());
    }
}

impl Shared {
    /// The node begins to stop: its state is `draining` from here on.
    pub fn set_draining(&self) {
        self.observed().is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether it has begun to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.observed().is_draining.load(Ordering::Relaxed)
    }

    /// Where the node is served over HTTP, as its state says; `None`: no longer.
    pub fn set_http(&self, address: Option<String>) {
        *lock(&self.observed().http) = address;
    }

    pub(crate) fn note_failure(&self, worker: &str, class: &str, message: &str, stack: Option<&str>) {
        let failure = Failure {
            time: unix_ms(),
            worker: worker.into(),
            class: class.into(),
            message: cut(message),
            stack: stack.map(cut),
        };
        let mut failures = lock(&self.observed().failures);
        if failures.len() == FAILURES {
            failures.pop_front();
        }
        failures.push_back(failure);
    }
}

fn cut(text: &str) -> String {
    let end = (0..=FAILURE_BYTES.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let more = if end < text.len() { "…" } else { "" };
    format!("{}{more}", &text[..end])
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// The state of a node as JSON, with at most `limit` workers one by one: from any thread but that of its isolate.
pub(super) async fn told(node: &Arc<Shared>, limit: usize) -> Value {
    let observed = node.observed();
    let mut taken = observed.census.subscribe();
    let is_good = |taken: &Option<Arc<Taken>>| {
        taken.as_ref().is_some_and(|taken| {
            (taken.limit >= limit || taken.census.workers.len() == taken.census.total)
                && now_ticks().saturating_sub(taken.ticks) < FRESH
        })
    };
    if !is_good(&taken.borrow()) {
        // One answer for all who ask meanwhile, with as many workers as any of them wants.
        if observed.asked.fetch_max(limit.saturating_add(1), Ordering::AcqRel) == 0 {
            let asked = node.clone();
            // A port that is closed answers nobody; what it said last stands.
            let _ = node.inbox().run(move |port| {
                let limit = asked.observed().asked.swap(0, Ordering::AcqRel).saturating_sub(1);
                let census = port.census(asked.number(), limit);
                let taken = Taken { census, limit, time: unix_ms(), ticks: now_ticks() };
                asked.observed().census.send_replace(Some(Arc::new(taken)));
            });
        }
        // This question may be what has woken it: whether it is stalled is known when it has had the time to answer.
        let (outstanding, _) = node.inbox().delays();
        let wait = STALLED.saturating_sub(outstanding).max(PATIENCE);
        let _ = tokio::time::timeout(wait, taken.wait_for(is_good)).await;
    }
    let last = taken.borrow().clone();
    let is_fresh = is_good(&last);
    let census = last.as_ref().map(|last| &last.census);
    let as_of = match &last {
        _ if is_fresh => AsOf::Now,
        Some(last) => AsOf::Then(last.time),
        None => AsOf::Never,
    };
    state(node, census.unwrap_or(&Census::default()), limit, as_of)
}

/// The state of a node as JSON, on the thread of its isolate.
#[must_use]
pub fn now(node: &Shared, port: &crate::port::Port, limit: usize) -> Value {
    state(node, &port.census(node.number(), limit), limit, AsOf::Now)
}

/// When a census was taken.
#[derive(Clone, Copy)]
enum AsOf {
    Now,
    /// Milliseconds since 1970.
    Then(u64),
    /// There is none yet; an empty one stands for it.
    Never,
}

fn state(node: &Shared, census: &Census, limit: usize, as_of: AsOf) -> Value {
    let observed = node.observed();
    let (outstanding, delays) = node.inbox().delays();
    let word = if observed.is_draining.load(Ordering::Relaxed) {
        "draining"
    } else if outstanding >= STALLED {
        "stalled"
    } else {
        "up"
    };
    let (zone, role) =
        observed.zone.get().map_or((Value::Null, Role::Node), |(zone, role)| (zone.as_str().into(), *role));
    let last_turn = node.inbox().last_turn();
    let mut state = Map::new();
    let mut put = |key: &str, value: Value| state.insert(key.to_owned(), value);
    put("node", node.name().into());
    put("id", node.id().into());
    put("incarnation", node.incarnation().into());
    put("zone", zone);
    put("role", role.name().into());
    put("pid", std::process::id().into());
    put("version", env!("CARGO_PKG_VERSION").into());
    put("since", observed.since.get().copied().into());
    put("time", unix_ms().into());
    put("state", word.into());
    match as_of {
        AsOf::Now => None,
        AsOf::Then(time) => put("asOf", time.into()),
        AsOf::Never => put("asOf", Value::Null),
    };
    if let Some(http) = &*lock(&observed.http) {
        put("http", http.as_str().into());
    }
    put("cpuMs", cpu_ms().into());
    if let Some(rss) = resident_bytes() {
        put("rss", rss.into());
    }
    put(
        "isolates",
        json!([{"name": "main", "sinceTurnMs": now_ms().saturating_sub(last_turn), "delay": delays.to_json()}]),
    );
    put("workersTotal", census.total.into());
    put("workers", census.workers.iter().take(limit).map(worker).collect());
    put("classes", census.classes.iter().map(class).collect());
    let counts = Reason::ALL.iter().zip(dead_letters()).filter(|(_, count)| *count > 0);
    put(
        "deadLetters",
        counts.map(|(reason, count)| (reason.words().to_owned(), count.into())).collect::<Map<_, _>>().into(),
    );
    put("peers", peers(node));
    put("failures", lock(&observed.failures).iter().map(failure).collect());
    Value::Object(state)
}

fn worker(worker: &WorkerCensus) -> Value {
    json!({
        "name": &*worker.name,
        "type": &*worker.class,
        "state": worker.state,
        "queued": worker.queued,
        "handled": worker.handled,
        "failed": worker.failed,
        "restarts": worker.restarts,
        "oldestMs": milliseconds(worker.oldest.into()),
        "slowestMs": milliseconds(worker.slowest.into()),
    })
}

fn class(class: &ClassCensus) -> Value {
    json!({
        "type": &*class.name,
        "workers": class.workers,
        "queued": class.queued,
        "handled": class.handled,
        "failed": class.failed,
        "restarts": class.restarts,
        "oldestMs": milliseconds(class.oldest.into()),
        "inMailbox": class.in_mailbox.to_json(),
        "inHandler": class.in_handler.to_json(),
    })
}

fn failure(failure: &Failure) -> Value {
    let mut told = json!({
        "time": failure.time,
        "worker": &*failure.worker,
        "type": &*failure.class,
        "message": failure.message,
    });
    if let Some(stack) = &failure.stack {
        told["stack"] = stack.as_str().into();
    }
    told
}

/// The other nodes that this one has to do with, by name.
fn peers(node: &Shared) -> Value {
    let mut peers = node.peers();
    let dialled: Vec<NodeId> = peers.extract_if(.., |(_, link)| link.is_none()).map(|(id, _)| id).collect();
    let mut told: Vec<_> = peers
        .into_iter()
        .filter_map(|(_, link)| link)
        .map(|link| {
            let traffic = link.traffic();
            let peer = link.peer();
            let mut told = json!({
                "node": peer.name,
                "id": peer.id.to_string(),
                "state": if traffic.is_connected { "connected" } else { "away" },
                "bytesIn": traffic.bytes_in,
                "bytesOut": traffic.bytes_out,
                "messagesIn": traffic.messages_in,
                "messagesOut": traffic.messages_out,
                "handshakes": traffic.handshakes,
            });
            let round_trip = link.round_trip();
            if !round_trip.is_zero() {
                told["roundTripMs"] = (round_trip.as_secs_f64() * 1000.0).into();
            }
            told
        })
        .collect();
    if !dialled.is_empty() {
        // Who is dialled has not said its name yet; the zone has it.
        let members = node.members().unwrap_or_default();
        for member in members.into_iter().filter(|member| dialled.contains(&member.id)) {
            told.push(json!({
                "node": member.name,
                "id": member.id.to_string(),
                "state": "connecting",
                "bytesIn": 0,
                "bytesOut": 0,
                "messagesIn": 0,
                "messagesOut": 0,
                "handshakes": 0,
            }));
        }
    }
    told.sort_by(|one, other| one["node"].as_str().cmp(&other["node"].as_str()));
    told.into()
}

/// Time that the process has used of all processors.
fn cpu_ms() -> u64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    u64::try_from(used.tv_sec * 1000 + used.tv_nsec / 1_000_000).unwrap_or_default()
}

/// Memory of the process that is in main memory; `None` where the system does not tell in a file.
fn resident_bytes() -> Option<u64> {
    // Pages: in all, and in main memory.
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let resident: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(resident * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::record::STRIDE;
    use crate::port::{BatchText, BodyRef, Port, Sink, WorkerOptions};

    struct Nowhere;

    impl Sink for Nowhere {
        fn push(&mut self, _: [u32; STRIDE], _: BodyRef<'_>) {}

        fn has_room(&self, _: &BodyRef<'_>) -> bool {
            true
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_for_more_workers_than_another_at_the_same_time_is_told_of_them() {
        let mut port = Port::new(now_ms());
        let node = port.add_node("node");
        for name in ["one", "two"] {
            port.start(node.number(), name, &WorkerOptions::default()).unwrap();
        }
        let turn = async { port.flush(&[], BatchText::Ascii(&[]), &mut Nowhere, now_ms(), true) };
        let (none, some, _) = tokio::join!(told(&node, 0), told(&node, 5), turn);
        assert_eq!((&none["workersTotal"], &none["workers"]), (&json!(2), &json!([])));
        assert_eq!((some["workers"].as_array().map(Vec::len), &some["asOf"]), (Some(2), &Value::Null));
    }
}
