//! What a link is about to send, in order. Behind one lock that nobody holds while sealing or calling the system.

use std::time::Instant;

use troupe_proto::{
    codec::{self, CloseReason, FRAME_MAX, Flow, Frame, Pieces, cost_of, encoded_len},
    session::{Opened, Session, SessionError, Terms},
};

use super::{
    MessageTooLong,
    held::{Held, HeldFrame},
    lanes::{Cut, Lane, Lanes, Parked, Spare},
    records::Records,
};

/// The queue of one link.
#[derive(Debug)]
pub(super) struct Queue {
    open: bool,
    session: Session,
    records: Records,
    lanes: Lanes,
    /// Bytes parked in lanes.
    parked: usize,
    held: [Held; 2],
    spare: Spare,
    max_message: usize,
    next_cut: u32,
    next_ping: u64,
    /// The ping whose answer is awaited.
    ping: Option<(u64, Instant)>,
}

impl Queue {
    pub(super) fn new(own: &Terms, peer: &Opened) -> Self {
        let terms = &peer.terms;
        Self {
            open: true,
            session: Session::new(own, terms),
            records: Records::default(),
            lanes: Lanes::new(usize::from(terms.max_pieces), terms.max_reassembly as usize),
            parked: 0,
            held: [Held::default(), Held::default()],
            spare: Spare::default(),
            max_message: terms.max_message as usize,
            next_cut: 0,
            next_ping: 1,
            ping: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Bytes that wait here, in whatever form.
    pub(super) fn bytes(&self) -> usize {
        self.records.len() + self.parked + self.held[0].bytes() + self.held[1].bytes()
    }

    /// Whether the peer owns all that was pushed.
    pub(super) fn is_drained(&self) -> bool {
        self.parked == 0 && self.held.iter().all(Held::is_empty) && self.session.is_acknowledged()
    }

    /// A record of its own for these frames: the first of a channel.
    pub(super) fn push_opening(&mut self, frames: [&Frame<'_>; 2]) {
        for frame in frames {
            self.push_control(frame);
        }
        self.records.finish();
    }

    /// Adds a frame behind whatever it must not pass.
    pub(super) fn push(&mut self, frame: &Frame<'_>, now_ms: u32) -> Result<(), MessageTooLong> {
        let Some((lane, body)) = Lane::of(frame).zip(frame.body()) else {
            self.records.push(frame, encoded_len(frame, 0));
            if frame.is_numbered() {
                self.session.number();
            }
            return Ok(());
        };
        let body_len = body.wire_len();
        if body_len > self.max_message {
            return Err(MessageTooLong { len: body_len, limit: self.max_message });
        }
        let len = encoded_len(frame, body_len);
        let hold = match frame.flow() {
            Some(flow) if !self.held[flow.index()].is_empty() || !self.session.may_start(flow) => Some(flow),
            Some(flow) => {
                self.session.start(flow, cost_of(body_len));
                None
            }
            None => None,
        };
        let lane_ahead = self.lanes.occupied(lane);
        if hold.is_none() && lane_ahead.is_none() && len <= FRAME_MAX {
            // The way of nearly every message.
            self.records.push(frame, len);
            self.session.number();
            return Ok(());
        }
        let cut = (len > FRAME_MAX).then(|| {
            let mut copy = self.spare.take();
            body.write(&mut copy);
            self.next_cut = self.next_cut.wrapping_add(1);
            (self.next_cut, copy)
        });
        let pieces = cut.as_ref().map(|(id, copy)| Pieces { id: *id, total: copy.len() as u32 });
        let encode = |out: &mut Vec<u8>| match pieces {
            Some(pieces) => codec::encode_head(frame, pieces, out),
            None => codec::encode(frame, out),
        };
        if let Some(flow) = hold {
            self.held[flow.index()].push(lane, cost_of(body_len), now_ms, cut, encode);
        } else {
            let mut encoded = Vec::with_capacity(if pieces.is_some() { 64 } else { len });
            encode(&mut encoded);
            self.park(lane_ahead.unwrap_or(lane), encoded, cut, now_ms);
        }
        Ok(())
    }

    fn park(&mut self, lane: Lane, encoded: Vec<u8>, cut: Option<(u32, Vec<u8>)>, since_ms: u32) {
        let cut = cut.map(|(id, body)| Cut { id, body, sent: 0 });
        let parked = Parked { encoded, cut, since_ms };
        self.parked += parked.len();
        self.lanes.push(lane, parked);
    }

    /// The peer opened a window: what it held back goes on, as far as it lets it.
    pub(super) fn on_window(&mut self, flow: Flow, offset: u64, now_ms: u32) -> Result<(), SessionError> {
        self.session.on_window(flow, offset)?;
        let mut held = std::mem::take(&mut self.held[flow.index()]);
        while !held.is_empty() && self.session.may_start(flow) {
            held.pop(|frame, encoded| self.release(flow, frame, encoded, now_ms));
        }
        self.held[flow.index()] = held;
        Ok(())
    }

    fn release(&mut self, flow: Flow, frame: HeldFrame, encoded: &mut [u8], now_ms: u32) {
        let HeldFrame { lane, cost, since_ms, cut, .. } = frame;
        self.session.start(flow, cost);
        let ahead = self.lanes.occupied(lane);
        if cut.is_some() || ahead.is_some() {
            self.park(ahead.unwrap_or(lane), encoded.to_vec(), cut, since_ms);
        } else {
            codec::age(encoded, now_ms.wrapping_sub(since_ms));
            self.records.push_encoded(encoded);
            self.session.number();
        }
    }

    pub(super) fn on_ack(&mut self, count: u64) -> Result<(), SessionError> {
        self.session.on_ack(count)
    }

    /// Received bytes were taken in. Answers whether a WINDOW was added that should go out now.
    pub(super) fn consume(&mut self, flow: Flow, bytes: u64) -> bool {
        if !self.session.consume(flow, bytes) || !self.open {
            return false;
        }
        let Some(offset) = self.session.window_to_announce(flow) else { return false };
        self.push_control(&Frame::Window { flow, offset });
        true
    }

    /// Where our own window ends, as the peer was told.
    pub(super) fn announced(&self, flow: Flow) -> u64 {
        self.session.announced(flow)
    }

    /// Adds an ACK of what this process owns, if it is news.
    pub(super) fn push_ack(&mut self, owned: u64) {
        if let Some(count) = self.session.ack_to_send(owned) {
            self.push_control(&Frame::Ack { count });
        }
    }

    /// Numbered frames the peer was told this process owns.
    pub(super) fn acknowledged(&self) -> u64 {
        self.session.acknowledged_to_peer()
    }

    /// Adds a frame of the session's own.
    pub(super) fn push_control(&mut self, frame: &Frame<'_>) {
        self.records.push(frame, encoded_len(frame, 0));
    }

    /// Adds a PING, whose answer brings an ACK with it.
    pub(super) fn push_ping(&mut self, now: Instant) {
        let token = self.next_ping;
        self.next_ping += 1;
        self.ping = Some((token, now));
        self.push_control(&Frame::Ping { token });
    }

    /// When the ping was sent that this answers.
    pub(super) fn on_pong(&mut self, token: u64) -> Option<Instant> {
        self.ping.take_if(|(awaited, _)| *awaited == token).map(|(_, sent)| sent)
    }

    /// Hands over what is ready, in exchange for empty records; says whether there is anything.
    pub(super) fn take(&mut self, out: &mut Records, owned: u64, now_ms: u32) -> bool {
        if !self.lanes.is_empty() {
            let written = self.lanes.write(&mut self.records, now_ms, &mut self.spare);
            self.parked -= written.bytes;
            for _ in 0..written.whole {
                self.session.number();
            }
        }
        if self.records.is_empty() {
            return false;
        }
        if self.open {
            self.push_ack(owned);
        }
        self.records.finish();
        std::mem::swap(&mut self.records, out);
        true
    }

    /// Takes no more; CLOSE is the last frame. What only waits, or is half sent, is given up.
    pub(super) fn close(&mut self, reason: CloseReason, owned: u64) {
        self.push_ack(owned);
        self.give_up();
        let last = self.session.sent();
        self.push_control(&Frame::Close { reason, last });
    }

    /// Takes no more and sends no more.
    pub(super) fn end(&mut self) {
        self.give_up();
        self.records.clear();
    }

    fn give_up(&mut self) {
        self.open = false;
        self.lanes = Lanes::new(0, 0);
        self.parked = 0;
        self.held = [Held::default(), Held::default()];
        self.spare = Spare::default();
    }
}
