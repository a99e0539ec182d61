//! `troupe-supervisor --zone NAME`: see the library. It says on standard error why it could not begin, and nothing else.
//!
//! Status 0: it has ended as it was asked to, or the zone has a supervisor already. 1: it could not begin. 2: its
//! arguments make no sense.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::Write;
use std::process::ExitCode;
use troupe_node::discovery::default_home;
use troupe_node::observe::{self, Levels};
use troupe_supervisor::member::{self, BeginError};
use troupe_supervisor::records::record;

const USAGE: &str = "usage: troupe-supervisor --zone NAME\n\
     Keeps the containers of a zone alive; started by `troupe zone deploy`, which gives it its plan.\n\
     TROUPE_HOME: the folder of the zones' files. TROUPE_LOG: what it records itself, as info,channel=debug.";

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let zone = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--zone", zone] => zone,
        ["--version"] => return tell(&format!("troupe-supervisor {}", env!("CARGO_PKG_VERSION")), 0),
        ["--help"] => return tell(USAGE, 0),
        _ => return tell(USAGE, 2),
    };
    let home = match default_home().map(std::path::absolute) {
        Ok(Ok(home)) => home,
        Ok(Err(error)) => return tell(&format!("can't tell where the zones' files are: {error}"), 1),
        Err(error) => return tell(&error.to_string(), 1),
    };
    record();
    let levels = std::env::var("TROUPE_LOG").unwrap_or_default();
    match Levels::parse(&levels) {
        Ok(levels) => observe::set_levels(levels),
        // As in the programs that it starts: a level that makes no sense keeps nothing from being looked after.
        Err(error) => {
            log::warn!(target: "supervisor", "TROUPE_LOG={levels}: {error}; left out, as if it were not set");
        }
    }
    allow_many_files();
    // It lives long, and must not keep the folder that it was started in from being moved or unmounted.
    let _ = std::env::set_current_dir("/");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ran = match runtime {
        Ok(runtime) => runtime.block_on(member::run(&home, zone)),
        Err(error) => return tell(&format!("the system gives no runtime: {error}"), 1),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(there @ BeginError::IsThere { .. }) => tell(&there.to_string(), 0),
        Err(error) => tell(&error.to_string(), 1),
    }
}

/// A container takes four descriptors: three pipes and a channel. The limit that shells begin with is soon reached by that, and
/// is there for programs that can't count further.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    // Where the system does not grant it, a container that can't be started says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// A line on standard error, if anybody still reads it, and a status.
fn tell(line: &str, status: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{line}");
    ExitCode::from(status)
}
