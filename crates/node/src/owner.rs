//! The other end of what a supervisor promises: its process notices when the supervisor is gone, also while its own code
//! is stuck in a loop, and ends.

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// After the drain time the process gets so much longer: to let go of what only it holds, as a file that it writes.
const GRACE: Duration = Duration::from_secs(5);

/// From now on this process ends with whoever holds the other end of its standard input: when that is closed it gets
/// SIGTERM, and SIGKILL if it still lives `drain` and 5 s later. As the leader of its group it takes the group along.
///
/// A thread of its own waits, which keeps nothing from ending. Standard input is its own from here on: who reads it finds
/// it empty, and programs started from here don't inherit it. Call it once, before anything reads.
pub fn watch_owner(drain: Duration) -> io::Result<()> {
    // Above the three standard streams, and not for programs started from here.
    let owner = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let nothing = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&nothing)?;
    std::thread::Builder::new().name("troupe-owner".into()).spawn(move || {
        until_gone(&owner);
        signal(Signal::TERM);
        std::thread::sleep(drain + GRACE);
        signal(Signal::KILL);
    })?;
    Ok(())
}

fn until_gone(owner: &OwnedFd) {
    let mut bytes = [0; 64];
    loop {
        match rustix::io::read(owner, &mut bytes) {
            // Nobody has anything to say here; what is said is no end.
            Ok(1..) | Err(Errno::INTR) => {}
            // Somebody else may have made it non-blocking for both of them.
            Err(Errno::AGAIN) => {
                let mut wait = [rustix::event::PollFd::new(owner, rustix::event::PollFlags::IN)];
                let _ = rustix::event::poll(&mut wait, None);
            }
            Ok(0) | Err(_) => return,
        }
    }
}

/// To itself and, where it leads one, to its group. In a group of somebody else's it leaves the others alone.
fn signal(signal: Signal) {
    let own = rustix::process::getpid();
    let leads = rustix::process::getpgid(None::<Pid>).is_ok_and(|group| group == own);
    let sent = if leads {
        rustix::process::kill_process_group(own, signal)
    } else {
        rustix::process::kill_process(own, signal)
    };
    // A process may always send itself a signal.
    if let Err(error) = sent {
        log::error!(target: "node", "the supervisor is gone, and this process can't end itself: {error}");
    }
}
