//! The server's life: its thread, its runtime, its end.

use crate::app::App;
use crate::connections;
use crate::options::{ServeError, ServeOptions};
use crate::routes::router;
use crate::view::View;
use crate::view::source::Source;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{oneshot, watch};
use troupe_node::node::{Shared, when_ended};

/// A server that runs, on a thread of its own. Dropped, it ends.
pub struct Server {
    address: SocketAddr,
    node: Arc<Shared>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// Serves a node over HTTP, from a thread of its own, so that it answers whatever the node's workers do. `source`: where it
/// reads what members of the zone tell. When this returns, connections are taken.
pub fn serve(
    node: Arc<Shared>,
    source: Arc<dyn Source>,
    options: ServeOptions,
) -> Result<Server, ServeError> {
    options.check()?;
    let asked = options.listen;
    let listener = TcpListener::bind(asked).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ServeError::Taken { address: asked, source },
        _ => ServeError::Listen { address: asked, source },
    })?;
    listener.set_nonblocking(true).map_err(ServeError::System)?;
    let address = listener.local_addr().map_err(ServeError::System)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::System)?;
    let listener = {
        let _inside = runtime.enter();
        tokio::net::TcpListener::from_std(listener).map_err(ServeError::System)?
    };
    let view = options.view.then(|| View::new(source.clone(), options.history, random()));
    let limits = options.limits;
    let (closing, is_closing) = watch::channel(false);
    let app = Arc::new(App::new(node.clone(), source, view.clone(), options, is_closing.clone()));
    let (close, closed) = oneshot::channel();
    let run = move || {
        runtime.block_on(async move {
            let watching = view.map(|view| tokio::spawn(view.run()));
            let accepting = tokio::spawn(connections::accept(listener, router(app), limits, is_closing));
            // An error says that the server was dropped.
            let _ = closed.await;
            closing.send_replace(true);
            // A panic there was reported when it happened.
            let _ = accepting.await;
            if let Some(watching) = watching {
                watching.abort();
            }
        });
    };
    let thread =
        std::thread::Builder::new().name("troupe-http".into()).spawn(run).map_err(ServeError::System)?;
    node.set_http(Some(address.to_string()));
    Ok(Server { address, node, running: Some((close, thread)) })
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets answers that are under way a second to end, ends the thread; then calls `ended`, from
    /// another thread.
    pub fn close(mut self, ended: impl FnOnce() + Send + 'static) {
        let Some((close, thread)) = self.running.take() else { return ended() };
        self.node.set_http(None);
        // The thread may have ended by itself, after a panic.
        let _ = close.send(());
        if let Err(error) = when_ended(thread, ended) {
            log::error!(target: "http", "the end of the server can't be waited for: {error}");
        }
    }
}

/// What cursors of this server are known by. The time does where there are no random numbers: it only has to differ.
fn random() -> u32 {
    getrandom::u32().unwrap_or_else(|_| std::process::id())
}
