//! The supervisor as a member of its zone: who is there, what it is asked, and its end.

use crate::history::History;
use crate::keeper::{Present, Surroundings};
use crate::line::Level;
use crate::pull::Pulls;
use crate::records::keep_in;
use crate::restart::Policy;
use crate::service::{ServiceError, supervise};
use crate::supervisor::Supervisor;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use troupe_node::discovery::{Role, zone_folder};
use troupe_node::node::{Asked, OpenError, Refusal, SUPERVISE, Shared};
use troupe_node::{Node, NodeOptions, code};
use troupe_proto::address::{NameError, check_name};

/// The name of every supervisor's node: a zone has one.
pub const NAME: &str = troupe_node::observe::SUPERVISOR;

/// A supervisor that nobody has given a plan for so long was started by somebody who has gone.
const IDLE: Duration = Duration::from_secs(60);

/// To look into a folder takes milliseconds.
const FIRST_LOOK: Duration = Duration::from_secs(5);

/// The answer to the last request is on its way by then. Nothing says when: whoever asked may be gone.
const LAST_ANSWER: Duration = Duration::from_millis(250);

/// What is on its way to the files is a few megabytes.
const LAST_LINES: Duration = Duration::from_secs(5);

/// Why a supervisor could not begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The zone has one.
    #[error("zone {zone} has its supervisor already: {reason}")]
    IsThere {
        /// The zone.
        zone: String,
        /// Who has the name.
        reason: OpenError,
    },
    /// No zone can have this name.
    #[error("{zone:?} is no name for a zone: {reason}")]
    Name {
        /// What it was to be.
        zone: String,
        /// Why not.
        reason: NameError,
    },
    /// It can't be a member of its zone.
    #[error("can't join zone {zone}: {reason}")]
    Join {
        /// The zone.
        zone: String,
        /// What happened.
        reason: OpenError,
    },
    /// Its history can't be opened.
    #[error("can't keep the history of zone {zone} in {folder}: {source}")]
    History {
        /// The zone.
        zone: String,
        /// Where it was to be.
        folder: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system has no signals to wait for.
    #[error("the system gives the supervisor of zone {zone} no signals: {source}")]
    Signals {
        /// The zone.
        zone: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Is the supervisor of a zone, until everything is deleted, it is asked to end by a signal, or nobody wants it. `home`:
/// the folder of all zones. Resolves when everything has stopped.
pub async fn run(home: &Path, zone: &str) -> Result<(), BeginError> {
    let mut signals =
        Signals::expect().map_err(|source| BeginError::Signals { zone: zone.to_owned(), source })?;
    let options = NodeOptions::in_zone(NAME, zone, home.to_owned()).with_role(Role::Supervisor);
    // Who asks at once waits for it to be ready.
    let (ready, is_ready) = watch::channel(None);
    let runtime = Handle::current();
    check_name(zone).map_err(|reason| BeginError::Name { zone: zone.to_owned(), reason })?;
    let folder = home.join("supervisor").join(zone);
    let opened = Arc::new(Mutex::new(None));
    let (history_of, history_in) = (opened.clone(), folder.clone());
    let options = options.prepared(move |shared| {
        // Before anybody sees it: who asks for its last lines as soon as it is there gets those of the one before.
        let history = History::open(&history_in, shared.ring().clone(), NAME);
        if let Ok(history) = &history {
            shared.set_past(Arc::new(history.clone()));
        }
        *history_of.lock().unwrap_or_else(PoisonError::into_inner) = Some(history);
        serve(shared, &is_ready, &runtime);
    });
    let node = Node::create(options).await.map_err(|reason| match reason.code() {
        code::NAME_TAKEN => BeginError::IsThere { zone: zone.to_owned(), reason },
        _ => BeginError::Join { zone: zone.to_owned(), reason },
    })?;
    let opened = opened.lock().unwrap_or_else(PoisonError::into_inner).take();
    let history = opened.unwrap_or_else(|| Err(io::ErrorKind::NotFound.into())).map_err(|source| {
        BeginError::History { zone: zone.to_owned(), folder: folder.display().to_string(), source }
    })?;
    // Whoever started it reads no longer, now that it is in the zone.
    history.take_stderr();
    keep_in(history.clone());
    let (told, present) = watch::channel(Present::default());
    let mut first = present.clone();
    let around = Surroundings { history: history.clone(), present, policy: Policy::default() };
    let supervisor = Supervisor::new(zone, around);
    let follows = tokio::spawn(follow(node.clone(), supervisor.clone(), history.clone(), told));
    // Who is there already has to be known before anything is started beside it; a zone whose folder can't be read says so.
    let _ = timeout(FIRST_LOOK, first.changed()).await;
    ready.send_replace(Some(supervisor.clone()));
    history.say(
        NAME,
        Level::Info,
        format!("the supervisor of zone {zone} is up, as process {}", std::process::id()),
    );

    let why = until_the_end(&supervisor, &mut signals, &zone_folder(home, zone)).await;
    history.say(NAME, Level::Info, format!("the supervisor of zone {zone} ends: {why}"));
    supervisor.end().await;
    sleep(LAST_ANSWER).await;
    follows.abort();
    // A disk that hangs is not waited for.
    let _ = timeout(LAST_LINES, history.flush()).await;
    node.stop(Duration::ZERO).await;
    Ok(())
}

/// Resolves with the reason.
async fn until_the_end(supervisor: &Supervisor, signals: &mut Signals, folder: &Path) -> String {
    let (mut wanted, mut ending) = (supervisor.wanted(), supervisor.ending());
    let idle = async {
        let in_time = timeout(IDLE, wanted.wait_for(|wanted| *wanted)).await.is_ok();
        if in_time || !supervisor.end_if_unwanted() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = idle => format!("it was given no plan within {} s", IDLE.as_secs()),
        _ = ending.wait_for(|ending| *ending) => "everything in it was deleted".to_owned(),
        name = signals.end() => format!("it got {name}"),
        () = lost(folder) => format!(
            "the zone's folder {} was removed, and nobody finds this supervisor and its containers any more",
            folder.display()
        ),
    }
}

/// How often a supervisor looks whether its zone's folder is still there.
const LOOK: Duration = Duration::from_secs(1);

/// … and how many times in a row it must be missed: who moves it and puts it back is no reason.
const MISSED: u32 = 3;

/// Resolves when the folder is gone, or another one has its place.
async fn lost(folder: &Path) {
    let identity = || std::fs::metadata(folder).map(|found| (found.dev(), found.ino())).ok();
    let Some(own) = identity() else { return };
    let mut missed = 0;
    while missed < MISSED {
        sleep(LOOK).await;
        missed = if identity() == Some(own) { 0 } else { missed + 1 };
    }
}

/// The signals that a supervisor knows.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    /// From here on they are expected, and no longer end the process.
    fn expect() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Resolves with the one that asks to end. The end of a terminal is none: the supervisor outlives it.
    async fn end(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => {}
            }
        }
    }
}

/// Follows who is in the zone, and takes the records of those that are kept here.
async fn follow(node: Node, supervisor: Supervisor, history: History, told: watch::Sender<Present>) {
    let Some(mut changes) = node.member_changes() else { return };
    let mut nodes = supervisor.nodes();
    let mut pulls = Pulls::default();
    loop {
        changes.borrow_and_update();
        let kept = nodes.borrow_and_update().clone();
        node.shared().cover(kept.clone());
        match node.members().await {
            Ok(members) => {
                let nodes = members.iter().filter(|member| member.role == Role::Node);
                let present = nodes.map(|member| (member.name.clone(), member.since_unix_ms)).collect();
                told.send_replace(Arc::new(present));
                pulls.follow(&members, &kept, &node, &history);
            }
            Err(error) => {
                history.say(NAME, Level::Warn, format!("can't tell who is in the zone: {error}"));
            }
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            changed = nodes.changed() => if changed.is_err() { return },
        }
    }
}

/// Answers what it is asked. The node answers on its own thread; the work is done on this one, also when the asker gives
/// up.
fn serve(node: &Shared, ready: &watch::Receiver<Option<Supervisor>>, runtime: &Handle) {
    let (ready, runtime) = (ready.clone(), runtime.clone());
    node.serve(SUPERVISE, move |Asked { body, .. }| {
        let mut ready = ready.clone();
        let work = runtime.spawn(async move {
            let supervisor =
                ready.wait_for(Option::is_some).await.ok().and_then(|supervisor| supervisor.clone());
            match supervisor {
                Some(supervisor) => supervise(&supervisor, &body).await,
                None => Err(ServiceError::Ending),
            }
        });
        async move {
            let answer = work.await.map_err(|_| Refusal::failed("the supervisor is ending"))?;
            let answer = answer.map_err(|error| Refusal::failed(error.to_string()))?;
            Ok(answer.to_string().into_bytes())
        }
    });
}
