//! Nodes of a zone of the test's own.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::runtime::Handle;
use troupe_node::{
    discovery::Role,
    link::Link,
    transport::Transport,
    zone::{Zone, ZoneOptions},
};
use troupe_testkit::{Event, Recorder, text_message};

/// A folder of the test's own, removed in the end.
pub(crate) struct Home(pub(crate) PathBuf);

impl Home {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("troupe-zone-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        Self(path)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A node, and what it heard.
pub(crate) struct TestNode {
    pub(crate) zone: Zone,
    pub(crate) events: Arc<Recorder>,
}

pub(crate) fn options(home: &Path, name: &str) -> ZoneOptions {
    ZoneOptions {
        home: home.to_owned(),
        zone: "test".into(),
        node_name: name.into(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        accept_code: true,
        role: Role::Node,
    }
}

pub(crate) fn join(home: &Home, transport: impl Transport + 'static, name: &str) -> TestNode {
    join_with(home, transport, name, Recorder::new())
}

/// As [`join`], with another recorder.
pub(crate) fn join_with(
    home: &Home,
    transport: impl Transport + 'static,
    name: &str,
    events: Arc<Recorder>,
) -> TestNode {
    let options = options(&home.0, name);
    let zone =
        Zone::join_over(Arc::new(transport), options, Arc::clone(&events) as _, &Handle::current()).unwrap();
    TestNode { zone, events }
}

#[expect(clippy::allow_attributes, reason = "not every file of tests uses all of it")]
#[allow(dead_code)]
impl TestNode {
    pub(crate) fn names(&self) -> Vec<String> {
        self.zone.members().unwrap().into_iter().map(|member| member.name).collect()
    }

    pub(crate) async fn linked(&self, other: &TestNode) {
        self.events.until("a link", |_| self.zone.link(&other.zone.id()).is_some()).await;
    }

    pub(crate) fn link_to(&self, other: &TestNode) -> Arc<Link> {
        self.zone.link(&other.zone.id()).expect("a link")
    }

    pub(crate) fn say(&self, other: &TestNode, text: &str) {
        let link = self.link_to(other);
        link.batch().expect("an open link").push(&text_message(1, 2, text)).unwrap();
        link.flush();
    }

    pub(crate) fn opened(&self) -> usize {
        self.events.events().iter().filter(|event| matches!(event, Event::Opened(_))).count()
    }
}
