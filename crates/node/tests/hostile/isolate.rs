//! A node that is attacked: its isolate takes a turn when a test says so.

use std::sync::Arc;

use tokio::sync::{Notify, oneshot};
use troupe_node::{
    discovery::{Directory, Discovery, Role},
    node::{NodeOptions, Opened},
    port::{
        BatchText, BodyRef, Handle as Worker, Port, Sink, WorkerOptions,
        record::{KIND, STRIDE, incoming, outgoing},
    },
    transport::{Tcp, Transport},
    zone::ZoneOptions,
};
use troupe_proto::{
    noise::{Capabilities, Membership},
    session::Terms,
};

use super::raw::{Home, RawPeer, bytes_of, now, resume};

#[derive(Default)]
pub(crate) struct Taken(pub(crate) Vec<[u32; STRIDE]>);

impl Taken {
    pub(crate) fn kinds(&self) -> Vec<u32> {
        self.0.iter().map(|record| record[0] & KIND).collect()
    }
}

impl Sink for Taken {
    fn push(&mut self, record: [u32; STRIDE], _: BodyRef<'_>) {
        self.0.push(record);
    }

    fn has_room(&self, _: &BodyRef<'_>) -> bool {
        true
    }
}

/// A node with its isolate, whose only worker is still starting.
pub(crate) struct Node {
    pub(crate) port: Port,
    pub(crate) number: u16,
    pub(crate) worker: Worker,
    mail: Arc<Notify>,
    home: Home,
    _opened: Opened,
}

impl Node {
    pub(crate) async fn new() -> Self {
        let home = Home::new();
        let mut port = Port::new(0);
        let (told, is_open) = oneshot::channel();
        let zone = ZoneOptions {
            home: home.0.clone(),
            zone: "test".into(),
            node_name: "node".into(),
            listen: ([127, 0, 0, 1], 0).into(),
            accept_code: true,
            role: Role::Node,
        };
        let options = NodeOptions { name: "node".into(), zone: Some(zone), prepare: None };
        let opened = Opened::open(options, &mut port, |result| drop(told.send(result)));
        is_open.await.unwrap().unwrap();
        let mail = Arc::new(Notify::new());
        let notify = Arc::clone(&mail);
        port.inbox().set_waker(Box::new(move || notify.notify_one()));
        let number = opened.shared().number();
        let worker = port.start(number, "worker", &WorkerOptions::default()).unwrap();
        Self { port, number, worker, mail, home, _opened: opened }
    }

    /// A member with these capabilities and an open channel.
    pub(crate) async fn member(&self, capabilities: Capabilities) -> RawPeer {
        self.member_as(&self.home.member(capabilities)).await
    }

    pub(crate) async fn member_named(&self, name: &str, capabilities: Capabilities) -> RawPeer {
        self.member_as(&self.home.member_named(name, capabilities)).await
    }

    async fn member_as(&self, membership: &Membership) -> RawPeer {
        let directory = Directory::open(&self.home.0, "test").unwrap();
        let address = directory.members().unwrap()[0].address;
        let mut peer = RawPeer::dial(Tcp.dial(address).await.unwrap(), membership, now()).await;
        peer.say(&bytes_of(&[Terms::default().hello(), resume(1, 1)])).await;
        peer
    }

    /// What `peer` hears, while the isolate takes in what comes; and the kinds of records that the isolate got.
    pub(crate) async fn while_serving<T>(&mut self, hears: impl Future<Output = T>) -> (T, Vec<u32>) {
        let mut taken = Taken::default();
        let mut hears = std::pin::pin!(hears);
        loop {
            tokio::select! {
                heard = &mut hears => return (heard, taken.kinds()),
                () = self.mail.notified() => {
                    self.port.flush(&[], BatchText::Ascii(&[]), &mut taken, 0, true);
                }
            }
        }
    }

    /// Takes in what has come until the isolate has a record of this kind; answers it.
    pub(crate) async fn until(&mut self, kind: u32) -> [u32; STRIDE] {
        let mut taken = Taken::default();
        loop {
            self.port.flush(&[], BatchText::Ascii(&[]), &mut taken, 0, true);
            if let Some(record) = taken.0.iter().find(|record| record[0] & KIND == kind) {
                return *record;
            }
            self.mail.notified().await;
        }
    }

    /// Lets the worker handle messages, and takes in what comes until it has got so many; the kinds of all records.
    pub(crate) async fn handles(&mut self, messages: usize) -> Vec<u32> {
        let ready = [outgoing::READY, self.worker.slot, self.worker.generation, 0, 0, 0, 0, 0];
        let mut taken = Taken::default();
        self.port.flush(&ready, BatchText::Ascii(&[]), &mut taken, 0, true);
        loop {
            let kinds = taken.kinds();
            if kinds.iter().filter(|kind| **kind == incoming::MESSAGE).count() >= messages {
                return kinds;
            }
            self.mail.notified().await;
            self.port.flush(&[], BatchText::Ascii(&[]), &mut taken, 0, true);
        }
    }
}
