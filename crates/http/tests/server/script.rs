//! A zone as a test wants it: members that hold lines and a state, and answer as members do.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;
use troupe_http::{Answer, Member, Role, Source, Topic, Unanswered};

struct Teller {
    member: Member,
    incarnation: u32,
    lines: Vec<Value>,
    covers: Vec<String>,
    state: Value,
    is_silent: bool,
    lost: u64,
}

pub(crate) struct Script {
    tellers: Mutex<BTreeMap<String, Teller>>,
    changed: watch::Sender<u64>,
}

impl Script {
    /// A zone of one node, `here`.
    pub(crate) fn new() -> Arc<Self> {
        let script = Self { tellers: Mutex::default(), changed: watch::Sender::new(0) };
        script.join("here", Role::Node);
        Arc::new(script)
    }

    fn tellers(&self) -> MutexGuard<'_, BTreeMap<String, Teller>> {
        self.tellers.lock().unwrap()
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Teller)) {
        change(self.tellers().get_mut(name).unwrap());
        self.changed.send_modify(|version| *version += 1);
    }

    pub(crate) fn join(&self, name: &str, role: Role) {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
        let incarnation = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let member = Member { name: name.into(), id: format!("{name}-{incarnation}"), role };
        let teller = Teller {
            member,
            incarnation,
            lines: Vec::new(),
            covers: Vec::new(),
            state: json!({ "state": "up", "workers": [] }),
            is_silent: false,
            lost: 0,
        };
        self.tellers().insert(name.into(), teller);
    }

    pub(crate) fn leave(&self, name: &str) {
        self.tellers().remove(name);
        self.changed.send_modify(|version| *version += 1);
    }

    /// A member logs a line about a node, itself as a rule.
    pub(crate) fn log(&self, teller: &str, node: &str, time: u64, message: &str) {
        self.log_line(
            teller,
            json!({ "node": node, "time": time, "level": "info", "name": "node", "message": message }),
        );
    }

    pub(crate) fn log_line(&self, teller: &str, line: Value) {
        self.change(teller, |teller| teller.lines.push(line));
    }

    pub(crate) fn log_lines(&self, teller: &str, lines: impl IntoIterator<Item = Value>) {
        self.change(teller, |teller| teller.lines.extend(lines));
    }

    pub(crate) fn cover(&self, supervisor: &str, nodes: &[&str]) {
        self.change(supervisor, |teller| teller.covers = nodes.iter().map(|&node| node.to_owned()).collect());
    }

    pub(crate) fn state(&self, name: &str, state: Value) {
        self.change(name, |teller| teller.state = state);
    }

    /// Its channel is there, and nothing comes.
    pub(crate) fn silence(&self, name: &str) {
        self.change(name, |teller| teller.is_silent = true);
    }

    /// It answers again.
    pub(crate) fn speak(&self, name: &str) {
        self.change(name, |teller| teller.is_silent = false);
    }

    /// Its next answer is so many lines short.
    pub(crate) fn lose(&self, name: &str, lines: u64) {
        self.change(name, |teller| teller.lost = lines);
    }

    /// What a member answers to a question for lines now.
    fn lines(&self, name: &str, after: usize, limit: usize) -> Option<Value> {
        let mut tellers = self.tellers();
        let teller = tellers.get_mut(name).filter(|teller| !teller.is_silent)?;
        let lines: Vec<_> = teller.lines.iter().skip(after).take(limit).cloned().collect();
        let next = after.min(teller.lines.len()) + lines.len();
        let dropped = if lines.is_empty() { 0 } else { std::mem::take(&mut teller.lost) };
        Some(json!({
            "incarnation": teller.incarnation.to_string(),
            "next": next, "dropped": dropped, "covers": teller.covers, "lines": lines,
        }))
    }
}

/// The zone as the server under test reads it.
pub(crate) struct Zone(pub(crate) Arc<Script>);

impl Source for Zone {
    fn own(&self) -> &'static str {
        "here"
    }

    fn zone(&self) -> Option<&str> {
        Some("scripted")
    }

    fn members(&self) -> Answer<Vec<Member>> {
        let members = self.0.tellers().values().map(|teller| teller.member.clone()).collect();
        Box::pin(async { Ok(members) })
    }

    fn ask(&self, member: &str, topic: Topic, question: String, within: Duration) -> Answer<Vec<u8>> {
        let (script, member) = (self.0.clone(), member.to_owned());
        let question: Value = serde_json::from_str(&question).unwrap();
        Box::pin(async move {
            let silence = || Unanswered("nothing came".into());
            if topic == Topic::Supervise {
                return Ok(json!({ "zone": "scripted", "containers": [] }).to_string().into_bytes());
            }
            if question.get("state").is_some() {
                let tellers = script.tellers();
                let teller = tellers.get(&member).filter(|teller| !teller.is_silent).ok_or_else(silence)?;
                return Ok(teller.state.to_string().into_bytes());
            }
            let asked = &question["lines"];
            let number = |key: &str| asked[key].as_u64().unwrap();
            let (after, limit) = (number("after") as usize, number("limit") as usize);
            let until = tokio::time::Instant::now() + Duration::from_millis(number("wait")).min(within);
            let mut changed = script.changed.subscribe();
            loop {
                changed.borrow_and_update();
                let answer = script.lines(&member, after, limit).ok_or_else(silence)?;
                if !answer["lines"].as_array().unwrap().is_empty()
                    || tokio::time::timeout_at(until, changed.changed()).await.is_err()
                {
                    return Ok(answer.to_string().into_bytes());
                }
            }
        })
    }
}
