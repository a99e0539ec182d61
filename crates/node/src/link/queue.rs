//! What a link is about to send, in order. Behind one lock that nobody holds while sealing or calling the system.

use tokio::time::Instant;
use troupe_proto::{
    codec::{self, CloseReason, FRAME_MAX, Flow, Frame, Pieces, cost_of, encoded_len},
    session::{Opened, Session, SessionError, Standing, Terms},
};

use super::{
    NotTaken,
    batch::KEPT_BYTES,
    held::{Held, HeldFrame},
    is_message,
    lanes::{Cut, Lane, Lanes, Parked, Spare},
    leftover::Leftover,
    own::OwnFrames,
    records::Records,
    row::Row,
};

/// Handed over at a time: what is sealed in one go. As much again may come in pieces.
const TAKE_BYTES: usize = 64 * 1024;

/// Whether nothing but reading on the peer's side bounds how many such frames it can cause: they pass no window, or are the
/// failures of requests that were not even begun. Messages wait for the resend buffer, replies cost a handler.
pub(super) fn is_owed(frame: &Frame<'_>) -> bool {
    !matches!(frame, Frame::Message(_) | Frame::Reply(_))
}

/// Whether it answers, a request or a message that asked for nothing: such a frame waits for no place and no room.
fn is_reply(frame: &Frame<'_>) -> bool {
    match frame {
        Frame::Reply(_) => true,
        Frame::Message(message) => message.waits_for_nothing(),
        _ => false,
    }
}

/// The queue of one link.
#[derive(Debug)]
pub(super) struct Queue {
    open: bool,
    /// Messages and answers handed over so far.
    messages: u64,
    session: Session,
    own: OwnFrames,
    row: Row,
    lanes: Lanes,
    /// Bytes parked in lanes.
    parked: usize,
    held: [Held; 2],
    spare: Spare,
    max_message: usize,
    next_cut: u32,
    next_ping: u64,
    /// A ping is wanted behind all that can be sent.
    asks: bool,
    /// The ping whose answer is awaited.
    ping: Option<(u64, Instant)>,
    /// CLOSE is to be the last frame.
    closing: Option<CloseReason>,
    leftover: Leftover,
}

impl Queue {
    pub(super) fn new(own: &Terms, peer: &Opened) -> Self {
        let terms = &peer.terms;
        Self {
            open: true,
            messages: 0,
            session: Session::new(own, terms),
            own: OwnFrames::default(),
            row: Row::default(),
            lanes: Lanes::new(usize::from(terms.max_pieces), terms.max_reassembly as usize),
            parked: 0,
            held: [Held::default(), Held::default()],
            spare: Spare::default(),
            max_message: terms.max_message as usize,
            next_cut: 0,
            next_ping: 1,
            asks: true,
            ping: None,
            closing: None,
            leftover: Leftover::default(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Messages and answers handed over so far.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// Bytes that the peer is not known to own, in whatever form.
    pub(super) fn bytes(&self) -> usize {
        self.row.bytes() + self.parked + self.held[0].bytes() + self.held[1].bytes()
    }

    /// Bytes of what is owed to the peer, see [`is_owed`]: how far a peer has come with asking and not reading.
    pub(super) fn owed(&self) -> usize {
        self.row.owed() + self.held[Flow::Replies.index()].owed()
    }

    /// Whether something waits for its window.
    pub(super) fn is_held(&self) -> bool {
        !self.held.iter().all(Held::is_empty)
    }

    /// Whether the peer owns all that was pushed.
    pub(super) fn is_drained(&self) -> bool {
        self.parked == 0 && !self.is_held() && self.row.is_written() && self.session.is_acknowledged()
    }

    /// Numbered frames handed over so far.
    pub(super) fn sent(&self) -> u64 {
        self.session.sent()
    }

    /// What is kept of the session, whose number is `session`.
    pub(super) fn standing(&self, session: u64) -> Standing {
        self.session.standing(session)
    }

    /// Adds a frame behind whatever it must not pass.
    pub(super) fn push(&mut self, frame: &Frame<'_>, now_ms: u32) -> Result<(), NotTaken> {
        let Some((lane, body)) = Lane::of(frame).zip(frame.body()) else {
            debug_assert!(frame.is_numbered(), "the session's own frames have their own ways in");
            self.row.push(frame, encoded_len(frame, 0), now_ms);
            return Ok(());
        };
        let body_len = body.wire_len();
        if body_len > self.max_message {
            return Err(NotTaken::TooLong { len: body_len, limit: self.max_message });
        }
        if is_reply(frame) && self.bytes() + body_len > KEPT_BYTES {
            return Err(NotTaken::Untaken);
        }
        self.messages += u64::from(is_message(frame));
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
            self.row.push(frame, len, now_ms);
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
            self.held[flow.index()].push((lane, is_owed(frame)), cost_of(body_len), now_ms, cut, encode);
        } else {
            let mut encoded = Vec::with_capacity(if pieces.is_some() { 64 } else { len });
            encode(&mut encoded);
            self.park(lane_ahead.unwrap_or(lane), encoded, cut, now_ms);
        }
        Ok(())
    }

    fn park(&mut self, lane: Lane, encoded: Vec<u8>, cut: Option<(u32, Vec<u8>)>, since_ms: u32) {
        let cut = cut.map(|(id, body)| Cut { id, body });
        let parked = Parked { encoded, cut, since_ms };
        self.parked += parked.len();
        self.lanes.push(lane, parked, self.row.laid());
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
        let HeldFrame { lane, is_owed, cost, since_ms, cut, .. } = frame;
        self.session.start(flow, cost);
        let ahead = self.lanes.occupied(lane);
        if cut.is_some() || ahead.is_some() {
            self.park(ahead.unwrap_or(lane), encoded.to_vec(), cut, since_ms);
        } else {
            codec::age(encoded, now_ms.wrapping_sub(since_ms));
            self.row.push_encoded(encoded, now_ms, is_owed);
        }
    }

    pub(super) fn on_ack(&mut self, count: u64) -> Result<(), SessionError> {
        self.session.on_ack(count)?;
        let spare = &mut self.spare;
        self.row.release(count, |body| spare.put(body));
        Ok(())
    }

    /// A new channel takes over, whose peer owns `next_expected` frames and was told of `owned`. `expired` hears of the
    /// requests that are not sent again.
    pub(super) fn go_on(
        &mut self,
        next_expected: u64,
        owned: u64,
        now_ms: u32,
        mut expired: impl FnMut(&Frame<'_>, usize),
    ) -> Result<(), SessionError> {
        let windows = self.session.go_on(next_expected, owned)?;
        self.own = OwnFrames::default();
        for (flow, offset) in Flow::ALL.into_iter().zip(windows) {
            self.own.push_window(flow, offset);
        }
        let (session, spare) = (&mut self.session, &mut self.spare);
        let not_again = |frame: &Frame<'_>, body_len: usize| {
            if let Some(flow) = frame.flow() {
                session.take_back(flow, cost_of(body_len));
            }
            expired(frame, body_len);
        };
        self.row.go_on(next_expected, now_ms, not_again, |body| spare.put(body));
        self.lanes.start_over();
        // Whoever waits for an answer to the last one still does.
        self.asks = true;
        Ok(())
    }

    /// Received bytes were taken in. Answers whether a WINDOW was added that should go out now.
    pub(super) fn consume(&mut self, flow: Flow, bytes: u64) -> bool {
        if !self.session.consume(flow, bytes) || !self.open {
            return false;
        }
        let Some(offset) = self.session.window_to_announce(flow) else { return false };
        self.own.push_window(flow, offset);
        true
    }

    /// Where our own window ends, as the peer was told.
    pub(super) fn announced(&self, flow: Flow) -> u64 {
        self.session.announced(flow)
    }

    /// Adds an ACK of what this process owns, if it is news.
    pub(super) fn push_ack(&mut self, owned: u64) {
        if let Some(count) = self.session.ack_to_send(owned) {
            self.own.push_ack(count);
        }
    }

    /// Numbered frames the peer was told this process owns.
    pub(super) fn acknowledged(&self) -> u64 {
        self.session.acknowledged_to_peer()
    }

    /// Answers a PING with the times of the isolates, and an ACK of what this process owns. A peer that asks and does not
    /// read is not answered.
    pub(super) fn push_pong(&mut self, token: u64, turns: &[u32], owned: u64) {
        if self.own.push_pong(token, turns) {
            self.push_ack(owned);
        }
    }

    /// Asks for a PING behind all that can be sent; its answer brings an ACK with it.
    pub(super) fn ask(&mut self) {
        self.asks = true;
    }

    /// When the ping was sent that this answers.
    pub(super) fn on_pong(&mut self, token: u64) -> Option<Instant> {
        self.ping.take_if(|(awaited, _)| *awaited == token).map(|(_, sent)| sent)
    }

    /// Hands over what comes next, into empty records; says whether there is anything.
    pub(super) fn take(&mut self, out: &mut Records, owned: u64, now_ms: u32) -> bool {
        self.own.write(out);
        if self.row.write_again(out, TAKE_BYTES, now_ms) {
            let numbered = self.row.write(out, TAKE_BYTES, now_ms);
            self.session.number(numbered);
            if !self.lanes.is_empty() {
                let written = self.lanes.write(out, &mut self.row, now_ms);
                self.parked -= written.bytes;
                self.session.number(written.whole);
            }
            if self.lanes.is_empty() && self.row.is_written() {
                self.write_last(out, owned);
            }
        }
        if out.is_empty() {
            return false;
        }
        if self.open
            && let Some(count) = self.session.ack_to_send(owned)
        {
            let ack = Frame::Ack { count };
            out.push(&ack, encoded_len(&ack, 0));
        }
        out.finish();
        true
    }

    /// What comes behind all the rest.
    fn write_last(&mut self, out: &mut Records, owned: u64) {
        if std::mem::take(&mut self.asks) {
            let token = self.next_ping;
            self.next_ping += 1;
            self.ping = Some((token, Instant::now()));
            let ping = Frame::Ping { token };
            out.push(&ping, encoded_len(&ping, 0));
        }
        if let Some(reason) = self.closing.take() {
            let ack = self.session.ack_to_send(owned).map(|count| Frame::Ack { count });
            let close = Frame::Close { reason, last: self.session.sent() };
            for frame in ack.iter().chain([&close]) {
                out.push(frame, encoded_len(frame, 0));
            }
        }
    }

    /// Takes no more; CLOSE is the last frame. What waits for a window, or is half sent, is given up.
    pub(super) fn close(&mut self, reason: CloseReason) {
        self.closing = Some(reason);
        // All that is ready goes before it.
        self.give_up(|_| true);
    }

    /// Takes no more and sends no more.
    pub(super) fn end(&mut self) {
        self.give_up(|was_sent| was_sent);
        self.row = Row::default();
        self.own = OwnFrames::default();
    }

    /// What was not acknowledged when the link ended, once.
    pub(super) fn take_leftover(&mut self) -> Leftover {
        std::mem::take(&mut self.leftover)
    }

    fn give_up(&mut self, maybe_delivered: impl Fn(bool) -> bool) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        let leftover = &mut self.leftover;
        self.row.each(self.session.acknowledged(), |stored| {
            leftover.add(&stored.frame, maybe_delivered(stored.was_sent));
        });
        self.lanes.each().for_each(|parked| leftover.add_encoded(&parked.encoded));
        for held in &self.held {
            held.each().for_each(|encoded| leftover.add_encoded(encoded));
        }
        self.lanes = Lanes::new(0, 0);
        self.parked = 0;
        self.held = [Held::default(), Held::default()];
        self.spare = Spare::default();
    }
}
