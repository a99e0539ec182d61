//! One life of a container: a process in a group of its own, its three pipes, its end in words.

use crate::plan::Container;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// Tells the supervised process how long it may take to end by itself when its supervisor is gone, in milliseconds.
pub const DRAIN_VARIABLE: &str = "TROUPE_DRAIN_MS";

/// A process that was started and has not been seen to end.
#[derive(Debug)]
pub struct Running {
    child: Child,
    pid: Pid,
    since: Instant,
    ends: Stream,
    /// Its number may be another's by now.
    is_over: bool,
    /// What keeps the process going: at the end of this pipe it drains and ends. Nobody writes into it.
    _owner: Option<ChildStdin>,
}

/// How a life ended.
#[derive(Debug)]
pub enum Exit {
    /// It never began.
    NotStarted(io::Error),
    /// The process has ended, so long after its start.
    Ended(ExitStatus, Duration),
}

impl Exit {
    /// Whether the program ended by itself, and says that it is done.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Ended(status, _) if status.success())
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, lived) = match self {
            Self::NotStarted(error) => return write!(f, "could not be started: {error}"),
            Self::Ended(status, lived) => (status, lived),
        };
        match (status.code(), status.signal()) {
            (Some(code), _) => write!(f, "exited with status {code}")?,
            (None, Some(number)) => match signal_name(number) {
                Some(name) => write!(f, "was ended by {name}")?,
                None => write!(f, "was ended by signal {number}")?,
            },
            (None, None) => f.write_str("ended")?,
        }
        if status.core_dumped() {
            f.write_str(" (core dumped)")?;
        }
        write!(f, ", {} after its start", Span(*lived))
    }
}

/// A time span as people say it.
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0 => write!(f, "{} ms", self.0.as_millis()),
            1..60 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            60..3600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            _ => write!(f, "{} h {} min", seconds / 3600, seconds / 60 % 60),
        }
    }
}

fn signal_name(number: i32) -> Option<&'static str> {
    let names = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ILL, "SIGILL"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL"),
        (Signal::USR1, "SIGUSR1"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::USR2, "SIGUSR2"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::ALARM, "SIGALRM"),
        (Signal::TERM, "SIGTERM"),
        (Signal::XCPU, "SIGXCPU"),
        (Signal::XFSZ, "SIGXFSZ"),
        (Signal::SYS, "SIGSYS"),
    ];
    names.iter().find(|(signal, _)| signal.as_raw() == number).map(|(_, name)| *name)
}

impl Running {
    /// Starts a container, with its environment and no other. Its standard input is a pipe that ends with this process.
    /// Only in a tokio runtime that has its drivers.
    pub fn start(container: &Container, drain: Duration) -> io::Result<Self> {
        // Before there is anything whose end it could miss.
        let ends = signal(SignalKind::child())?;
        let mut command = Command::new(&container.program);
        command
            .args(&container.args)
            .env_clear()
            .env(DRAIN_VARIABLE, drain.as_millis().to_string())
            .envs(&container.env)
            .current_dir(&container.cwd)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn().map_err(|error| explained(container, &error))?;
        let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        // A process that was not waited for has a number.
        let pid = pid.ok_or_else(|| io::Error::other("it has no process number"))?;
        let owner = child.stdin.take();
        Ok(Self { child, pid, since: Instant::now(), ends, is_over: false, _owner: owner })
    }

    /// Number of the process, and of its group.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_pid().cast_unsigned()
    }

    /// What it prints; once.
    pub fn outputs(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Waits for the end of the process, then ends whatever it left in its group. Given up, it can be called again.
    pub async fn ended(&mut self) -> Exit {
        // Its number, and that of its group, are its own until it has been waited for: look first, clean up, then wait.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        while let Ok(None) = rustix::process::waitid(WaitId::Pid(self.pid), options) {
            self.ends.recv().await;
        }
        self.kill();
        self.is_over = true;
        match self.child.wait().await {
            Ok(status) => Exit::Ended(status, self.since.elapsed()),
            Err(error) => Exit::NotStarted(error),
        }
    }

    /// Asks the process to drain and end (SIGTERM). What else is in its group is its own business.
    pub fn terminate(&self) {
        // It may have ended meanwhile.
        let _ = rustix::process::kill_process(self.pid, Signal::TERM);
    }

    /// Ends the process and the whole group that it was started in (SIGKILL).
    pub fn kill(&self) {
        // It may have moved to another group.
        let _ = rustix::process::kill_process(self.pid, Signal::KILL);
        let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
    }
}

impl Drop for Running {
    /// Nobody keeps it any more, and it would not end by itself unless it looks at its standard input.
    fn drop(&mut self) {
        if !self.is_over {
            self.kill();
        }
    }
}

/// The operating system does not say whether the program or its folder is missing.
fn explained(container: &Container, error: &io::Error) -> io::Error {
    let said = if container.cwd.is_dir() {
        format!("{}: {error}", container.program.display())
    } else {
        format!("its working folder {} is not there", container.cwd.display())
    };
    io::Error::new(error.kind(), said)
}
