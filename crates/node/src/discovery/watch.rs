//! Notices who joins and leaves: the kernel's word on the folder of records where there is one, and a slow look at the
//! locks besides, since a lock that becomes free is no event by itself.
//!
//! One thread, which lives while somebody holds a receiver; it works on files, which would hold up the links of the
//! node's I/O thread.

use std::{
    fmt,
    io::{self, PipeReader, PipeWriter},
    os::fd::BorrowedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::watch::{Receiver, Sender};

use super::{Member, records::Records};

/// How often the locks are looked at: a node that was killed is to be missed within a second, whatever the kernel tells.
const LOOK: Duration = Duration::from_millis(500);

/// How long after an event to look again: the kernel tells that a file is closed before it frees the file's lock. The
/// events of that time count as one, so that many nodes that start together do not each wake all others each time.
const SETTLE: Duration = Duration::from_millis(20);

/// The watch of one directory.
pub(super) struct Watch(Arc<Shared>);

struct Shared {
    records: Arc<Records>,
    count: Sender<u64>,
    running: Mutex<Option<Running>>,
}

struct Running {
    thread: JoinHandle<()>,
    /// The thread ends when it is closed.
    stop: PipeWriter,
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    pub(super) fn new(records: Arc<Records>) -> Self {
        Self(Arc::new(Shared { records, count: Sender::new(0), running: Mutex::default() }))
    }

    /// From the return on, each change of the members moves the counter.
    pub(super) fn subscribe(&self) -> Receiver<u64> {
        let mut running = self.0.running();
        let receiver = self.0.count.subscribe();
        if running.is_none() {
            match start(&self.0) {
                Ok(started) => *running = Some(started),
                // The zone works without: members are looked up anew whenever they are asked for.
                Err(error) => {
                    log::warn!(target: "zone", "can't watch {}: {error}", self.0.records.folder().display());
                }
            }
        }
        receiver
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let running = self.0.running().take();
        if let Some(Running { thread, stop }) = running {
            drop(stop);
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("count", &*self.0.count.borrow()).finish_non_exhaustive()
    }
}

fn start(shared: &Arc<Shared>) -> io::Result<Running> {
    let (stopped, stop) = io::pipe()?;
    let events = Events::of(&shared.records);
    let known = shared.records.scan().unwrap_or_default();
    let shared = Arc::clone(shared);
    let thread = thread::Builder::new()
        .name("troupe-directory".to_owned())
        .spawn(move || watch(&shared, &stopped, &events, known))?;
    Ok(Running { thread, stop })
}

fn watch(shared: &Shared, stopped: &PipeReader, events: &Events, mut known: Vec<Member>) {
    let mut patience = LOOK;
    loop {
        let told = match wait(stopped, events.descriptor(), patience) {
            Woken::Stopped => return,
            Woken::Event => events.drain(),
            Woken::Time => false,
        };
        {
            // Under the lock, so that who subscribes now starts another thread.
            let mut running = shared.running();
            if shared.count.receiver_count() == 0 {
                *running = None;
                return;
            }
        }
        // A look that failed says nothing; the next one will.
        let members = shared.records.scan().unwrap_or_else(|error| {
            log::debug!(target: "zone", "{error}");
            known.clone()
        });
        // A member may have come and gone between two looks, and others may have seen it: what the kernel tells is news.
        if told || members != known {
            shared.count.send_modify(|count| *count = count.wrapping_add(1));
        }
        known = members;
        patience = LOOK;
        if told {
            patience = Duration::ZERO;
            if let Woken::Stopped = wait(stopped, None, SETTLE) {
                return;
            }
        }
    }
}

enum Woken {
    Stopped,
    Event,
    Time,
}

/// `patience` is less than a second.
fn wait(stopped: &PipeReader, events: Option<BorrowedFd<'_>>, patience: Duration) -> Woken {
    let mut of = vec![PollFd::new(stopped, PollFlags::IN)];
    of.extend(events.map(|events| PollFd::from_borrowed_fd(events, PollFlags::IN)));
    let time = Timespec { tv_sec: 0, tv_nsec: patience.subsec_nanos().into() };
    match poll(&mut of, Some(&time)) {
        Ok(0) => Woken::Time,
        Ok(_) if !of[0].revents().is_empty() => Woken::Stopped,
        Ok(_) => Woken::Event,
        // Interrupted, or the system is out of memory: never a reason to spin.
        Err(_) => {
            thread::sleep(patience);
            Woken::Time
        }
    }
}

/// What the kernel tells of the folder; on a system without inotify, or when it has no more watches, nothing.
#[cfg(target_os = "linux")]
struct Events(Option<std::os::fd::OwnedFd>);

#[cfg(target_os = "linux")]
impl Events {
    fn of(records: &Records) -> Self {
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
        // Not the opening and reading of files: every look of every node would wake every other one.
        let kinds = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::ONLYDIR;
        let folder = records.folder();
        let opened = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).and_then(|events| {
            add_watch(&events, folder, kinds)?;
            Ok(events)
        });
        Self(opened.map_or_else(
            |error| {
                log::info!(
                    target: "zone",
                    "the kernel gives no watch on {} ({error}): looking twice a second",
                    folder.display()
                );
                None
            },
            Some,
        ))
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(std::os::fd::AsFd::as_fd)
    }

    /// Takes all events there are. Whether there were any.
    fn drain(&self) -> bool {
        let Some(events) = &self.0 else { return false };
        let mut any = false;
        let mut buffer = [0; 4096];
        // What they say does not matter: any of them is a reason to look.
        while rustix::io::read(events, &mut buffer).is_ok_and(|length| length > 0) {
            any = true;
        }
        any
    }
}

#[cfg(not(target_os = "linux"))]
struct Events;

#[cfg(not(target_os = "linux"))]
impl Events {
    fn of(_records: &Records) -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "the same shape on every system")]
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    #[expect(clippy::unused_self, reason = "the same shape on every system")]
    fn drain(&self) -> bool {
        false
    }
}
