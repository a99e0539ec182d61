//! A node of a simulated zone: a port that the test drives, on the test's own runtime.

use super::{Due, Play};
use crate::program::{Options, Who};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Notify;
use troupe_node::OnFailure;
use troupe_node::discovery::Role;
use troupe_node::port::{Handle, Overflow, WorkerOptions};
use troupe_node::zone::{Admission, Zone, ZoneOptions};
use troupe_proto::noise::{Identity, NodeId};
use troupe_testkit::Driver;

/// A worker as its isolate sees it.
pub(super) struct Seat {
    pub(super) handle: Handle,
    /// Its number in the reference.
    pub(super) worker: usize,
    /// Begun, and lent in order behind it.
    pub(super) hand: Option<usize>,
    pub(super) lent: VecDeque<usize>,
    pub(super) is_paused: bool,
    pub(super) holds_on_failure: bool,
    /// `initialize`, or a restart, goes on.
    pub(super) is_starting: bool,
}

pub(super) struct Node {
    pub(super) driver: Driver,
    pub(super) life: usize,
    pub(super) main: Handle,
    pub(super) seats: Vec<Seat>,
    /// Messages by the number of their record, by their request, and by the wait of a send.
    pub(super) numbers: HashMap<u32, usize>,
    pub(super) requests: HashMap<Handle, usize>,
    /// Messages of others by their request here.
    pub(super) inbound: HashMap<Handle, usize>,
    /// How far it has come with leaving: [`STAYS`], …
    leaving: Arc<AtomicU32>,
}

/// A mailbox of so many is never full: no program sends as much.
const ROOMY: u32 = 1000;

const STAYS: u32 = 0;
const STOPS: u32 = 1;
const DRAINS: u32 = 2;
const DRAINED: u32 = 3;
const CLOSES: u32 = 4;
const CLOSED: u32 = 5;

/// The identity of a life: the same in each run of a program, so that it goes the same way.
fn identity_of(life: usize) -> Identity {
    let mut secret = [3; 32];
    secret[0] = life as u8;
    Identity::from_secret(&secret)
}

pub(super) fn id_of(life: usize) -> NodeId {
    identity_of(life).id()
}

impl Node {
    pub(super) fn next(&self) -> Option<u64> {
        self.driver.flushed.next.map(|next| next - super::steps::EPOCH)
    }

    /// The worker that a step means: `None`, none is there.
    pub(super) fn seat(&mut self, who: Who) -> Option<&mut Seat> {
        let count = self.seats.len();
        (count > 0).then(|| &mut self.seats[who.worker % count])
    }

    pub(super) fn seat_at(&mut self, slot: u32) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.handle.slot == slot)
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed) != STAYS
    }

    fn goes_on(&self, to: u32, woken: &Arc<Notify>) -> impl FnOnce() + Send + 'static {
        let (leaving, woken) = (self.leaving.clone(), woken.clone());
        move || {
            leaving.store(to, Ordering::Relaxed);
            woken.notify_one();
        }
    }
}

impl Play {
    /// Whether a handler runs anywhere, or is about to.
    pub(super) fn is_at_work(&self) -> bool {
        let seats = self.nodes.iter().flatten().flat_map(|node| &node.seats);
        seats.into_iter().any(|seat| seat.hand.is_some() || !seat.lent.is_empty() || seat.is_starting)
    }

    pub(super) fn join(&mut self, node: usize) {
        if self.nodes[node].is_some() {
            return;
        }
        let life = self.reference.lives.len();
        let name = format!("n{node}");
        let mut driver = Driver::of(&name);
        driver.by_text = true;
        driver.now = self.reference.now + super::steps::EPOCH;
        let woken = self.woken.clone();
        driver.port.inbox().set_waker(Box::new(move || woken.notify_one()));
        let admission = Admission {
            authority: troupe_proto::noise::Authority::from_secret(&self.authority.secret()),
            access_key: self.access_key.clone(),
            identity: identity_of(life),
            incarnation: life as u64 + 1,
            discovery: Arc::new(self.roll.clone()),
        };
        let options = ZoneOptions {
            home: std::path::PathBuf::new(),
            zone: "simulated".into(),
            node_name: name,
            listen: ([127, 0, 0, 1], 0).into(),
            accept_code: false,
            role: Role::Node,
        };
        let io = tokio::runtime::Handle::current();
        let wires = self.wires.of(life);
        let joined = driver.shared.join(&io, |events| Zone::join_as(wires, admission, options, events, &io));
        if joined.is_err() {
            // The record of one that was killed is still there.
            return;
        }
        self.reference.join(node);
        let mailbox = WorkerOptions { has_behaviour: false, ..WorkerOptions::default() };
        let main = driver.start("main", &mailbox);
        self.nodes[node] = Some(Node {
            driver,
            life,
            main,
            seats: Vec::new(),
            numbers: HashMap::new(),
            requests: HashMap::new(),
            inbound: HashMap::new(),
            leaving: Arc::default(),
        });
    }

    pub(super) fn kill(&mut self, place: usize, lag: u32) {
        let Some(node) = self.nodes[place].take() else { return };
        self.wires.kill(node.life);
        self.reference.end_life(node.life, true, u64::from(lag));
        if lag > 0 {
            self.roll.keep(&id_of(node.life));
            self.due.push((self.reference.now + u64::from(lag), Due::Strike(node.life)));
        }
        node.driver.shared.forget_zone();
    }

    pub(super) fn leave(&mut self, place: usize, timeout: u32) -> Result<(), String> {
        let Some(node) = &mut self.nodes[place] else { return Ok(()) };
        if node.is_leaving() {
            return Ok(());
        }
        node.leaving.store(STOPS, Ordering::Relaxed);
        self.reference.leave(node.life);
        for seat in &node.seats {
            node.driver.stop(seat.handle, timeout);
        }
        self.settle()
    }

    /// Goes on with the nodes that leave, as far as they can.
    pub(super) fn go_on_leaving(&mut self) -> bool {
        let mut has_gone_on = false;
        for place in 0..self.nodes.len() {
            let Some(node) = &mut self.nodes[place] else { continue };
            let shared = node.driver.shared.clone();
            match node.leaving.load(Ordering::Relaxed) {
                STOPS if node.seats.is_empty() => {
                    node.leaving.store(DRAINS, Ordering::Relaxed);
                    let links = node.driver.port.links_of(node.driver.node);
                    shared.drained(links, node.goes_on(DRAINED, &self.woken));
                }
                DRAINED => {
                    node.leaving.store(CLOSES, Ordering::Relaxed);
                    node.driver.port.remove_node(node.driver.node);
                    let done = node.goes_on(CLOSED, &self.woken);
                    tokio::spawn(async move {
                        shared.leave().await;
                        done();
                    });
                    has_gone_on = true;
                }
                CLOSED => {
                    node.driver.port.shut();
                    self.reference.end_life(node.life, false, 0);
                    self.nodes[place] = None;
                }
                _ => {}
            }
        }
        has_gone_on
    }

    pub(super) fn start(&mut self, place: usize, name: usize, options: Options) -> Result<(), String> {
        let Some(node) = self.nodes[place].as_mut().filter(|node| !node.is_leaving()) else {
            return Ok(());
        };
        let overflow = if options.rejects { Overflow::Reject } else { Overflow::Wait };
        let worker = WorkerOptions {
            mailbox: options.capacity,
            overflow,
            on_failure: options.on_failure,
            max_restarts: options.max_restarts,
            within: 1000,
            ..WorkerOptions::default()
        };
        let Ok(handle) = node.driver.begin_start(&format!("w{name}"), &worker) else {
            let is_taken = node.seats.iter().any(|seat| self.reference.workers[seat.worker].name == name);
            return if is_taken { Ok(()) } else { Err(format!("w{name} can't be started, and is free")) };
        };
        let worker = self.reference.start(node.life, name, options.rejects, options.capacity < ROOMY);
        node.seats.push(Seat {
            handle,
            worker,
            hand: None,
            lent: VecDeque::new(),
            is_paused: false,
            holds_on_failure: options.on_failure != OnFailure::Resume,
            is_starting: options.is_slow,
        });
        if !options.is_slow {
            node.driver.ready(handle, true);
        }
        Ok(())
    }
}
