//! The network of a simulated zone: one in memory whose nodes are known by number, so that what goes wrong can go wrong
//! between two of them, in one direction, or for one that dies.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use troupe_node::transport::{Dialling, Listener, MemoryNetwork, Socket, Transport};

/// All that connects the nodes of a zone. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Wires {
    network: MemoryNetwork,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    listeners: BTreeMap<SocketAddr, usize>,
    dead: BTreeSet<usize>,
    /// Pairs that reach each other no more, the smaller number first.
    parted: BTreeSet<(usize, usize)>,
    /// From one to another.
    ways: BTreeMap<(usize, usize), Way>,
    sockets: Vec<Weak<Wire>>,
}

#[derive(Debug, Default)]
struct Way {
    is_held: bool,
    waiting: Vec<Waker>,
    /// Bytes that still pass before the connection that carries them is cut.
    cut_after: Option<usize>,
}

impl Wires {
    /// The network as node `number` has it.
    #[must_use]
    pub fn of(&self, number: usize) -> Arc<dyn Transport> {
        Arc::new(End { wires: self.clone(), number })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connections that `which` picks by its ends: what is on its way to the side that was dialled still arrives.
    fn end(&self, which: impl Fn(usize, usize) -> bool) {
        let sockets: Vec<_> = self.state().sockets.iter().filter_map(Weak::upgrade).collect();
        for socket in sockets.into_iter().filter(|socket| which(socket.near, socket.far)) {
            socket.cut();
        }
        self.state().sockets.retain(|socket| socket.strong_count() > 0);
    }

    /// A node dies: its connections end, it is not reached any more and reaches nobody.
    pub fn kill(&self, number: usize) {
        self.state().dead.insert(number);
        self.end(|near, far| near == number || far == number);
    }

    /// Ends the connections between two nodes without a word. They may connect again at once.
    pub fn cut(&self, one: usize, other: usize) {
        self.end(|near, far| (near, far) == (one, other) || (far, near) == (one, other));
    }

    /// Cuts the connection that carries so many more bytes from one node to another, once.
    pub fn cut_after(&self, from: usize, to: usize, bytes: usize) {
        self.state().ways.entry((from, to)).or_default().cut_after = Some(bytes);
    }

    /// Takes back what [`Wires::cut_after`] has not done yet.
    pub fn spare(&self) {
        for way in self.state().ways.values_mut() {
            way.cut_after = None;
        }
    }

    /// Ends the connections between two nodes and lets none come about, or lets them again.
    pub fn part(&self, one: usize, other: usize, parted: bool) {
        let pair = (one.min(other), one.max(other));
        if parted {
            self.state().parted.insert(pair);
            self.cut(one, other);
        } else {
            self.state().parted.remove(&pair);
        }
    }

    /// What one node says to another is held up, or goes on.
    pub fn hold(&self, from: usize, to: usize, held: bool) {
        let waiting = {
            let mut state = self.state();
            let way = state.ways.entry((from, to)).or_default();
            way.is_held = held;
            std::mem::take(&mut way.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// The network of one node.
#[derive(Debug)]
struct End {
    wires: Wires,
    number: usize,
}

impl Transport for End {
    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>> {
        let listener = self.wires.network.listen(address)?;
        self.wires.state().listeners.insert(listener.address(), self.number);
        Ok(listener)
    }

    fn dial(&self, address: SocketAddr) -> Dialling<'_> {
        Box::pin(async move {
            let far = {
                let state = self.wires.state();
                let far = state.listeners.get(&address).copied();
                let reached = |far: &usize| {
                    let pair = (self.number.min(*far), self.number.max(*far));
                    !state.dead.contains(far)
                        && !state.dead.contains(&self.number)
                        && !state.parted.contains(&pair)
                };
                far.filter(reached).ok_or(io::ErrorKind::ConnectionRefused)?
            };
            let inner = self.wires.network.dial(address).await?;
            let is_cut = AtomicBool::new(false);
            let wire = Arc::new(Wire { wires: self.wires.clone(), near: self.number, far, inner, is_cut });
            self.wires.state().sockets.push(Arc::downgrade(&wire));
            Ok(wire as Arc<dyn Socket>)
        })
    }
}

/// A connection, at the end of the node that dialled.
#[derive(Debug)]
struct Wire {
    wires: Wires,
    near: usize,
    far: usize,
    inner: Arc<dyn Socket>,
    /// Nothing is held up any more.
    is_cut: AtomicBool,
}

impl Wire {
    fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
        self.inner.shut_down();
        // Whoever waits to go on finds the end.
        for way in [(self.near, self.far), (self.far, self.near)] {
            let waiting = self.wires.state().ways.get_mut(&way).map(|way| std::mem::take(&mut way.waiting));
            waiting.into_iter().flatten().for_each(Waker::wake);
        }
    }

    /// How many of `bytes` may pass in a direction; `None`: it is held up. Zero: the connection is cut now.
    fn pass(&self, way: (usize, usize), bytes: usize) -> Option<usize> {
        let mut state = self.wires.state();
        let Some(way) = state.ways.get_mut(&way) else { return Some(bytes) };
        if way.is_held && !self.is_cut.load(Ordering::Relaxed) {
            return None;
        }
        match way.cut_after {
            Some(0) => {
                way.cut_after = None;
                drop(state);
                self.cut();
                Some(0)
            }
            left => Some(left.map_or(bytes, |left| left.min(bytes))),
        }
    }

    fn passed(&self, way: (usize, usize), bytes: usize) {
        if let Some(left) = self.wires.state().ways.get_mut(&way).and_then(|way| way.cut_after.as_mut()) {
            *left -= bytes;
        }
    }

    /// Remembers a task that waits in a direction that is held up.
    fn waits(&self, way: (usize, usize), context: &Context<'_>) -> bool {
        let mut state = self.wires.state();
        let held = state.ways.get_mut(&way).filter(|way| way.is_held && !self.is_cut.load(Ordering::Relaxed));
        held.map(|way| way.waiting.push(context.waker().clone())).is_some()
    }
}

impl Socket for Wire {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let back = (self.far, self.near);
        let most = self.pass(back, buffer.len()).ok_or(io::ErrorKind::WouldBlock)?;
        let read = self.inner.try_read(&mut buffer[..most])?;
        self.passed(back, read);
        Ok(read)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let there = (self.near, self.far);
        let most = self.pass(there, bytes.len()).ok_or(io::ErrorKind::WouldBlock)?;
        if most == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let written = self.inner.try_write(&bytes[..most])?;
        self.passed(there, written);
        Ok(written)
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.waits((self.far, self.near), context) {
            return Poll::Pending;
        }
        self.inner.poll_readable(context)
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.waits((self.near, self.far), context) {
            return Poll::Pending;
        }
        self.inner.poll_writable(context)
    }

    fn finish(&self) {
        self.inner.finish();
    }

    fn shut_down(&self) {
        self.inner.shut_down();
    }
}
