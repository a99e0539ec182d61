//! What the view knows of each node: its last state, whether it is there, and since when that is so.

use super::samples::{EVERY, Samples};
use super::source::Member;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use troupe_node::discovery::Role;

/// Nodes that are gone and still shown; who went first is forgotten first.
const GONE: usize = 256;

/// A member that left so many questions for its state unanswered counts as stalled: its channel is there, and nothing comes.
const SILENT: u32 = 3;

/// Workers that a member tells of, and that an event or an answer holds, those with most waiting first.
pub(crate) const WORKERS: usize = 1_000;

/// Whether a node is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Presence {
    Up,
    Stalled,
    Draining,
    Gone,
}

#[derive(Debug)]
struct Seen {
    member: Member,
    /// As it told it, without its workers. Empty until then.
    state: Map<String, Value>,
    workers: Vec<Map<String, Value>>,
    presence: Presence,
    /// When it became so, in ms since 1970.
    since: u64,
    silent: u32,
    /// Workers have their next sample then.
    sample_at: u64,
}

/// All nodes, by name.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    seen: BTreeMap<String, Seen>,
    samples: Samples,
    sampled_at: u64,
}

impl Nodes {
    /// Who is there now. A node that is not among them is gone; observers are never shown.
    pub(crate) fn present(&mut self, members: &[Member], now: u64) {
        for member in members.iter().filter(|member| member.role != Role::Observer) {
            let before = self.seen.get_mut(&member.name);
            if let Some(seen) = before.filter(|seen| seen.member.id == member.id) {
                if seen.presence == Presence::Gone {
                    seen.enter(Presence::Up, now);
                }
                continue;
            }
            let seen = Seen {
                member: member.clone(),
                state: Map::new(),
                workers: Vec::new(),
                presence: Presence::Up,
                since: now,
                silent: 0,
                sample_at: 0,
            };
            self.seen.insert(member.name.clone(), seen);
        }
        for seen in self.seen.values_mut() {
            if !members.iter().any(|member| member.id == seen.member.id) {
                seen.enter(Presence::Gone, now);
                seen.workers.clear();
            }
        }
        let mut gone: Vec<_> = self.seen.values().filter(|seen| seen.presence == Presence::Gone).collect();
        if gone.len() > GONE {
            gone.sort_by_key(|seen| std::cmp::Reverse(seen.since));
            let forgotten: Vec<_> = gone[GONE..].iter().map(|seen| seen.member.name.clone()).collect();
            self.seen.retain(|name, _| !forgotten.contains(name));
        }
    }

    /// A member told its state.
    pub(crate) fn told(&mut self, member: &Member, state: Value, now: u64) {
        let Value::Object(mut state) = state else { return };
        let Some(seen) = self.seen.get_mut(&member.name).filter(|seen| seen.member.id == member.id) else {
            return;
        };
        let workers = match state.remove("workers") {
            Some(Value::Array(workers)) if member.role == Role::Node => workers,
            _ => Vec::new(),
        };
        if member.role != Role::Node {
            // What a supervisor has for itself is no worker of the zone.
            state.insert("workersTotal".into(), 0.into());
        }
        seen.workers = workers
            .into_iter()
            .filter_map(|worker| if let Value::Object(worker) = worker { Some(worker) } else { None })
            .collect();
        let presence = match state.get("state").and_then(Value::as_str) {
            Some("stalled") => Presence::Stalled,
            Some("draining") => Presence::Draining,
            _ => Presence::Up,
        };
        seen.state = state;
        seen.silent = 0;
        seen.enter(presence, now);
        if now >= seen.sample_at {
            seen.sample_at = now + EVERY;
            if now >= self.sampled_at + EVERY {
                self.sampled_at = now;
                self.samples.begin();
            }
            for worker in &seen.workers {
                let Some(name) = worker.get("name").and_then(Value::as_str) else { continue };
                let [queued, handled, failed] =
                    ["queued", "handled", "failed"].map(|key| number(worker, key));
                self.samples.put(&member.name, name, [now, queued, handled, failed]);
            }
        }
    }

    /// A member did not answer.
    pub(crate) fn silent(&mut self, member: &Member, now: u64) {
        let Some(seen) = self.seen.get_mut(&member.name).filter(|seen| seen.member.id == member.id) else {
            return;
        };
        seen.silent += 1;
        if seen.silent >= SILENT && seen.presence != Presence::Gone {
            seen.enter(Presence::Stalled, now);
        }
    }

    /// The nodes, by name, without their workers.
    pub(crate) fn list(&self) -> Vec<Value> {
        self.seen.values().map(Seen::json).collect()
    }

    /// One node.
    pub(crate) fn one(&self, name: &str) -> Option<Value> {
        let seen = self.seen.get(name)?;
        let mut node = seen.json();
        node["workers"] = Value::Array(seen.workers.iter().cloned().map(Value::Object).collect());
        Some(node)
    }

    /// Workers of all nodes or of one, those with most waiting first, and how many there are. `find`: only those that have this
    /// text in their name, class or node, whatever its case; all of them count.
    pub(crate) fn workers(&self, node: Option<&str>, find: &str, limit: usize) -> (Vec<Value>, u64) {
        let find = find.to_lowercase();
        let is_found = |node: &str, worker: &Map<String, Value>| {
            let told = |key: &str| worker.get(key).and_then(Value::as_str).unwrap_or("");
            [node, told("name"), told("type")].iter().any(|text| text.to_lowercase().contains(&find))
        };
        let mut found: Vec<_> = self
            .seen
            .values()
            .filter(|seen| node.is_none_or(|node| node == seen.member.name))
            .flat_map(|seen| seen.workers.iter().map(|worker| (&*seen.member.name, worker)))
            .filter(|(node, worker)| is_found(node, worker))
            .collect();
        found.sort_by_cached_key(|(_, worker)| std::cmp::Reverse(number(worker, "queued")));
        let total = self
            .seen
            .values()
            .filter(|seen| node.is_none_or(|node| node == seen.member.name))
            .filter(|seen| seen.presence != Presence::Gone)
            .map(|seen| number(&seen.state, "workersTotal").max(seen.workers.len() as u64))
            .sum();
        (found.into_iter().take(limit).map(|(node, worker)| with_node(node, worker)).collect(), total)
    }

    /// One worker with its samples and the last failures of it.
    pub(crate) fn worker(&self, node: &str, name: &str) -> Option<Value> {
        let seen = self.seen.get(node)?;
        let is_it = |worker: &&Map<String, Value>| worker.get("name").and_then(Value::as_str) == Some(name);
        let samples = self.samples.of(node, name);
        let found = seen.workers.iter().find(is_it);
        if found.is_none() && samples.is_empty() {
            return None;
        }
        // One that is not among those with most waiting, or is gone, still has its past.
        let mut worker = found.map_or_else(
            || json!({ "node": node, "name": name, "state": "unknown" }),
            |worker| with_node(node, worker),
        );
        let failures = seen.state.get("failures").and_then(Value::as_array).into_iter().flatten();
        let failures: Vec<_> =
            failures.filter(|failure| failure["worker"].as_str() == Some(name)).cloned().collect();
        worker["samples"] = json!(samples);
        worker["failures"] = json!(failures);
        Some(worker)
    }

    /// Dead letters by reason: of the zone, and of each node. Those of nodes that are gone count on.
    pub(crate) fn dead_letters(&self) -> Value {
        let mut total = BTreeMap::<&str, u64>::new();
        let mut nodes = Map::new();
        for (name, seen) in &self.seen {
            let Some(Value::Object(counts)) = seen.state.get("deadLetters") else { continue };
            for (reason, count) in counts {
                *total.entry(reason).or_default() += count.as_u64().unwrap_or(0);
            }
            nodes.insert(name.clone(), Value::Object(counts.clone()));
        }
        json!({ "total": total, "nodes": nodes })
    }
}

impl Seen {
    fn enter(&mut self, presence: Presence, now: u64) {
        if self.presence != presence {
            self.presence = presence;
            self.since = now;
        }
    }

    fn json(&self) -> Value {
        let mut node = self.state.clone();
        // Who it says it is counts for nothing: the channel says it.
        node.insert("node".into(), self.member.name.clone().into());
        node.insert("id".into(), self.member.id.clone().into());
        if self.state.is_empty() {
            // It has told nothing yet: nothing is known, in the shapes that readers go through.
            node.insert("state".into(), json!(self.presence));
            for list in ["isolates", "classes", "peers", "failures"] {
                node.insert(list.into(), json!([]));
            }
            node.insert("deadLetters".into(), json!({}));
        }
        let role = if self.member.role == Role::Supervisor { "supervisor" } else { "node" };
        node.insert("role".into(), role.into());
        node.insert("presence".into(), json!(self.presence));
        node.insert("presentSince".into(), self.since.into());
        Value::Object(node)
    }
}

fn with_node(node: &str, worker: &Map<String, Value>) -> Value {
    let mut worker = worker.clone();
    worker.insert("node".into(), node.into());
    Value::Object(worker)
}

fn number(of: &Map<String, Value>, key: &str) -> u64 {
    of.get(key).and_then(Value::as_u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, id: &str) -> Member {
        Member { name: name.into(), id: id.into(), role: Role::Node }
    }

    fn presence(nodes: &Nodes, name: &str) -> (String, u64) {
        let node = nodes.one(name).unwrap();
        (node["presence"].as_str().unwrap().to_owned(), node["presentSince"].as_u64().unwrap())
    }

    #[test]
    fn a_node_is_up_stalled_draining_and_gone_and_says_since_when() {
        let (mut nodes, a) = (Nodes::default(), member("a", "1"));
        nodes.present(std::slice::from_ref(&a), 10);
        assert_eq!(presence(&nodes, "a"), ("up".into(), 10));
        nodes.told(&a, json!({ "state": "up" }), 20);
        assert_eq!(presence(&nodes, "a"), ("up".into(), 10));
        nodes.told(&a, json!({ "state": "stalled" }), 30);
        nodes.told(&a, json!({ "state": "stalled" }), 40);
        assert_eq!(presence(&nodes, "a"), ("stalled".into(), 30));
        nodes.told(&a, json!({ "state": "draining" }), 50);
        assert_eq!(presence(&nodes, "a"), ("draining".into(), 50));
        nodes.present(&[], 60);
        assert_eq!(presence(&nodes, "a"), ("gone".into(), 60));
        // Another process under its name.
        nodes.present(&[member("a", "2")], 70);
        assert_eq!(presence(&nodes, "a"), ("up".into(), 70));
    }

    #[test]
    fn a_node_that_does_not_answer_is_stalled_and_not_gone() {
        let (mut nodes, a) = (Nodes::default(), member("a", "1"));
        nodes.present(std::slice::from_ref(&a), 0);
        nodes.silent(&a, 1);
        nodes.silent(&a, 2);
        assert_eq!(presence(&nodes, "a").0, "up");
        nodes.silent(&a, 3);
        assert_eq!(presence(&nodes, "a"), ("stalled".into(), 3));
        nodes.told(&a, json!({ "state": "up" }), 4);
        assert_eq!(presence(&nodes, "a"), ("up".into(), 4));
    }

    #[test]
    fn a_member_speaks_for_no_other_node_and_observers_are_not_shown() {
        let (mut nodes, a) = (Nodes::default(), member("a", "1"));
        nodes.present(&[a.clone(), Member { role: Role::Observer, ..member("observer-1", "9") }], 0);
        nodes.told(&a, json!({ "node": "b", "id": "2", "presence": "gone", "state": "up" }), 0);
        let list = nodes.list();
        assert_eq!(list.len(), 1);
        assert_eq!(
            (&list[0]["node"], &list[0]["id"], &list[0]["presence"]),
            (&json!("a"), &json!("1"), &json!("up"))
        );
    }

    #[test]
    fn workers_with_most_waiting_come_first_and_dead_letters_add_up() {
        let (mut nodes, a, b) = (Nodes::default(), member("a", "1"), member("b", "2"));
        let supervisor = Member { role: Role::Supervisor, ..member("troupe-supervisor", "3") };
        nodes.present(&[a.clone(), b.clone(), supervisor.clone()], 0);
        let state = |name: &str, queued: u64| {
            json!({ "workersTotal": 5, "deadLetters": { "late reply": queued },
                "workers": [{ "name": name, "queued": queued, "handled": 7, "failed": 1 }],
                "failures": [{ "worker": name, "message": "no" }, { "worker": "other", "message": "no" }] })
        };
        nodes.told(&a, state("slow", 9), 1_000);
        nodes.told(&b, state("slower", 90), 1_000);
        nodes.told(
            &supervisor,
            json!({ "workersTotal": 1, "workers": [{ "name": "main", "queued": 99 }] }),
            1_000,
        );
        let (workers, total) = nodes.workers(None, "", 1);
        assert_eq!(
            (workers.len(), &workers[0]["name"], &workers[0]["node"], total),
            (1, &json!("slower"), &json!("b"), 10)
        );
        assert_eq!(nodes.workers(Some("a"), "", 10).0.len(), 1);
        for (find, found) in [("SLOW", 2), ("slower", 1), ("b", 1), ("nothing", 0)] {
            let (workers, total) = nodes.workers(None, find, 10);
            assert_eq!((workers.len(), total), (found, 10), "{find}");
        }
        assert_eq!(nodes.dead_letters()["total"], json!({ "late reply": 99 }));
        let worker = nodes.worker("a", "slow").unwrap();
        assert_eq!(worker["samples"], json!([[1_000, 9, 7, 1]]));
        assert_eq!(worker["failures"].as_array().unwrap().len(), 1);
        assert_eq!(nodes.worker("a", "nobody"), None);
    }

    #[test]
    fn nodes_that_are_gone_are_forgotten_in_the_end() {
        let mut nodes = Nodes::default();
        for i in 0..1_000 {
            nodes.present(&[member(&format!("n{i}"), &i.to_string())], i);
        }
        assert_eq!(nodes.list().len(), GONE + 1);
        assert!(nodes.one("n999").is_some() && nodes.one("n998").is_some() && nodes.one("n0").is_none());
    }
}
