//! How bytes get from one node to another: TCP, or a network inside the process for tests and embedding.
//!
//! A socket is used from two sides at once: any thread may try to write, the I/O thread reads and waits. Nothing here
//! blocks.

mod memory;
mod tcp;

use std::{
    fmt, future,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

pub use memory::MemoryNetwork;
pub use tcp::Tcp;

/// A dial under way. Dropping it gives up.
pub type Dialling<'a> = Pin<Box<dyn Future<Output = io::Result<Arc<dyn Socket>>> + Send + 'a>>;

/// A way to listen and to dial.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Begins to listen; port 0 takes any free one. Must be called inside the I/O runtime.
    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>>;

    /// Connects. The caller sets the time limit.
    fn dial(&self, address: SocketAddr) -> Dialling<'_>;
}

/// Accepts connections until it is dropped.
pub trait Listener: Send + Sync + fmt::Debug {
    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// The next connection and where it comes from. One task waits at a time.
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Arc<dyn Socket>, SocketAddr)>>;
}

/// One connection. The two `poll` functions each remember the last task that asked.
pub trait Socket: Send + Sync + fmt::Debug {
    /// Reads what is there: 0 at the end, [`io::ErrorKind::WouldBlock`] when nothing is.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes what fits, from any thread; [`io::ErrorKind::WouldBlock`] when nothing does.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Ready when a read may find something.
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ready when a write may find room.
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the direction to the peer, which reads what was written and then the end.
    fn finish(&self);

    /// Ends both directions at once; whoever waits is woken.
    fn shut_down(&self);
}

impl dyn Socket {
    /// Waits until a read may find something.
    pub async fn readable(&self) -> io::Result<()> {
        future::poll_fn(|context| self.poll_readable(context)).await
    }

    /// Waits until a write may find room.
    pub async fn writable(&self) -> io::Result<()> {
        future::poll_fn(|context| self.poll_writable(context)).await
    }

    /// Writes all of `bytes`.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.try_write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what comes next; 0 at the end.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable().await?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl dyn Listener {
    /// Waits for the next connection.
    pub async fn accept(&self) -> io::Result<(Arc<dyn Socket>, SocketAddr)> {
        future::poll_fn(|context| self.poll_accept(context)).await
    }
}
