//! Asks the members: who is there, what they log, how they are.

use super::line::{Level, Line, Telling};
use super::source::{Member, Topic};
use super::{Supervisor, View, WORKERS, now};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use troupe_node::discovery::Role;

/// How often members are looked up and asked for their state.
const EVERY: Duration = Duration::from_secs(1);

/// How long a state may take; one that takes longer is silence.
const STATE_WITHIN: Duration = Duration::from_secs(3);

/// How long a question for lines waits at a member that has none. Below the 25 s that a member waits at most.
const WAIT: Duration = Duration::from_secs(20);

/// How much longer than that its answer may take.
const GRACE: Duration = Duration::from_secs(10);

/// Lines of one answer.
const LINES: usize = 2_000;

/// Bytes of a state that are read; one of so many workers has some hundred thousand.
const STATE: usize = 4 << 20;

/// Members that are asked; a zone of more is beyond what one view is for.
const MEMBERS: usize = 1_024;

/// After a question that got no answer the next one comes so much later, twice as late each time.
const RETRY: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// Other members are asked for lines when the supervisor has said for whom it speaks, or has had so long to.
const SUPERVISOR_FIRST: Duration = Duration::from_secs(2);

/// Questions under way to one member. They end with this.
struct Asked(Vec<AbortHandle>);

impl Drop for Asked {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// Asks until it is dropped.
pub(super) async fn run(view: Arc<View>) {
    let mut asked = HashMap::<String, Asked>::new();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failed = false;
    loop {
        ticks.tick().await;
        let members = match view.source.members().await {
            Ok(members) => members,
            Err(error) => {
                if !std::mem::replace(&mut failed, true) {
                    log::warn!(target: "http", "can't tell who is in the zone: {error}");
                }
                continue;
            }
        };
        failed = false;
        let wanted = |member: &&Member| member.role != Role::Observer;
        let members: Vec<_> = members.iter().filter(wanted).take(MEMBERS).cloned().collect();
        view.present(&members);
        asked.retain(|id, _| members.iter().any(|member| member.id == *id));
        for member in members {
            asked.entry(member.id.clone()).or_insert_with(|| {
                view.lock().catching_up.insert(member.id.clone());
                let lines = tokio::spawn(lines(view.clone(), member.clone()));
                let states = tokio::spawn(states(view.clone(), member));
                Asked(vec![lines.abort_handle(), states.abort_handle()])
            });
        }
    }
}

impl View {
    fn present(&self, members: &[Member]) {
        let mut state = self.lock();
        state.nodes.present(members, now());
        state.catching_up.retain(|id| members.iter().any(|member| member.id == *id));
        let supervisor = members.iter().find(|member| member.role == Role::Supervisor);
        let is_known =
            state.supervisor.as_ref().map(|known| &known.member.id) == supervisor.map(|member| &member.id);
        if !is_known {
            state.supervisor = supervisor.map(|member| Supervisor { member: member.clone(), covers: None });
        }
        drop(state);
        if !is_known {
            self.covers.send_modify(|version| *version += 1);
        }
        self.table_changed();
    }

    /// Whether the lines of a node come from the supervisor, or `None` while it has not said for whom it speaks.
    fn is_covered(&self, member: &Member) -> Option<bool> {
        if member.role == Role::Supervisor {
            return Some(false);
        }
        match &self.lock().supervisor {
            None => Some(false),
            Some(Supervisor { covers, .. }) => covers.as_ref().map(|covers| covers.contains(&member.name)),
        }
    }

    /// Asks the supervisor, if there is one, for whom it speaks by now.
    async fn ask_covers(&self) {
        let member = self.lock().supervisor.as_ref().map(|known| known.member.clone());
        let Some(member) = member else { return };
        let question = json!({ "lines": { "after": 0, "limit": 1, "wait": 0 } }).to_string();
        let answer = self.source.ask(&member.name, Topic::Observe, question, SUPERVISOR_FIRST);
        if let Ok(Ok(bytes)) = timeout(SUPERVISOR_FIRST, answer).await
            && let Ok(told) = serde_json::from_slice::<Telling>(&bytes)
        {
            self.told_covers(&member, told.covers);
        }
    }

    fn told_covers(&self, member: &Member, covers: Vec<String>) {
        let mut state = self.lock();
        let Some(known) = state.supervisor.as_mut().filter(|known| known.member.id == member.id) else {
            return;
        };
        let covers = covers.into_iter().collect();
        if known.covers.as_ref() != Some(&covers) {
            known.covers = Some(covers);
            drop(state);
            self.covers.send_modify(|version| *version += 1);
        }
    }
}

/// Lines of one member, from its ring's beginning on.
async fn lines(view: Arc<View>, member: Member) {
    let mut covers = view.covers.subscribe();
    let (mut after, mut incarnation, mut retry, mut has_all) = (0, String::new(), RETRY[0], false);
    let mut reading = view.begin_reading();
    let patience = Instant::now() + SUPERVISOR_FIRST;
    if member.role != Role::Supervisor {
        // It may be there before the next lines of the supervisor are, with which that says for whom it speaks.
        view.ask_covers().await;
    }
    loop {
        covers.borrow_and_update();
        match view.is_covered(&member) {
            Some(false) => {}
            None if Instant::now() >= patience => {}
            None => {
                // Only the supervisor's answer, its end, or the end of patience changes anything.
                let _ = tokio::time::timeout_at(patience, covers.changed()).await;
                continue;
            }
            Some(true) => {
                view.lock().catching_up.remove(&member.id);
                // The sender is the view's own.
                let _ = covers.changed().await;
                (after, has_all, reading) = (0, false, view.begin_reading());
                continue;
            }
        }
        // Its past at once, until there is no more of it.
        let wait = if has_all { WAIT } else { Duration::ZERO };
        let question =
            json!({ "lines": { "after": after, "limit": LINES, "wait": wait.as_millis() as u64 } })
                .to_string();
        let answer = view.source.ask(&member.name, Topic::Observe, question, wait + GRACE).await;
        let told = answer.map_err(|error| error.to_string()).and_then(|bytes| {
            serde_json::from_slice::<Telling>(&bytes).map_err(|error| format!("it makes no sense: {error}"))
        });
        let told = match told {
            Ok(told) => told,
            Err(error) => {
                log::debug!(target: "http", "node {} tells no lines: {error}", member.name);
                view.lock().catching_up.remove(&member.id);
                sleep(retry).await;
                retry = (retry * 2).min(RETRY[1]);
                continue;
            }
        };
        retry = RETRY[0];
        if member.role == Role::Supervisor {
            view.told_covers(&member, told.covers.clone());
        } else if view.is_covered(&member) == Some(true) {
            // The supervisor has begun to speak for it meanwhile: these come from there.
            continue;
        }
        if incarnation != told.incarnation && after > 0 {
            // Another process has numbered these.
            (after, incarnation, has_all, reading) = (0, told.incarnation, false, view.begin_reading());
            continue;
        }
        let is_empty = told.lines.is_empty();
        // What was gone before it was first asked is nobody's loss here.
        let missing = if after > 0 { told.dropped } else { 0 };
        // Never back: that would be the same lines again.
        (after, incarnation) = (told.next.max(after), told.incarnation);
        let mut lines = told.lines;
        // A member speaks for itself; a supervisor for those it runs.
        if member.role == Role::Supervisor {
            lines.truncate(LINES);
        } else {
            lines.retain(|line| line.node == member.name);
        }
        if missing > 0 {
            lines.insert(0, gap(&member, missing, lines.first()));
        }
        view.put(reading, lines, !has_all);
        if is_empty {
            if has_all {
                // Sooner than it was asked to, perhaps.
                sleep(RETRY[0]).await;
            }
            has_all = true;
            view.lock().catching_up.remove(&member.id);
        }
    }
}

/// Says where lines of a member are missing: before `next`, or now.
fn gap(member: &Member, missing: u64, next: Option<&Line>) -> Line {
    // Milliseconds since 1970.
    let time = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1000.0;
    let whose = if member.role == Role::Supervisor { "that the supervisor has" } else { "of this node" };
    Line {
        time: next.map_or_else(time, |next| next.time),
        node: member.name.clone(),
        level: Level::Warn,
        name: "http".into(),
        message: format!(
            "{missing} lines {whose} are missing here: they came faster than this server took them"
        ),
        ..Line::default()
    }
}

/// The state of one member, again and again.
async fn states(view: Arc<View>, member: Member) {
    let question = json!({ "state": { "workers": WORKERS } }).to_string();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let answer = view.source.ask(&member.name, Topic::Observe, question.clone(), STATE_WITHIN);
        let state = match timeout(STATE_WITHIN, answer).await {
            Ok(Ok(bytes)) if bytes.len() <= STATE => serde_json::from_slice::<Value>(&bytes).ok(),
            _ => None,
        };
        {
            let nodes = &mut view.lock().nodes;
            match state {
                Some(state) => nodes.told(&member, state, now()),
                None => nodes.silent(&member, now()),
            }
        }
        // Readers hear of it with the next look at who is there.
    }
}
