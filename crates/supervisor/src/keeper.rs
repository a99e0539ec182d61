//! Keeps one container alive: starts it, watches it, starts it again when it dies, drains it when it is to stop. A task
//! of its own for each; it tells its state, and hears of nothing but the wish to stop.

use crate::capture::{Stream, capture};
use crate::container::{Exit, Running, Span};
use crate::history::History;
use crate::line::{Level, unix_ms};
use crate::plan::Container;
use crate::restart::{Next, Policy, Restarts};
use crate::status::{State, Status};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncRead;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// The nodes in the zone, and when each joined: milliseconds since 1970.
pub type Present = Arc<HashMap<String, u64>>;

/// What all containers of a supervisor have in common.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Where what they print goes.
    pub history: History,
    /// Who is in the zone.
    pub present: watch::Receiver<Present>,
    /// How patient the supervisor is.
    pub policy: Policy,
}

/// The pipes of a process that has ended hold little; longer than this only somebody else keeps one open, and is read on
/// in the background.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Beyond its drain time a process whose supervisor is gone lives so long, and is missed a moment later.
const LEAVING: Duration = Duration::from_secs(7);

/// A container that is being kept. Dropped, it drains and ends all the same.
#[derive(Debug)]
pub struct Keeper {
    container: Container,
    status: watch::Receiver<Status>,
    /// The drain time, once it is to stop.
    stop: watch::Sender<Option<Duration>>,
}

impl Keeper {
    /// Starts a container, and keeps it alive from here on.
    #[must_use]
    pub fn start(container: Container, drain: Duration, around: Surroundings) -> Self {
        let begin = Status {
            state: State::Starting,
            pid: None,
            since: unix_ms(),
            restarts: 0,
            last_exit: None,
            next_try: None,
        };
        let (status, told) = watch::channel(begin);
        let (stop, stopping) = watch::channel(None);
        let (keeps, node) = ((status.clone(), stopping.clone()), container.node.clone());
        let (history, task) =
            (around.history.clone(), Task { container: container.clone(), drain, around, status, stopping });
        tokio::spawn(guarded(task.run(), node, history, keeps));
        Self { container, status: told, stop }
    }

    /// The container, as it was started.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// Where it is.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Lets it drain and end, within this time; what it does then is [`Keeper::stopped`]'s. Again: the same.
    pub fn stop(&self, drain: Duration) {
        self.stop.send_if_modified(|stop| {
            stop.is_none() && {
                *stop = Some(drain);
                true
            }
        });
    }

    /// Resolves when it has stopped for good: its process has ended, and nothing of its group is left.
    pub fn stopped(&self) -> impl Future<Output = ()> + use<> {
        let mut status = self.status.clone();
        async move { while status.changed().await.is_ok() {} }
    }

    /// Resolves when it is up, has lived without that for a while, has died, or has ended: when there is something to say of
    /// its start.
    pub fn settled(&self) -> impl Future<Output = State> + use<> {
        let mut status = self.status.clone();
        async move {
            let settled = status.wait_for(|status| status.state != State::Starting).await;
            settled.map_or(State::Ended, |status| status.state)
        }
    }
}

/// Sees to it that a defect of the supervisor is one container's only: its process has ended with what kept it, and it is
/// given up.
async fn guarded(
    work: impl Future<Output = ()> + Send + 'static,
    node: String,
    history: History,
    (status, mut stopping): (watch::Sender<Status>, watch::Receiver<Option<Duration>>),
) {
    if tokio::spawn(work).await.is_ok() {
        return;
    }
    let words = "was ended by a defect of the supervisor, which its log tells more of";
    status.send_modify(|status| {
        let last_exit = Some(words.to_owned());
        let since = unix_ms();
        *status = Status { state: State::GivenUp, pid: None, since, last_exit, next_try: None, ..*status };
    });
    let said = format!("it {words}, and is given up, until it is deployed again");
    history.say(&node, Level::Error, said);
    stop_of(&mut stopping).await;
}

struct Task {
    container: Container,
    drain: Duration,
    around: Surroundings,
    status: watch::Sender<Status>,
    stopping: watch::Receiver<Option<Duration>>,
}

impl Task {
    async fn run(mut self) {
        let mut restarts = Restarts::new(self.around.policy);
        self.until_name_is_free().await;
        if self.is_stopping() {
            return self.set(State::Ended, None, None);
        }
        loop {
            restarts.started(Instant::now());
            let Life { exit, was_in_zone } = self.live().await;
            let words = exit.to_string();
            self.status.send_modify(|status| status.last_exit = Some(words.clone()));
            if self.is_stopping() {
                self.say(Level::Info, format!("it was to stop, and {words}"));
                return self.set(State::Ended, None, None);
            }
            // A node that leaves without having been told to is missed, whatever its program makes of it: somebody has
            // signalled it, or its loop has run empty. What never was a node has done what it was for.
            if exit.is_success() && !was_in_zone {
                self.set(State::Ended, None, None);
                self.say(Level::Info, format!("it {words}: it is done, and not started again"));
                return self.until_stopped().await;
            }
            match restarts.ended(Instant::now(), chance()) {
                Next::GiveUp { starts, within } => {
                    self.set(State::GivenUp, None, None);
                    let within = Span(within);
                    let said = format!(
                        "it {words}; it was started {starts} times within {within} and is given up, until it is deployed again"
                    );
                    self.say(Level::Error, said);
                    return self.until_stopped().await;
                }
                Next::After(pause) => {
                    let next_try = unix_ms() + pause.as_millis() as u64;
                    self.set(State::BackingOff, None, Some(next_try));
                    self.say(Level::Warn, format!("it {words}; it is started again in {}", Span(pause)));
                    tokio::select! {
                        () = sleep(pause) => {}
                        _ = stop_of(&mut self.stopping) => {}
                    }
                    if self.is_stopping() {
                        return self.set(State::Ended, None, None);
                    }
                    self.status.send_modify(|status| status.restarts += 1);
                }
            }
        }
    }

    /// A node from before, as of a supervisor that was killed, may still be draining: the zone would refuse its name to this
    /// one. It is waited for, as long as it may take.
    async fn until_name_is_free(&mut self) {
        let (begun, node) = (unix_ms(), &self.container.node);
        let is_free = |present: &Present| present.get(node).is_none_or(|since| *since >= begun);
        let mut present = self.around.present.clone();
        if is_free(&present.borrow()) {
            return;
        }
        let longest = self.drain + LEAVING;
        let said = format!(
            "a node of this name is in the zone still; it is started when that has gone, or in {}",
            Span(longest)
        );
        self.say(Level::Info, said);
        tokio::select! {
            // What does not go is none of a supervisor's: how its start fails then says whose it is.
            _ = timeout(longest, present.wait_for(is_free)) => {}
            _ = stop_of(&mut self.stopping) => {}
        }
    }

    /// One life, to its end.
    async fn live(&mut self) -> Life {
        self.set(State::Starting, None, None);
        let started = unix_ms();
        let mut running = match Running::start(&self.container, self.drain) {
            Ok(running) => running,
            Err(error) => return Life { exit: Exit::NotStarted(error), was_in_zone: false },
        };
        let pid = Some(running.pid());
        self.set(State::Starting, pid, None);
        self.say(Level::Debug, format!("it was started, as process {}", running.pid()));
        let (stdout, stderr) = running.outputs();
        let captured = [self.capture(stdout, Stream::Stdout), self.capture(stderr, Stream::Stderr)];
        let mut present = self.around.present.clone();
        let joined = async {
            let node = &self.container.node;
            let is_there = |present: &Present| present.get(node).is_some_and(|since| *since >= started);
            let seen = async { present.wait_for(is_there).await.is_ok() };
            tokio::pin!(seen);
            let soon = timeout(self.around.policy.settled, &mut seen).await;
            let has_joined = if let Ok(has_joined) = soon {
                has_joined
            } else {
                set(&self.status, State::Running, pid, None);
                seen.await
            };
            if !has_joined {
                // There is no zone any more that it could join.
                std::future::pending::<()>().await;
            }
        };
        let (ended, was_in_zone) = tokio::select! {
            // A program that is in the zone for a moment only has been there.
            biased;
            () = joined => (None, true),
            exit = running.ended() => (Some(exit), false),
            _ = stop_of(&mut self.stopping) => (None, false),
        };
        let exit = if let Some(exit) = ended {
            exit
        } else {
            if !self.is_stopping() {
                self.set(State::Up, pid, None);
            }
            self.run_on(&mut running, pid).await
        };
        let _ = timeout(LAST_WORDS, async {
            for stream in captured.into_iter().flatten() {
                // A panic there was reported when it happened.
                let _ = stream.await;
            }
        })
        .await;
        Life { exit, was_in_zone }
    }

    /// Until the process ends, by itself or because it is to.
    async fn run_on(&mut self, running: &mut Running, pid: Option<u32>) -> Exit {
        let drain = tokio::select! {
            exit = running.ended() => return exit,
            drain = stop_of(&mut self.stopping) => drain,
        };
        self.set(State::Draining, pid, None);
        running.terminate();
        if let Ok(exit) = timeout(drain, running.ended()).await {
            return exit;
        }
        let said = format!("it has not ended {} after SIGTERM and is ended by SIGKILL", Span(drain));
        running.kill();
        self.say(Level::Warn, said);
        running.ended().await
    }

    fn capture(
        &self,
        stream: Option<impl AsyncRead + Unpin + Send + 'static>,
        which: Stream,
    ) -> Option<JoinHandle<()>> {
        let (node, history) = (self.container.node.clone(), self.around.history.clone());
        stream.map(|stream| tokio::spawn(async move { capture(stream, &node, which, &history).await }))
    }

    fn is_stopping(&self) -> bool {
        self.stopping.borrow().is_some() || self.stopping.has_changed().is_err()
    }

    async fn until_stopped(&mut self) {
        stop_of(&mut self.stopping).await;
    }

    fn set(&self, state: State, pid: Option<u32>, next_try: Option<u64>) {
        set(&self.status, state, pid, next_try);
    }

    fn say(&self, level: Level, message: String) {
        self.around.history.say(&self.container.node, level, message);
    }
}

/// One life of a container that is over.
struct Life {
    exit: Exit,
    /// Whether its node was seen in the zone.
    was_in_zone: bool,
}

fn set(status: &watch::Sender<Status>, state: State, pid: Option<u32>, next_try: Option<u64>) {
    status.send_modify(|status| {
        if status.state != state {
            status.since = unix_ms();
        }
        status.state = state;
        status.pid = pid;
        status.next_try = next_try;
    });
}

/// Resolves with the drain time when the container is to stop; with none when nobody keeps it any more.
async fn stop_of(stopping: &mut watch::Receiver<Option<Duration>>) -> Duration {
    stopping.wait_for(Option::is_some).await.ok().and_then(|stop| *stop).unwrap_or_default()
}

/// A number from 0 to 1. Without chance, which no machine is, pauses would be as long as each other.
fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use troupe_node::observe::Ring;

    #[tokio::test]
    async fn a_defect_of_the_supervisor_is_one_container_s_only_and_is_said() {
        let folder = std::env::temp_dir().join(format!("troupe-keeper-{:016x}", getrandom::u64().unwrap()));
        let ring = Arc::<Ring>::default();
        let history = History::open(&folder, ring.clone(), "troupe-supervisor").unwrap();
        let (state, pid, since) = (State::Up, Some(7), 0);
        let begin = Status { state, pid, since, restarts: 3, last_exit: None, next_try: None };
        let (status, mut told) = watch::channel(begin);
        let (stop, stopping) = watch::channel(None);
        let work = async {
            // As it would fail.
            let none: Option<u8> = std::hint::black_box(None);
            assert!(none.is_some(), "made to fail");
        };
        let guard = tokio::spawn(guarded(work, "api".to_owned(), history.clone(), (status, stopping)));
        let given_up = told.wait_for(|status| status.state == State::GivenUp).await.unwrap().clone();
        assert_eq!((given_up.pid, given_up.restarts), (None, 3));
        assert!(given_up.last_exit.is_some_and(|words| words.contains("a defect of the supervisor")));
        assert!(!guard.is_finished(), "it is there until it is to stop");
        stop.send_replace(Some(Duration::ZERO));
        guard.await.unwrap();
        let said = ring.pull(0, 1, "").lines[0].clone();
        assert_eq!((&said["node"], &said["level"]), (&"api".into(), &"error".into()));
        // What it was said with is written by then.
        history.flush().await;
        std::fs::remove_dir_all(folder).unwrap();
    }
}
