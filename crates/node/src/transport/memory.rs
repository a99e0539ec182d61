//! A network inside the process: the same contract as TCP, with pipes of bounded size.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use super::{Dialling, Listener, Socket, Transport};

/// What a pipe holds, about as much as a socket's two buffers on one machine.
const PIPE_BYTES: usize = 256 * 1024;
/// Connections that wait to be accepted; more are refused.
const BACKLOG: usize = 128;

/// Nodes that share one of these reach each other by the addresses they listen on. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct MemoryNetwork {
    listening: Arc<Mutex<HashMap<SocketAddr, Arc<Mutex<Backlog>>>>>,
}

impl Transport for MemoryNetwork {
    fn listen(&self, mut address: SocketAddr) -> io::Result<Box<dyn Listener>> {
        let mut listening = lock(&self.listening);
        if address.port() == 0 {
            let free = (1..=u16::MAX).map(|port| SocketAddr::new(address.ip(), port));
            address = free
                .into_iter()
                .find(|address| !listening.contains_key(address))
                .ok_or(io::ErrorKind::AddrNotAvailable)?;
        }
        if listening.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let backlog = Arc::new(Mutex::new(Backlog::default()));
        listening.insert(address, Arc::clone(&backlog));
        Ok(Box::new(MemoryListener { network: self.clone(), address, backlog }))
    }

    fn dial(&self, address: SocketAddr) -> Dialling<'_> {
        Box::pin(async move {
            let backlog = lock(&self.listening).get(&address).map(Arc::clone);
            let Some(backlog) = backlog else { return Err(io::ErrorKind::ConnectionRefused.into()) };
            let mut backlog = lock(&backlog);
            if backlog.waiting.len() >= BACKLOG {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let (near, far) = connection();
            backlog.waiting.push_back(far);
            wake(&mut backlog.waker);
            Ok(near)
        })
    }
}

#[derive(Debug, Default)]
struct Backlog {
    waiting: VecDeque<Arc<dyn Socket>>,
    waker: Option<Waker>,
}

#[derive(Debug)]
struct MemoryListener {
    network: MemoryNetwork,
    address: SocketAddr,
    backlog: Arc<Mutex<Backlog>>,
}

impl Listener for MemoryListener {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Arc<dyn Socket>, SocketAddr)>> {
        let mut backlog = lock(&self.backlog);
        if let Some(socket) = backlog.waiting.pop_front() {
            return Poll::Ready(Ok((socket, self.address)));
        }
        backlog.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        lock(&self.network.listening).remove(&self.address);
        // Whoever waits to be accepted finds the connection ended.
        lock(&self.backlog).waiting.clear();
    }
}

/// Two ends of one connection.
fn connection() -> (Arc<dyn Socket>, Arc<dyn Socket>) {
    let (there, back) = (Arc::new(Mutex::new(Pipe::default())), Arc::new(Mutex::new(Pipe::default())));
    let far = MemorySocket { read: Arc::clone(&there), write: Arc::clone(&back) };
    (Arc::new(MemorySocket { read: back, write: there }), Arc::new(far))
}

/// One direction.
#[derive(Debug, Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    /// Nothing more is written; what is there can still be read.
    finished: bool,
    /// Nobody reads any more.
    abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn wake_both(&mut self) {
        wake(&mut self.reader);
        wake(&mut self.writer);
    }
}

#[derive(Debug)]
struct MemorySocket {
    read: Arc<Mutex<Pipe>>,
    write: Arc<Mutex<Pipe>>,
}

impl Socket for MemorySocket {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut pipe = lock(&self.read);
        if pipe.bytes.is_empty() {
            return if pipe.finished || pipe.abandoned {
                Ok(0)
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            };
        }
        let count = io::Read::read(&mut pipe.bytes, buffer)?;
        wake(&mut pipe.writer);
        Ok(count)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut pipe = lock(&self.write);
        if pipe.finished || pipe.abandoned {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let count = bytes.len().min(PIPE_BYTES - pipe.bytes.len());
        if count == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        pipe.bytes.extend(&bytes[..count]);
        wake(&mut pipe.reader);
        Ok(count)
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = lock(&self.read);
        if !pipe.bytes.is_empty() || pipe.finished || pipe.abandoned {
            return Poll::Ready(Ok(()));
        }
        pipe.reader = Some(context.waker().clone());
        Poll::Pending
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = lock(&self.write);
        if pipe.bytes.len() < PIPE_BYTES || pipe.finished || pipe.abandoned {
            return Poll::Ready(Ok(()));
        }
        pipe.writer = Some(context.waker().clone());
        Poll::Pending
    }

    fn finish(&self) {
        let mut pipe = lock(&self.write);
        pipe.finished = true;
        pipe.wake_both();
    }

    fn shut_down(&self) {
        self.finish();
        let mut pipe = lock(&self.read);
        pipe.abandoned = true;
        pipe.bytes = VecDeque::new();
        pipe.wake_both();
    }
}

impl Drop for MemorySocket {
    fn drop(&mut self) {
        self.shut_down();
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
