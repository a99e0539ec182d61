//! A node: mailboxes, routing, requests, workers in Rust, channels and zones.
//!
//! ```
//! use troupe_node::{Cause, Context, Node, NodeOptions, Worker, WorkerOptions};
//!
//! struct Greeter;
//!
//! impl Worker for Greeter {
//!     async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
//!         context.reply(format!("Hello, {message}!"))?;
//!         Ok(())
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let node = Node::create(NodeOptions::alone("here")).await?;
//! node.start_worker("greeter", || Greeter, WorkerOptions::default()).await?;
//! assert_eq!(node.send_and_receive("greeter", "Ada").await?, "Hello, Ada!");
//! node.stop(std::time::Duration::from_secs(5)).await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod cause;
pub mod channel;
pub mod code;
mod context;
pub mod discovery;
mod error;
mod isolate;
mod line_limit;
pub mod link;
mod mailbox;
pub mod node;
pub mod observe;
mod owner;
pub mod port;
pub mod transport;
mod worker;
pub mod zone;

pub use cause::Cause;
pub use context::Context;
pub use error::{Error, Full, MAX_MESSAGE, Stage};
pub use mailbox::{Incoming, Mailbox};
pub use node::{Node, NodeOptions, OpenError};
pub use owner::watch_owner;
pub use port::{OnFailure, Overflow, WorkerOptions};
pub use worker::{Worker, WorkerInfo, WorkerState};
