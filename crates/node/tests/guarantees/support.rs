//! What the guarantees' tests share.

use std::future::Future;
use std::time::Duration;
use troupe_node::port::{Handle, WorkerOptions};
use troupe_node::{Node, NodeOptions, OnFailure};
use troupe_testkit::{Driver, Told};

/// Slot of nobody in particular, as a sender.
pub(crate) const NOBODY: u32 = u32::MAX;

pub(crate) fn mailbox_of(mailbox: u32) -> WorkerOptions {
    WorkerOptions { mailbox, ..WorkerOptions::default() }
}

/// A mailbox without a behaviour, where all that is lent counts as waiting; with one, the message in hand does not.
pub(crate) fn box_of(mailbox: u32) -> WorkerOptions {
    WorkerOptions { has_behaviour: false, ..mailbox_of(mailbox) }
}

pub(crate) fn on_failure(on_failure: OnFailure) -> WorkerOptions {
    WorkerOptions { on_failure, ..WorkerOptions::default() }
}

/// The failure of a request among what was told: code, stage and whether it may have been handled.
pub(crate) fn failure_of(told: &[Told], wanted: Handle) -> Option<(u8, u32, bool)> {
    told.iter().find_map(|told| match told {
        Told::Fail { request, code, stage, maybe_executed, .. } if *request == wanted => {
            Some((*code, *stage, *maybe_executed))
        }
        _ => None,
    })
}

pub(crate) fn is_answered(told: &[Told], wanted: Handle) -> bool {
    told.iter().any(|told| matches!(told, Told::Reply { request, .. } if *request == wanted))
}

/// Requests and sends that were lent, in order.
pub(crate) fn lent(told: &[Told]) -> Vec<Option<Handle>> {
    let request = |told: &Told| match told {
        Told::Message { request, .. } => Some(*request),
        _ => None,
    };
    told.iter().filter_map(request).collect()
}

/// Nothing is left: no request, no body, no deadline.
pub(crate) fn is_at_rest(driver: &Driver) -> bool {
    driver.port.open_requests() == 0
        && driver.open_requests() == 0
        && driver.kept_bodies() == 0
        && driver.flushed.next.is_none()
        && !driver.flushed.more
}

/// Runs a test on a node of its own, which is stopped in the end.
pub(crate) fn with_node<F: Future<Output = ()>>(test: impl FnOnce(Node) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let node = Node::create(NodeOptions::alone("here")).await.unwrap();
        test(node.clone()).await;
        node.stop(Duration::from_secs(5)).await;
    });
}
