//! What a view reads: the members of a zone, each by what it answers to a question. A trait, so that a test can write the script.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use troupe_node::discovery::Role;

/// A live member of the zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Identifier of its identity: another process under the same name has another one.
    pub id: String,
    /// What it is for.
    pub role: Role,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Lines and state, of every member.
    Observe,
    /// Containers, of a supervisor.
    Supervise,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(pub String);

/// An answer that comes later.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, Unanswered>> + Send>>;

/// Members, and what they say.
pub trait Source: Send + Sync + 'static {
    /// Name of the node that serves.
    fn own(&self) -> &str;

    /// Name of its zone; `None`: it is by itself.
    fn zone(&self) -> Option<&str>;

    /// The live members, the serving node among them, looked up now.
    fn members(&self) -> Answer<Vec<Member>>;

    /// Asks a member, by its name; question and answer are JSON. The serving node answers without a channel.
    fn ask(&self, member: &str, topic: Topic, question: String, within: Duration) -> Answer<Vec<u8>>;
}
