//! What the session's own frames do to a link: acknowledgements, windows, keep-alives.

use std::sync::atomic::Ordering;

use troupe_proto::{codec::Flow, session::SessionError};

use super::Link;

impl Link {
    pub(super) fn set_owned(&self, owned: u64) {
        self.owned.store(owned, Ordering::Relaxed);
    }

    pub(super) fn announced(&self, flow: Flow) -> u64 {
        self.queue().announced(flow)
    }

    pub(super) fn on_ack(&self, count: u64) -> Result<(), SessionError> {
        let drained = {
            let mut queue = self.queue();
            queue.on_ack(count)?;
            self.queued.store(queue.bytes(), Ordering::Relaxed);
            queue.is_drained()
        };
        self.note_room();
        if drained {
            self.drained.notify_waiters();
        }
        Ok(())
    }

    pub(super) fn on_window(&self, flow: Flow, offset: u64) -> Result<(), SessionError> {
        let released = {
            let mut queue = self.queue();
            let was_held = queue.is_held();
            queue.on_window(flow, offset, self.now_ms())?;
            was_held
        };
        if released {
            self.flush();
        }
        Ok(())
    }

    /// `turns`: how many milliseconds ago each isolate of this node had a turn.
    pub(super) fn on_ping(&self, token: u64, turns: &[u32], owned: u64) {
        if let Some(mut batch) = self.batch() {
            batch.queue.push_pong(token, turns, owned);
            drop(batch);
            self.flush();
        }
    }

    pub(super) fn on_pong(&self, token: u64) {
        let sent = self.queue().on_pong(token);
        if let Some(sent) = sent {
            let micros = sent.elapsed().as_micros() as u64;
            self.round_trip_micros.store(micros.max(1), Ordering::Relaxed);
        }
    }

    pub(super) fn send_ack(&self) {
        if let Some(mut batch) = self.batch() {
            batch.queue.push_ack(self.owned.load(Ordering::Relaxed));
            drop(batch);
            self.flush();
        }
    }
}
