//! All containers of a zone: brought to what a plan says, one plan at a time, and stopped in the end.

use crate::keeper::{Keeper, Surroundings};
use crate::line::unix_ms;
use crate::plan::{Caller, Container, Plan};
use crate::status::{State, Status};
use crate::steps::{Change, Present, Replacement, Steps, What, steps};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

/// The supervisor of one zone. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Supervisor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    zone: String,
    since: u64,
    around: Surroundings,
    state: Mutex<Kept>,
    /// Nothing is started any more.
    ending: watch::Sender<bool>,
    /// Somebody has given it a plan to apply.
    wanted: watch::Sender<bool>,
    /// The names of the nodes that are kept.
    nodes: watch::Sender<Vec<String>>,
}

/// What is kept now.
#[derive(Debug, Default)]
struct Kept {
    project: Option<PathBuf>,
    drain: Duration,
    keepers: BTreeMap<String, Keeper>,
    busy: Option<Busy>,
}

/// For whom a second caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Busy {
    /// Process of the caller whose plan is being applied.
    pub pid: u32,
    /// Since when: milliseconds since 1970.
    pub since: u64,
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another plan is being applied.
    #[error("another plan is being applied, for process {}", .0.pid)]
    Busy(Busy),
    /// The zone runs another project, which would be stopped.
    #[error(
        "zone {zone:?} runs the project in {}; deployed from {} it would stop all of that. Give this zone another \
         \"name\" in troupe.yaml, or take the other one down first: troupe zone delete --zone {zone}",
        own.display(),
        asked.display()
    )]
    Project {
        /// The zone.
        zone: String,
        /// What it runs.
        own: PathBuf,
        /// That of the plan.
        asked: PathBuf,
    },
    /// It stops everything and ends.
    #[error("the supervisor is ending")]
    Ending,
}

/// What a supervisor tells of itself.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Its zone.
    pub zone: String,
    /// The project of the plan that was applied last.
    pub project: Option<PathBuf>,
    /// Its process.
    pub pid: u32,
    /// Since when it runs: milliseconds since 1970.
    pub since: u64,
    /// Its containers, by the names of their nodes.
    pub containers: Vec<Reported>,
}

/// One container.
#[derive(Clone, Debug, Serialize)]
pub struct Reported {
    /// Its node.
    pub node: String,
    /// Its pod.
    pub pod: String,
    /// Which clone of it.
    pub clone: u32,
    /// Its name in the pod.
    pub container: String,
    /// Its image.
    pub image: String,
    /// How it is.
    #[serde(flatten)]
    pub status: Status,
}

impl Supervisor {
    /// Without containers.
    #[must_use]
    pub fn new(zone: &str, around: Surroundings) -> Self {
        Self(Arc::new(Inner {
            zone: zone.to_owned(),
            since: unix_ms(),
            around,
            state: Mutex::default(),
            ending: watch::Sender::new(false),
            wanted: watch::Sender::new(false),
            nodes: watch::Sender::default(),
        }))
    }

    /// Its zone.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.0.zone
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // A panic elsewhere leaves it whole: each change is one call.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The steps from what there is to a plan; nothing is done. Fails for another project's.
    pub fn compare(&self, plan: &Plan) -> Result<Vec<Change>, Refused> {
        self.check_project(&self.lock(), plan)?;
        Ok(self.steps(plan).changes)
    }

    fn steps(&self, plan: &Plan) -> Steps {
        let kept = self.lock();
        let present = kept
            .keepers
            .values()
            .map(|keeper| Present { container: keeper.container(), state: keeper.status().state });
        steps(present, plan)
    }

    /// Brings the zone to a plan; resolves with what was done when it is done: what had to stop has stopped, and what was
    /// started is up, has died, or has had ten seconds. Given up, it is done all the same.
    pub async fn apply(&self, plan: Plan) -> Result<Vec<Change>, Refused> {
        let steps = {
            // Decided and marked under one lock: of two callers, one is the second.
            let mut kept = self.lock();
            if self.is_ending() {
                return Err(Refused::Ending);
            }
            if let Some(busy) = kept.busy {
                return Err(Refused::Busy(busy));
            }
            self.check_project(&kept, &plan)?;
            let Caller { pid } = plan.by;
            kept.busy = Some(Busy { pid, since: unix_ms() });
            // Under the lock: from here on it does not end by itself.
            self.0.wanted.send_replace(true);
            drop(kept);
            self.steps(&plan)
        };
        let (done, is_done) = oneshot::channel();
        let own = self.clone();
        tokio::spawn(async move {
            let changes = own.carry_out(steps, &plan).await;
            let mut kept = own.lock();
            kept.busy = None;
            drop(kept);
            // Whoever asked may no longer wait.
            let _ = done.send(changes);
        });
        is_done.await.map_err(|_| Refused::Ending)
    }

    /// Two projects that give their zones one name do not take each other's over.
    fn check_project(&self, kept: &Kept, plan: &Plan) -> Result<(), Refused> {
        match &kept.project {
            Some(own) if *own != plan.project && !kept.keepers.is_empty() => Err(Refused::Project {
                zone: self.0.zone.clone(),
                own: own.clone(),
                asked: plan.project.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Returns what was done.
    async fn carry_out(&self, steps: Steps, plan: &Plan) -> Vec<Change> {
        let mut changes = steps.changes;
        // What runs was started under the plan before.
        let drain = {
            let mut kept = self.lock();
            kept.project = Some(plan.project.clone());
            if kept.keepers.is_empty() {
                kept.drain = plan.drain();
            }
            kept.drain
        };
        self.stop(&steps.stops, drain).await;
        for replacement in steps.replaced {
            if let Some(failing) = self.failing(&replacement) {
                for change in &mut changes {
                    if replacement.start.iter().any(|container| container.node == change.node) {
                        change.what = What::Keep;
                        change.why = format!("{failing} does not come up with it");
                    }
                }
                continue;
            }
            // A name may have moved here from a pod that is not its turn yet.
            let mut stops = replacement.stop;
            stops.extend(replacement.start.iter().map(|container| container.node.clone()));
            self.stop(&stops, drain).await;
            self.start(replacement.start, plan.drain()).await;
        }
        let moved: Vec<_> = steps.started.iter().map(|container| container.node.clone()).collect();
        self.stop(&moved, drain).await;
        self.start(steps.started, plan.drain()).await;
        self.lock().drain = plan.drain();
        changes
    }

    /// Another node that runs what is to be started here, and does not come up with it, while what would be stopped for it
    /// still works.
    fn failing(&self, Replacement { stop, start }: &Replacement) -> Option<String> {
        let kept = self.lock();
        let works = |node: &String| {
            let state = kept.keepers.get(node).map(|keeper| keeper.status().state);
            matches!(state, Some(State::Up | State::Running))
        };
        if !stop.iter().any(works) {
            return None;
        }
        let mut others = kept.keepers.iter().filter(|(node, keeper)| {
            let known = keeper.container();
            matches!(keeper.status().state, State::BackingOff | State::GivenUp)
                && !stop.contains(node)
                && start.iter().any(|wanted| (&wanted.image, &wanted.hash) == (&known.image, &known.hash))
        });
        others.next().map(|(node, _)| node.clone())
    }

    /// Drains some containers at the same time, and forgets them when they have ended. Those that are not there have.
    async fn stop(&self, nodes: &[String], drain: Duration) {
        let mut stopped = Vec::new();
        {
            let kept = self.lock();
            for keeper in nodes.iter().filter_map(|node| kept.keepers.get(node)) {
                keeper.stop(drain);
                stopped.push(keeper.stopped());
            }
        }
        for stopped in stopped {
            stopped.await;
        }
        let mut kept = self.lock();
        for node in nodes {
            kept.keepers.remove(node);
        }
        self.tell(&kept);
    }

    /// Starts some containers at the same time, and waits until there is something to say of each.
    async fn start(&self, containers: Vec<Container>, drain: Duration) {
        let mut settled = Vec::new();
        {
            let mut kept = self.lock();
            if self.is_ending() {
                return;
            }
            for container in containers {
                let node = container.node.clone();
                let keeper = Keeper::start(container, drain, self.0.around.clone());
                settled.push(keeper.settled());
                kept.keepers.insert(node, keeper);
            }
            self.tell(&kept);
        }
        let _ = timeout(self.0.around.policy.settled, async {
            for settled in settled {
                settled.await;
            }
        })
        .await;
    }

    /// How everything is.
    #[must_use]
    pub fn report(&self) -> Report {
        let kept = self.lock();
        let containers = kept.keepers.values().map(|keeper| {
            let container = keeper.container().clone();
            let status = keeper.status();
            Reported {
                node: container.node,
                pod: container.pod,
                clone: container.clone,
                container: container.container,
                image: container.image,
                status,
            }
        });
        Report {
            zone: self.0.zone.clone(),
            project: kept.project.clone(),
            pid: std::process::id(),
            since: self.0.since,
            containers: containers.collect(),
        }
    }

    /// Drains and stops everything, at the same time, and starts nothing any more; resolves with how many containers
    /// there were. Fails while a plan is being applied.
    pub async fn delete(&self) -> Result<usize, Refused> {
        if let Some(busy) = self.lock().busy {
            return Err(Refused::Busy(busy));
        }
        Ok(self.end().await)
    }

    /// The same at once, whatever is being applied: for the end of the supervisor.
    pub async fn end(&self) -> usize {
        let (nodes, drain) = {
            let kept = self.lock();
            // Under the lock: nothing is started between this and the list.
            self.0.ending.send_replace(true);
            (kept.keepers.keys().cloned().collect::<Vec<_>>(), kept.drain)
        };
        self.stop(&nodes, drain).await;
        nodes.len()
    }

    /// The names of its nodes, in order, and the changes of that.
    #[must_use]
    pub fn nodes(&self) -> watch::Receiver<Vec<String>> {
        self.0.nodes.subscribe()
    }

    fn tell(&self, kept: &Kept) {
        self.0.nodes.send_replace(kept.keepers.keys().cloned().collect());
    }

    fn is_ending(&self) -> bool {
        *self.0.ending.borrow()
    }

    /// Whether it is ending, and the change of that.
    #[must_use]
    pub fn ending(&self) -> watch::Receiver<bool> {
        self.0.ending.subscribe()
    }

    /// Whether somebody has given it a plan to apply, from the moment on at which that begins, and the change of that.
    #[must_use]
    pub fn wanted(&self) -> watch::Receiver<bool> {
        self.0.wanted.subscribe()
    }

    /// Starts nothing any more if nobody has ever given it a plan; whether that is so.
    #[must_use]
    pub fn end_if_unwanted(&self) -> bool {
        // Of this and a plan one is the first.
        let _kept = self.lock();
        let is_unwanted = !*self.0.wanted.borrow();
        if is_unwanted {
            self.0.ending.send_replace(true);
        }
        is_unwanted
    }
}
