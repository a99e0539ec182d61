//! Names are found by interest: the first use of a name asks the members, who has it answers, the asker keeps the
//! answer until it is told that the worker is gone. The frames here have no body, so a link never refuses one for its length.

use super::{Shared, lock};
use crate::code;
use crate::discovery::Role;
use crate::link::Link;
use crate::port::{Failure, Handle, Post, Resolution};
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use troupe_proto::codec::Frame;
use troupe_proto::noise::NodeId;

/// A name that nobody had is not asked for again for so long, unless its start is announced.
const MISS: Duration = Duration::from_millis(100);
/// A member that has not answered after so long counts as silent, where others may have the name as well.
const SILENT: Duration = Duration::from_secs(1);
/// With one holder found, the answers of the others are waited for no longer than this.
const OTHERS: Duration = Duration::from_millis(50);
/// Names remembered as missed or asked for in vain; beyond it they are simply asked for again.
const REMEMBERED: usize = 4096;

/// Where a peer's worker of some name is; `None`: it has none.
type Found = Option<Handle>;

/// What is under way.
#[derive(Default)]
pub(super) struct Searches {
    /// Targets that wait for an address.
    waiting: HashMap<Box<str>, Vec<Handle>>,
    /// Addresses that nobody had, of those who were there.
    missed: HashMap<Box<str>, Instant>,
    /// Members that came. One that was not asked may have what nobody had.
    joins: u64,
    /// Who waits for a link, by the node dialled.
    dials: HashMap<NodeId, Vec<oneshot::Sender<Option<Arc<Link>>>>>,
    /// Who waits for an answer, by link and name.
    answers: HashMap<(u32, Box<str>), Vec<oneshot::Sender<Found>>>,
    /// Peers that asked for a name which nobody had here, each once, and when it last did.
    wanted: HashMap<Box<str>, Vec<(Arc<Link>, Instant)>>,
}

enum Answer {
    Here(Arc<Link>, Handle),
    NotHere,
    Silent,
}

impl Shared {
    /// Starts to look for an address; the answer comes to the inbox. The code of the failure when it is known at once to
    /// be nowhere.
    pub(crate) fn search(self: &Arc<Self>, address: &str, target: Handle) -> Result<(), u8> {
        let Some(zone) = self.zone() else {
            let is_elsewhere = address.split_once('/').is_some_and(|(node, _)| node != self.name);
            return Err(if is_elsewhere { code::NODE_UNREACHABLE } else { code::NO_SUCH_WORKER });
        };
        let joins = {
            let mut searches = lock(&self.searches);
            if let Some(at) = searches.missed.get(address) {
                if at.elapsed() < MISS {
                    return Err(code::NO_SUCH_WORKER);
                }
                searches.missed.remove(address);
            }
            let waiting = searches.waiting.entry(address.into()).or_default();
            waiting.push(target);
            if waiting.len() > 1 {
                return Ok(());
            }
            searches.joins
        };
        let (shared, address) = (self.clone(), Box::<str>::from(address));
        zone.io.spawn(async move {
            let result = shared.find(&address).await;
            let targets = {
                let mut searches = lock(&shared.searches);
                if matches!(&result, Resolution::Failed(failure) if failure.code == code::NO_SUCH_WORKER)
                    && searches.missed.len() < REMEMBERED
                    && searches.joins == joins
                {
                    searches.missed.insert(address.clone(), Instant::now());
                }
                searches.waiting.remove(&address).unwrap_or_default()
            };
            for target in targets {
                // A closed port has failed what waited.
                let _ = shared.inbox.post(Post::Resolved { target, result: result.clone() });
            }
            lock(&shared.searches).missed.retain(|_, at| at.elapsed() < MISS);
        });
        Ok(())
    }

    pub(super) async fn find(self: &Arc<Self>, address: &str) -> Resolution {
        let (node, name) = match address.split_once('/') {
            Some((node, name)) => (Some(node), name),
            None => (None, address),
        };
        if node.is_some_and(|node| node == self.name) {
            let nobody = Resolution::Failed(Failure::new(code::NO_SUCH_WORKER));
            return self.look_up(name).map_or(nobody, Resolution::Local);
        }
        let unreachable = Resolution::Failed(Failure::new(code::NODE_UNREACHABLE));
        let Some(zone) = self.zone() else { return unreachable };
        let mut members = match zone.members() {
            Ok(members) => members,
            Err(error) => {
                log::warn!(target: "zone", "{name} can't be looked for: {error}");
                return unreachable;
            }
        };
        // The others run no workers.
        members.retain(|member| member.role == Role::Node);
        if let Some(node) = node {
            members.retain(|member| member.name == node);
            if members.is_empty() {
                return unreachable;
            }
        }
        // Of a node that was named, a stall is waited out: the deadline of who asks ends the wait, or the end of the node.
        let is_named = node.is_some();
        let (sender, mut answers) = mpsc::channel(members.len().max(1));
        for member in &members {
            let (shared, sender, id, name) =
                (self.clone(), sender.clone(), member.id, Box::<str>::from(name));
            tokio::spawn(async move {
                let answer = if is_named {
                    shared.ask_where(id, name).await
                } else {
                    let asked = shared.ask_where(id, name);
                    tokio::time::timeout(SILENT, asked).await.unwrap_or(Answer::Silent)
                };
                // The search may have ended without this answer.
                let _ = sender.send(answer).await;
            });
        }
        drop(sender);
        let (mut holders, mut is_silent) = (Vec::new(), false);
        loop {
            let answer = if holders.is_empty() {
                answers.recv().await
            } else {
                tokio::time::timeout(OTHERS, answers.recv()).await.unwrap_or(None)
            };
            match answer {
                Some(Answer::Here(link, handle)) => holders.push((link, handle)),
                Some(Answer::NotHere) => {}
                Some(Answer::Silent) => is_silent = true,
                None => break,
            }
        }
        // A worker of this node that started meanwhile comes first.
        if node.is_none()
            && let Some(handle) = self.look_up(name)
        {
            return Resolution::Local(handle);
        }
        // Rendezvous hashing (Thaler and Ravishankar, 1998): each asker keeps to one holder, askers spread over all.
        let weight = |link: &Arc<Link>| {
            let mut hasher = DefaultHasher::new();
            (&self.name, link.peer().id, name).hash(&mut hasher);
            hasher.finish()
        };
        match holders.into_iter().max_by_key(|(link, _)| weight(link)) {
            Some((link, handle)) => Resolution::Remote(link, handle),
            None if is_silent => unreachable,
            None => Resolution::Failed(Failure::new(code::NO_SUCH_WORKER)),
        }
    }

    async fn ask_where(self: &Arc<Self>, id: NodeId, name: Box<str>) -> Answer {
        let Some(link) = self.connect(id).await else {
            // A member that is gone by now has no workers.
            return if self.is_live(&id) { Answer::Silent } else { Answer::NotHere };
        };
        let (sender, answer) = oneshot::channel();
        let key = (link.index(), name);
        let is_first = {
            let mut searches = lock(&self.searches);
            let waiting = searches.answers.entry(key.clone()).or_default();
            waiting.push(sender);
            waiting.len() == 1
        };
        if is_first {
            if let Some(mut batch) = link.batch() {
                let _ = batch.push(&Frame::Where { name: &key.1 });
            } else {
                lock(&self.searches).answers.remove(&key);
            }
            link.flush();
        }
        match answer.await {
            Ok(Some(handle)) => Answer::Here(link, handle),
            // The link closed: cut, or dead.
            Err(_) if self.is_live(&id) => Answer::Silent,
            Ok(None) | Err(_) => Answer::NotHere,
        }
    }

    /// Whether a member lives, reachable or not.
    fn is_live(&self, id: &NodeId) -> bool {
        let Some(zone) = self.zone() else { return false };
        // What can't be looked up is not known to be dead.
        zone.members().map_or(true, |members| members.iter().any(|member| member.id == *id))
    }

    /// An open link to a member, dialled when there is none. `None`: it can't be reached.
    pub(super) async fn connect(self: &Arc<Self>, id: NodeId) -> Option<Arc<Link>> {
        let zone = self.zone()?;
        let opened = {
            // Under the lock, so that a link which opens meanwhile is seen or reported.
            let mut searches = lock(&self.searches);
            if let Some(link) = zone.link(&id) {
                return Some(link);
            }
            let (sender, opened) = oneshot::channel();
            searches.dials.entry(id).or_default().push(sender);
            opened
        };
        zone.dial(id);
        opened.await.ok().flatten()
    }

    /// Nothing is looked for any more: the zone was left.
    pub(super) fn end_searches(&self) {
        let mut searches = lock(&self.searches);
        searches.dials.clear();
        searches.answers.clear();
    }

    /// A dial ended.
    pub(super) fn dialled(&self, id: &NodeId, link: Option<&Arc<Link>>) {
        let waiting = lock(&self.searches).dials.remove(id).unwrap_or_default();
        for sender in waiting {
            // Who asked may have stopped waiting.
            let _ = sender.send(link.cloned());
        }
    }

    /// A peer asks where a name is.
    pub(super) fn answer_where(&self, link: &Arc<Link>, name: &str) {
        let at = self.look_up(name);
        if let Some(handle) = at {
            let mut told = lock(&self.told);
            let links = told.entry(handle).or_default();
            if !links.iter().any(|known| known.index() == link.index()) {
                links.push(link.clone());
            }
        } else {
            let mut searches = lock(&self.searches);
            searches.wanted.retain(|_, peers| {
                peers.retain(|(_, at)| at.elapsed() < MISS);
                !peers.is_empty()
            });
            let has_room = searches.wanted.len() < REMEMBERED || searches.wanted.contains_key(name);
            if has_room {
                let peers = searches.wanted.entry(name.into()).or_default();
                match peers.iter_mut().find(|(known, _)| known.index() == link.index()) {
                    Some((_, at)) => *at = Instant::now(),
                    None => peers.push((link.clone(), Instant::now())),
                }
            }
        }
        Self::tell_here(link, name, at);
    }

    fn tell_here(link: &Arc<Link>, name: &str, at: Option<Handle>) {
        let at = at.map(|at| troupe_proto::codec::Handle { slot: at.slot, generation: at.generation });
        if let Some(mut batch) = link.batch() {
            let _ = batch.push(&Frame::Here { name, at });
        }
        link.flush();
    }

    /// A worker starts: peers that asked for its name a moment ago hear of it.
    pub(super) fn announce(&self, name: &str, handle: Handle) {
        let wanted = {
            let mut searches = lock(&self.searches);
            searches.missed.remove(name);
            if searches.wanted.is_empty() { None } else { searches.wanted.remove(name) }
        };
        for (link, _) in wanted.into_iter().flatten() {
            lock(&self.told).entry(handle).or_default().push(link.clone());
            Self::tell_here(&link, name, Some(handle));
        }
    }

    /// A member came: it may have what nobody had.
    pub(super) fn joined(&self) {
        let mut searches = lock(&self.searches);
        searches.joins += 1;
        searches.missed.clear();
    }

    /// A peer says where a name is, or that it is not there.
    pub(super) fn heard_here(&self, link: &Arc<Link>, name: &str, at: Option<Handle>) {
        let waiting = {
            let mut searches = lock(&self.searches);
            if at.is_some() && !searches.missed.is_empty() {
                // By either of its addresses.
                searches.missed.remove(name);
                searches.missed.remove(&*format!("{}/{name}", link.peer().name));
            }
            searches.answers.remove(&(link.index(), name.into())).unwrap_or_default()
        };
        for sender in waiting {
            // Who asked may have stopped waiting.
            let _ = sender.send(at);
        }
    }

    /// A worker is gone: peers that were told where it is hear of it.
    pub(super) fn tell_gone(&self, handle: Handle) {
        let links = lock(&self.told).remove(&handle).unwrap_or_default();
        for link in links {
            if let Some(mut batch) = link.batch() {
                let handle = troupe_proto::codec::Handle { slot: handle.slot, generation: handle.generation };
                let _ = batch.push(&Frame::Gone { handle });
            }
            link.flush();
        }
    }

    /// A link is gone: nobody answers on it any more.
    pub(super) fn forget_link(&self, link: u32) {
        lock(&self.searches).answers.retain(|(index, _), _| *index != link);
        lock(&self.told).retain(|_, links| {
            links.retain(|known| known.index() != link);
            !links.is_empty()
        });
        lock(&self.searches).wanted.retain(|_, peers| {
            peers.retain(|(known, _)| known.index() != link);
            !peers.is_empty()
        });
    }
}
