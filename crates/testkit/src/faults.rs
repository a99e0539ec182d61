//! A transport that does what networks do: cuts, stalls, changes bytes; and remembers what it carried.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use troupe_node::transport::{Dialling, Listener, Socket, Transport};

/// What goes wrong on the connections of a [`FaultyNetwork`], switched at any time.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Switches>>);

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the side that was dialled.
    There,
    /// To the side that dialled.
    Back,
}

impl Switches {
    /// How many of `bytes` may pass, and whether the connection ends behind them.
    fn pass(&mut self, direction: Direction, bytes: usize) -> (usize, bool) {
        match &mut self.cut_after[direction as usize] {
            Some(left) if *left <= bytes => (*left, true),
            _ => (bytes, false),
        }
    }

    /// So many did; `last` if the connection is cut now.
    fn passed(&mut self, direction: Direction, bytes: usize, last: bool) {
        let left = &mut self.cut_after[direction as usize];
        if last {
            *left = None;
            self.cuts += 1;
        } else if let Some(left) = left {
            *left -= bytes;
        }
    }
}

#[derive(Debug, Default)]
struct Switches {
    stalled: bool,
    waiting: Vec<Waker>,
    flip: bool,
    /// Bytes that still pass before the connection is cut, to the side that was dialled and from it.
    cut_after: [Option<usize>; 2],
    cuts: usize,
    refuse: bool,
    connections: usize,
    sockets: Vec<Arc<dyn Socket>>,
    written: Vec<u8>,
}

impl Faults {
    fn switches(&self) -> MutexGuard<'_, Switches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every connection without a word, as the death of a process does.
    pub fn cut(&self) {
        let sockets = std::mem::take(&mut self.switches().sockets);
        for socket in sockets {
            socket.shut_down();
        }
    }

    /// Cuts the connection when so many more bytes were carried in this direction, once. They arrive, the next does not.
    pub fn cut_after(&self, direction: Direction, bytes: usize) {
        self.switches().cut_after[direction as usize] = Some(bytes);
    }

    /// How many connections [`Faults::cut_after`] has cut.
    #[must_use]
    pub fn cuts(&self) -> usize {
        self.switches().cuts
    }

    /// How many connections were made.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.switches().connections
    }

    /// Refuses new connections from now on, or lets them again.
    pub fn refuse(&self, refuse: bool) {
        self.switches().refuse = refuse;
    }

    /// Takes back what [`Faults::cut_after`] has not done yet.
    pub fn spare(&self) {
        self.switches().cut_after = [None; 2];
    }

    /// Nothing can be written from now on, or it can again. What was written arrives.
    pub fn stall(&self, stalled: bool) {
        let waiting = {
            let mut switches = self.switches();
            switches.stalled = stalled;
            std::mem::take(&mut switches.waiting)
        };
        for waker in waiting {
            waker.wake();
        }
    }

    /// Changes one bit of the next write.
    pub fn flip_a_bit(&self) {
        self.switches().flip = true;
    }

    /// All that was written on the connections that were dialled.
    #[must_use]
    pub fn carried(&self) -> Vec<u8> {
        self.switches().written.clone()
    }
}

/// Wraps another transport; faults hit the side that dials.
#[derive(Debug)]
pub struct FaultyNetwork<T> {
    inner: T,
    faults: Faults,
}

impl<T: Transport> FaultyNetwork<T> {
    /// A network without faults yet.
    pub fn new(inner: T) -> Self {
        Self { inner, faults: Faults::default() }
    }

    /// A network that shares the switches of another.
    pub fn with(inner: T, faults: Faults) -> Self {
        Self { inner, faults }
    }

    /// The switches.
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }
}

impl<T: Transport> Transport for FaultyNetwork<T> {
    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>> {
        self.inner.listen(address)
    }

    fn dial(&self, address: SocketAddr) -> Dialling<'_> {
        Box::pin(async move {
            if self.faults.switches().refuse {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let inner = self.inner.dial(address).await?;
            let mut switches = self.faults.switches();
            switches.connections += 1;
            switches.sockets.push(Arc::clone(&inner));
            drop(switches);
            Ok(Arc::new(FaultySocket { inner, faults: self.faults.clone() }) as Arc<dyn Socket>)
        })
    }
}

#[derive(Debug)]
struct FaultySocket {
    inner: Arc<dyn Socket>,
    faults: Faults,
}

impl Socket for FaultySocket {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut switches = self.faults.switches();
        let (most, is_last) = switches.pass(Direction::Back, buffer.len());
        if is_last && most == 0 {
            switches.passed(Direction::Back, 0, true);
            self.inner.shut_down();
            return Ok(0);
        }
        let read = self.inner.try_read(&mut buffer[..most])?;
        switches.passed(Direction::Back, read, false);
        Ok(read)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut switches = self.faults.switches();
        if switches.stalled {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let (most, is_last) = switches.pass(Direction::There, bytes.len());
        if is_last && most == 0 {
            switches.passed(Direction::There, 0, true);
            self.inner.shut_down();
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let bytes = &bytes[..most];
        let written = match bytes.split_last() {
            Some((last, rest)) if switches.flip => {
                switches.flip = false;
                self.inner.try_write(&[rest, &[last ^ 1]].concat())?
            }
            _ => self.inner.try_write(bytes)?,
        };
        switches.passed(Direction::There, written, false);
        switches.written.extend_from_slice(&bytes[..written]);
        Ok(written)
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_readable(context)
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut switches = self.faults.switches();
        if switches.stalled {
            switches.waiting.push(context.waker().clone());
            return Poll::Pending;
        }
        drop(switches);
        self.inner.poll_writable(context)
    }

    fn finish(&self) {
        self.inner.finish();
    }

    fn shut_down(&self) {
        self.inner.shut_down();
    }
}
