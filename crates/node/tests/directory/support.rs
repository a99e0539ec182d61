//! A home of its own for each test, and processes that can be killed.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use tokio::{sync::watch::Receiver, time::timeout};
use troupe_node::discovery::{Announce, Announcement, Directory, Discovery, Member, Role};
use troupe_proto::noise::NodeId;
use troupe_testkit::warnings_with;

pub(crate) const ZONE: &str = "default";

/// A folder that goes with the test.
pub(crate) struct Home(PathBuf);

impl Home {
    pub(crate) fn new() -> Self {
        let name = format!("troupe-directory-{:016x}", getrandom::u64().unwrap());
        let path = fs::canonicalize(std::env::temp_dir()).unwrap().join(name);
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }

    /// The folder around `TROUPE_HOME`.
    pub(crate) fn above(&self) -> &Path {
        &self.0
    }

    /// What `TROUPE_HOME` would be; not made yet.
    pub(crate) fn path(&self) -> PathBuf {
        self.0.join("home")
    }

    pub(crate) fn zone(&self) -> PathBuf {
        self.path().join("zones").join(ZONE)
    }

    pub(crate) fn nodes(&self) -> PathBuf {
        self.zone().join("nodes")
    }

    pub(crate) fn record(&self, name: &str) -> PathBuf {
        self.nodes().join(format!("{name}.node"))
    }

    pub(crate) fn open(&self) -> Directory {
        Directory::open(&self.path(), ZONE).unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn announce_of(name: &str) -> Announce {
    let mut id = [0; 32];
    getrandom::fill(&mut id).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], 4242));
    Announce { id: NodeId(id), name: name.to_owned(), address, incarnation: 7, role: Role::Node }
}

pub(crate) fn announce(directory: &Directory, name: &str) -> Announcement {
    directory.announce(announce_of(name)).unwrap()
}

pub(crate) fn names(directory: &Directory) -> Vec<String> {
    directory.members().unwrap().into_iter().map(|member: Member| member.name).collect()
}

pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Waits until the zone has these members, looking again only when the watch says so.
pub(crate) async fn until(directory: &Directory, changes: &mut Receiver<u64>, expected: &[&str]) {
    let wait = async {
        while names(directory) != expected {
            changes.changed().await.unwrap();
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "no word of {expected:?}: {:?}", names(directory));
}

/// Waits until the watch tells of a change.
pub(crate) async fn told(changes: &mut Receiver<u64>) {
    assert!(matches!(timeout(PATIENCE, changes.changed()).await, Ok(Ok(()))), "not told");
}

/// Only so that a watch that says nothing fails its test instead of hanging it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// This test program again, in another process, playing a part.
pub(crate) struct Other {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// Says which part to play. See `plays_a_part` in `main.rs`.
pub(crate) const PART: &str = "TROUPE_TEST_PART";
pub(crate) const PART_HOME: &str = "TROUPE_TEST_HOME";
const MARK: &str = "@ ";

impl Other {
    pub(crate) fn plays(part: &str, home: &Home) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "plays_a_part", "--nocapture", "--test-threads=1"])
            .env(PART, part)
            .env(PART_HOME, home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, input, output }
    }

    /// A process that holds a record of this name.
    pub(crate) fn holding(name: &str, home: &Home) -> Self {
        let mut other = Self::plays(&format!("hold {name}"), home);
        assert_eq!(other.hears(), "held");
        other
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn tell(&mut self) {
        self.input.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// The next thing it says.
    pub(crate) fn hears(&mut self) -> String {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if let Some((_, said)) = line.split_once(MARK) {
                return said.trim_end().to_owned();
            }
            line.clear();
        }
        panic!("the other process ended without a word");
    }

    /// Kills it as the system does when memory is short, and waits for its end.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Lets it end by itself, and well.
    pub(crate) fn ends(mut self) {
        self.input = None;
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// From the other process to its test.
pub(crate) fn say(what: &str) {
    println!("{MARK}{what}");
}

/// In the other process: until the test tells it to go on, or to end.
pub(crate) fn wait_for_word() {
    let _ = std::io::stdin().read(&mut [0]).unwrap();
}

/// The warnings logged about files in this folder, oldest first.
pub(crate) fn warnings_about(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    warnings_with(&folder).into_iter().filter(|line| line.starts_with(&folder)).collect()
}
