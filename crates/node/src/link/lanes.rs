//! Bodies too long for a record, on their way in pieces.
//!
//! A lane belongs to one pair of sender and receiver. While a body is under way in it, everything else of the pair lines
//! up behind; pieces of different lanes take turns.

use std::collections::{HashMap, VecDeque};

use troupe_proto::codec::{self, FRAME_MAX, Frame, HEADER_LEN, Handle, Target};

use super::{
    records::Records,
    row::{Row, Whole},
};

/// Records of pieces between two looks at what else there is to send: 64 KiB, so that a small message waits for no more
/// than some 100 µs of sealing behind any number of large ones.
const TURNS: usize = 4;
/// Header and identifier of a piece.
const PIECE_OVERHEAD: usize = HEADER_LEN + 4;
/// A record is finished rather than filled with a piece shorter than this.
const LEAST_PIECE: usize = 1024;

/// The pair that a frame belongs to, as far as order goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    /// From a worker to the worker behind a handle.
    Handle(Option<Handle>, Handle),
    /// From a worker to any it calls by name: the name may turn into a handle between two messages.
    Named(Option<Handle>),
    /// From a worker to the control service.
    Control(Option<Handle>),
    /// The answer to one request.
    Answer(codec::Correlation),
}

impl Lane {
    /// The lane of a frame, if its order matters.
    pub(super) fn of(frame: &Frame<'_>) -> Option<Self> {
        match frame {
            Frame::Message(message) => Some(match message.target {
                Target::Slot(target) => Lane::Handle(message.sender, target),
                Target::Name(_) => Lane::Named(message.sender),
                Target::Control => Lane::Control(message.sender),
            }),
            Frame::Reply(reply) => Some(Lane::Answer(reply.correlation)),
            Frame::Fail(fail) => Some(Lane::Answer(fail.correlation)),
            _ => None,
        }
    }
}

/// A frame out of the caller's hands: its bytes, or its head and the body that follows in pieces.
#[derive(Debug)]
pub(super) struct Parked {
    /// The whole frame, or the head of a cut one.
    pub(super) encoded: Vec<u8>,
    pub(super) cut: Option<Cut>,
    /// When it was parked, on the link's clock of milliseconds.
    pub(super) since_ms: u32,
}

#[derive(Debug)]
pub(super) struct Cut {
    pub(super) id: u32,
    pub(super) body: Vec<u8>,
}

impl Parked {
    pub(super) fn len(&self) -> usize {
        self.encoded.len() + self.cut.as_ref().map_or(0, |cut| cut.body.len())
    }
}

/// The frames of one pair that wait, and how much of the first one's body was handed over.
#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Parked>,
    sent: usize,
    /// Records of the row that go first: frames of the pair may be in them.
    after: u64,
}

/// All lanes of a link.
#[derive(Debug)]
pub(super) struct Lanes {
    waiting: HashMap<Lane, Waiting>,
    turn: VecDeque<Lane>,
    /// Bodies of which a piece was sent, and their whole length.
    begun: usize,
    begun_bytes: usize,
    /// What the peer puts together at once.
    max_begun: usize,
    max_begun_bytes: usize,
}

impl Lanes {
    pub(super) fn new(max_begun: usize, max_begun_bytes: usize) -> Self {
        Self {
            waiting: HashMap::new(),
            turn: VecDeque::new(),
            begun: 0,
            begun_bytes: 0,
            max_begun,
            max_begun_bytes,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turn.is_empty()
    }

    /// The lane that a frame has to line up in, if there is one.
    pub(super) fn occupied(&self, lane: Lane) -> Option<Lane> {
        if self.waiting.is_empty() {
            return None;
        }
        if self.waiting.contains_key(&lane) {
            return Some(lane);
        }
        match lane {
            Lane::Handle(sender, _) => {
                Some(Lane::Named(sender)).filter(|named| self.waiting.contains_key(named))
            }
            _ => None,
        }
    }

    /// Lines a frame up behind the first `after` records of the row; the first one of a lane is cut.
    pub(super) fn push(&mut self, lane: Lane, frame: Parked, after: u64) {
        let waiting = self.waiting.entry(lane).or_default();
        if waiting.frames.is_empty() {
            self.turn.push_back(lane);
            waiting.after = after;
        }
        waiting.frames.push_back(frame);
    }

    /// A new channel takes over: bodies that are under way start over.
    pub(super) fn start_over(&mut self) {
        (self.begun, self.begun_bytes) = (0, 0);
        for waiting in self.waiting.values_mut() {
            waiting.sent = 0;
        }
    }

    /// All that waits, in no particular order.
    pub(super) fn each(&self) -> impl Iterator<Item = &Parked> {
        self.waiting.values().flat_map(|waiting| &waiting.frames)
    }

    /// Hands some pieces over; frames that are whole with them go to `row`, and what lined up behind. Answers with the
    /// bytes that left the lanes and how many bodies became whole.
    pub(super) fn write(&mut self, out: &mut Records, row: &mut Row, now_ms: u32) -> Written {
        let mut written = Written::default();
        let mut passed_over = 0;
        let mut turns = 0;
        while turns < TURNS && passed_over < self.turn.len() {
            let Some(lane) = self.turn.pop_front() else { break };
            let Some(Waiting { frames, sent, after }) = self.waiting.get_mut(&lane) else { continue };
            // The first of a lane is always a cut one.
            let Some(Parked { encoded, cut: Some(cut), since_ms }) = frames.front_mut() else { continue };
            if *sent == 0 {
                let fits = self.begun == 0 || self.begun_bytes + cut.body.len() <= self.max_begun_bytes;
                if self.begun >= self.max_begun || !fits || row.handed_over() < *after {
                    self.turn.push_back(lane);
                    passed_over += 1;
                    continue;
                }
                self.begun += 1;
                self.begun_bytes += cut.body.len();
                codec::age(out.append(encoded), now_ms.wrapping_sub(*since_ms));
            }
            turns += 1;
            passed_over = 0;
            *sent = cut.write_piece(*sent, out);
            if *sent < cut.body.len() {
                self.turn.push_back(lane);
                continue;
            }
            self.begun -= 1;
            self.begun_bytes -= cut.body.len();
            *sent = 0;
            if let Some(Parked { encoded, cut: Some(cut), since_ms }) = frames.pop_front() {
                written.bytes += encoded.len() + cut.body.len();
                written.whole += 1;
                row.keep(Whole { head: encoded, cut, since_ms });
            }
            // What lined up behind the body follows it, up to the next body.
            while let Some(next) = frames.front_mut() {
                if next.cut.is_some() {
                    break;
                }
                codec::age(&mut next.encoded, now_ms.wrapping_sub(next.since_ms));
                row.push_encoded(&next.encoded, now_ms, false);
                written.bytes += next.encoded.len();
                frames.pop_front();
            }
            if frames.is_empty() {
                self.waiting.remove(&lane);
            } else {
                *after = row.laid();
                self.turn.push_back(lane);
            }
        }
        written
    }
}

/// What [`Lanes::write`] moved.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Bytes of parked frames, without the overhead of pieces.
    pub(super) bytes: usize,
    /// Bodies whose last byte went.
    pub(super) whole: u64,
}

impl Cut {
    /// Fills a record with the next piece, of which `sent` bytes are gone. Answers how many are now.
    pub(super) fn write_piece(&self, sent: usize, records: &mut Records) -> usize {
        if records.room() < PIECE_OVERHEAD + LEAST_PIECE {
            records.finish();
        }
        let room = match records.room() {
            0 => FRAME_MAX,
            room => room,
        } - PIECE_OVERHEAD;
        let end = self.body.len().min(sent + room);
        let bytes = &self.body[sent..end];
        let last = end == self.body.len();
        records.push(&Frame::Fragment { id: self.id, last, bytes }, PIECE_OVERHEAD + bytes.len());
        end
    }
}

/// Buffers of bodies, kept for the next ones: a fresh one of a megabyte costs hundreds of page faults.
#[derive(Debug, Default)]
pub(super) struct Spare(Vec<Vec<u8>>);

impl Spare {
    /// Buffers kept, and the largest kept, so that a link keeps 8 MiB at most.
    const COUNT: usize = 4;
    const BYTES: usize = 2 << 20;

    pub(super) fn take(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_default()
    }

    pub(super) fn put(&mut self, mut buffer: Vec<u8>) {
        if self.0.len() < Self::COUNT && buffer.capacity() <= Self::BYTES {
            buffer.clear();
            self.0.push(buffer);
        }
    }
}
