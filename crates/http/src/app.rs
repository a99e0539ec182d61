//! What all requests share.

use crate::options::ServeOptions;
use crate::view::View;
use crate::view::source::{Source, Topic, Unanswered};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use troupe_node::node::Shared;

/// Event streams at a time; more than a room full of people opens, and fewer than there are connections, so that probes get in.
const STREAMS: usize = 128;

/// Bytes of messages to workers that are under way, and of replies, in KiB. They wait in memory until the isolate takes them, or the caller.
pub(crate) const CALL_KIB: usize = 128 << 10;

/// How long a member may take to answer what a request waits for.
const ASK_WITHIN: Duration = Duration::from_secs(5);

pub(crate) struct App {
    pub(crate) node: Arc<Shared>,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) view: Option<Arc<View>>,
    pub(crate) options: ServeOptions,
    pub(crate) is_closing: watch::Receiver<bool>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) calls: Arc<Semaphore>,
    probe: Mutex<Probe>,
}

/// A question to the isolate's loop.
#[derive(Debug, Default)]
struct Probe {
    /// It is under way.
    is_asked: bool,
    /// It has ended, and will never answer.
    is_over: bool,
}

/// How the isolate's loop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loop {
    /// It answers, or has not been waited for too long.
    Turns,
    /// It has been held up for so long.
    Stalled(Duration),
    /// There is none any more.
    Ended,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("node", &self.node).finish_non_exhaustive()
    }
}

impl App {
    pub(crate) fn new(
        node: Arc<Shared>,
        source: Arc<dyn Source>,
        view: Option<Arc<View>>,
        options: ServeOptions,
        is_closing: watch::Receiver<bool>,
    ) -> Self {
        Self {
            node,
            source,
            view,
            options,
            is_closing,
            streams: Arc::new(Semaphore::new(STREAMS)),
            calls: Arc::new(Semaphore::new(CALL_KIB)),
            probe: Mutex::default(),
        }
    }

    /// The state of the serving node, as it tells it to everybody.
    pub(crate) async fn state(&self, workers: usize) -> Result<Value, Unanswered> {
        let question = format!("{{\"state\":{{\"workers\":{workers}}}}}");
        self.ask(self.source.own(), Topic::Observe, question).await
    }

    /// Asks a member.
    pub(crate) async fn ask(
        &self,
        member: &str,
        topic: Topic,
        question: String,
    ) -> Result<Value, Unanswered> {
        let bytes = self.source.ask(member, topic, question, ASK_WITHIN).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Unanswered(format!("node {member} answered what makes no sense: {error}")))
    }

    /// How the isolate's loop is. Each look asks it to turn, unless it is being asked already, and waits a moment: a loop that has
    /// nothing to do is woken only while somebody looks. What has waited for it before counts as well, so that the first look at
    /// one that is held up finds it so.
    pub(crate) async fn look_at_loop(self: &Arc<Self>) -> Loop {
        const MOMENT: Duration = Duration::from_millis(100);
        let is_new = {
            let mut probe = self.probe();
            if probe.is_over {
                return Loop::Ended;
            }
            !std::mem::replace(&mut probe.is_asked, true)
        };
        if is_new {
            let app = self.clone();
            let answered = tokio::spawn(async move {
                let is_open = app.node.turn().await;
                let mut probe = app.probe();
                probe.is_asked = false;
                probe.is_over = !is_open;
            });
            // Over time it is looked at again below.
            let _ = tokio::time::timeout(MOMENT, answered).await;
        }
        if self.probe().is_over {
            return Loop::Ended;
        }
        match self.node.held_up() {
            time if time >= self.options.stall => Loop::Stalled(time),
            _ => Loop::Turns,
        }
    }

    fn probe(&self) -> std::sync::MutexGuard<'_, Probe> {
        // Two plain values: whole, whatever happened.
        self.probe.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
