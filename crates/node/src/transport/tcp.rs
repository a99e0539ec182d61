//! TCP, by tokio's reactor. Writes happen on the caller's thread, without the runtime.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use rustix::net::Shutdown;
use tokio::net::{TcpListener, TcpStream};

use super::{Dialling, Listener, Socket, Transport};

/// The operating system's TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Transport for Tcp {
    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Box::new(Listening { listener: TcpListener::from_std(listener)?, address }))
    }

    fn dial(&self, address: SocketAddr) -> Dialling<'_> {
        Box::pin(async move { prepare(TcpStream::connect(address).await?) })
    }
}

/// Frames are batched by the link already; the system must not wait for more of them.
fn prepare(stream: TcpStream) -> io::Result<Arc<dyn Socket>> {
    stream.set_nodelay(true)?;
    Ok(Arc::new(Connection(stream)))
}

#[derive(Debug)]
struct Listening {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener for Listening {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Arc<dyn Socket>, SocketAddr)>> {
        self.listener.poll_accept(context).map(|accepted| {
            let (stream, from) = accepted?;
            Ok((prepare(stream)?, from))
        })
    }
}

#[derive(Debug)]
struct Connection(TcpStream);

impl Socket for Connection {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_read_ready(context)
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_write_ready(context)
    }

    fn finish(&self) {
        self.end(Shutdown::Write);
    }

    fn shut_down(&self) {
        self.end(Shutdown::Both);
    }
}

impl Connection {
    fn end(&self, direction: Shutdown) {
        if let Err(error) = rustix::net::shutdown(&self.0, direction) {
            // The peer was faster.
            log::trace!("shutdown of a connection: {error}");
        }
    }
}
