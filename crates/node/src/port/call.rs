//! Messages of callers on other threads of this process, by address: what an HTTP server passes on, for one.

use super::inbox::Callback;
use super::record::full;
use super::request::Origin;
use super::route::{Letter, Report};
use super::target::elsewhere;
use super::{Body, BodyRef, Failure, Handle, Outcome, Port, Sink, deadline};
use std::collections::HashMap;
use troupe_proto::codec::Traceparent;
use troupe_proto::text::Text;

/// Addresses that callers have used and whose numbers are kept; beyond it all are forgotten and looked up again.
const REMEMBERED: usize = 1024;

/// Numbers of the addresses that callers have used, by node and address.
pub(super) type CallTargets = HashMap<(u16, Box<str>), Handle>;

impl Port {
    /// Routes a message that comes from nobody in this zone: its replies are answers, and nothing else. Returns the number of
    /// the request; `None` for a send, or when it has failed at once. `is_send`: `callback` hears when it was taken.
    pub(crate) fn call(
        &mut self,
        (node, to): (u16, &str),
        (text, trace): (Text<'_>, Option<&Traceparent>),
        timeout: u32,
        is_send: bool,
        callback: Callback,
    ) -> Option<Handle> {
        let target = self.call_target(node, to);
        let body = BodyRef::Text(text);
        let letter = Letter {
            to: elsewhere(target),
            sender: super::NOBODY,
            request: None,
            body,
            size: body.size(0),
            no_wait: false,
            has_place: false,
            report: Report::Nobody,
            deadline: deadline(timeout, self.now),
            trace,
        };
        self.route_for_caller(target, letter, is_send, callback, &mut super::Closed)
    }

    /// Nobody waits for a call any longer: the message is withdrawn, or the handler hears of it. Its callback is dropped.
    pub(crate) fn withdraw_call(&mut self, request: Handle) {
        let Some(open) = self.requests.get(request.slot, request.generation) else { return };
        let Origin::Callback(key) = open.origin else { return };
        self.give_up(request.slot, request.generation);
        self.callbacks.remove(&key);
    }

    /// Routes a letter of a caller in Rust, who hears the outcome.
    pub(super) fn route_for_caller<S: Sink>(
        &mut self,
        target: Handle,
        mut letter: Letter<'_>,
        is_send: bool,
        callback: Callback,
        sink: &mut S,
    ) -> Option<Handle> {
        self.next_callback += 1;
        let key = self.next_callback;
        self.callbacks.insert(key, callback);
        let mut request = None;
        if is_send {
            letter.report = Report::Callback(key);
        } else {
            let Some((id, generation)) = self.requests.open_inbound(Origin::Callback(key)) else {
                self.call_back(key, Outcome::Failed(Failure::full(full::REQUESTS), Body::None));
                return None;
            };
            self.wheel.insert(&mut self.requests, id, letter.deadline);
            letter.request = Some(id);
            request = Some(Handle { slot: id, generation });
        }
        self.route_to_target(target, letter, sink);
        request
    }

    fn call_target(&mut self, node: u16, to: &str) -> Handle {
        let key = (node, Box::from(to));
        if let Some(known) = self.call_targets.get(&key)
            && self.targets.get(*known).is_some()
        {
            return *known;
        }
        if self.call_targets.len() >= REMEMBERED {
            for (_, target) in std::mem::take(&mut self.call_targets) {
                self.release_target(target);
            }
        }
        let target = self.targets.hold(node, to);
        self.call_targets.insert(key, target);
        target
    }
}
