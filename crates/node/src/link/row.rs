//! Numbered frames in the order in which they go: laid out once, kept until the peer owns them.
//!
//! What callers push lies as plaintext in segments, a record's worth behind the other. It is copied into the buffer where
//! records are sealed, a little at a time, so that the copy is still warm when the cipher comes to it, and the plaintext
//! stays for another sealing. Bodies that go in pieces are kept as the one buffer they were handed over in.
//!
//! All frames of a record were laid out in the same millisecond: what they waited is taken off the remaining time of
//! their copy.

use std::collections::VecDeque;

use troupe_proto::codec::{self, Decoded, Decoder, FRAME_MAX, Frame, HEADER_LEN, decode, encode};

use super::{lanes::Cut, queue::is_owed, records::Records};

/// Bytes of a segment: a few full records, so that little is held up by a record that is not owned yet.
const SEGMENT_BYTES: usize = 64 * 1024;
/// Segments kept for what comes next, 1 MiB a link. A fresh one costs a page fault for every 4 KiB.
const SPARE_SEGMENTS: usize = 16;

/// The row of a link.
#[derive(Debug, Default)]
pub(super) struct Row {
    segments: VecDeque<Vec<u8>>,
    /// Number of the first segment.
    first_segment: u32,
    spare: Vec<Vec<u8>>,
    /// Laid out and not yet handed over.
    ready: VecDeque<Laid>,
    /// Handed over and not yet owned by the peer.
    kept: VecDeque<Kept>,
    /// Numbered frames before the first of `kept`.
    owned: u64,
    /// The next of `kept` to be handed over again, and how much of its body was.
    again: usize,
    again_sent: usize,
    bytes: usize,
    /// Of them, bytes of frames that are owed to the peer.
    owed: usize,
    /// Records of `ready` that were handed over, of all that ever were.
    handed_over: u64,
}

/// Frames that lie in a segment.
#[derive(Clone, Copy, Debug)]
struct Laid {
    segment: u32,
    start: u32,
    len: u16,
    /// How many of the frames are numbered.
    numbered: u16,
    /// Bytes of the frames that are owed to the peer.
    owed: u16,
    /// When they were laid out, on the link's clock of milliseconds.
    since_ms: u32,
}

#[derive(Debug)]
enum Kept {
    Laid(Laid),
    Body(Box<Whole>),
    /// Stands for a body that expired.
    Empty,
}

/// A frame whose body went in pieces.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) head: Vec<u8>,
    pub(super) cut: Cut,
    pub(super) since_ms: u32,
}

impl Whole {
    fn len(&self) -> usize {
        self.head.len() + self.cut.body.len()
    }
}

/// A frame of the row, without its body where that is kept apart.
pub(super) struct Stored<'a> {
    pub(super) frame: Frame<'a>,
    /// Whether it was handed over to a channel: the peer may have it.
    pub(super) was_sent: bool,
}

impl Row {
    /// Bytes of all frames that the peer does not own.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of those that pass no window, or were asked for: see [`super::queue::is_owed`].
    pub(super) fn owed(&self) -> usize {
        self.owed
    }

    /// Whether all was handed over to this channel.
    pub(super) fn is_written(&self) -> bool {
        self.ready.is_empty() && self.again == self.kept.len()
    }

    /// Records laid out so far.
    pub(super) fn laid(&self) -> u64 {
        self.handed_over + self.ready.len() as u64
    }

    /// Of them, those that were handed over.
    pub(super) fn handed_over(&self) -> u64 {
        self.handed_over
    }

    /// Adds a frame that is `len` bytes long on the wire, at most [`FRAME_MAX`].
    pub(super) fn push(&mut self, frame: &Frame<'_>, len: usize, now_ms: u32) {
        encode(frame, self.reserve(len, now_ms, is_owed(frame)));
    }

    /// Adds a frame that is encoded already, as of now.
    pub(super) fn push_encoded(&mut self, frame: &[u8], now_ms: u32, is_owed: bool) {
        self.reserve(frame.len(), now_ms, is_owed).extend_from_slice(frame);
    }

    /// The segment that takes the next `len` bytes: one numbered frame.
    fn reserve(&mut self, len: usize, now_ms: u32, is_owed: bool) -> &mut Vec<u8> {
        debug_assert!(len <= FRAME_MAX, "a frame of {len} bytes fits no record");
        let fits = self.segments.back().is_some_and(|last| last.capacity() - last.len() >= len);
        self.bytes += len;
        let owed = if is_owed { len } else { 0 };
        self.owed += owed;
        let record = self
            .ready
            .back_mut()
            .filter(|record| fits && record.since_ms == now_ms && usize::from(record.len) + len <= FRAME_MAX);
        if let Some(record) = record {
            record.len += len as u16;
            record.numbered += 1;
            record.owed += owed as u16;
        } else {
            if !fits {
                let fresh = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(SEGMENT_BYTES));
                self.segments.push_back(fresh);
            }
            let segment = self.last_segment();
            let start = self.segments.back().map_or(0, Vec::len) as u32;
            let (len, owed) = (len as u16, owed as u16);
            self.ready.push_back(Laid { segment, start, len, numbered: 1, owed, since_ms: now_ms });
        }
        let last = self.segments.len() - 1;
        &mut self.segments[last]
    }

    /// Number of the segment that is written to.
    fn last_segment(&self) -> u32 {
        self.first_segment.wrapping_add(self.segments.len() as u32).wrapping_sub(1)
    }

    /// Hands over again what a lost channel may have taken with it, up to about `budget` bytes. Answers whether that is
    /// all: only then comes what is new.
    pub(super) fn write_again(&mut self, out: &mut Records, budget: usize, now_ms: u32) -> bool {
        while self.again < self.kept.len() {
            if out.len() >= budget {
                return false;
            }
            match &mut self.kept[self.again] {
                Kept::Laid(laid) => copy(&self.segments, self.first_segment, *laid, out, now_ms),
                Kept::Empty => out.push(&Frame::Empty, HEADER_LEN),
                Kept::Body(whole) => {
                    if self.again_sent == 0 {
                        codec::age(out.append(&whole.head), now_ms.wrapping_sub(whole.since_ms));
                    }
                    self.again_sent = whole.cut.write_piece(self.again_sent, out);
                    if self.again_sent < whole.cut.body.len() {
                        continue;
                    }
                }
            }
            self.again += 1;
            self.again_sent = 0;
        }
        true
    }

    /// Hands over what is new, up to about `budget` bytes, and answers how many numbered frames that were.
    pub(super) fn write(&mut self, out: &mut Records, budget: usize, now_ms: u32) -> u64 {
        let mut numbered = 0;
        while out.len() < budget {
            let Some(laid) = self.ready.pop_front() else { break };
            self.handed_over += 1;
            copy(&self.segments, self.first_segment, laid, out, now_ms);
            numbered += u64::from(laid.numbered);
            self.kept.push_back(Kept::Laid(laid));
        }
        self.again = self.kept.len();
        numbered
    }

    /// Keeps a frame whose last piece has just been handed over.
    pub(super) fn keep(&mut self, whole: Whole) {
        self.bytes += whole.len();
        self.kept.push_back(Kept::Body(Box::new(whole)));
        self.again = self.kept.len();
    }

    /// The peer owns the first `count` numbered frames. Buffers of bodies go to `spare`.
    pub(super) fn release(&mut self, count: u64, mut spare: impl FnMut(Vec<u8>)) {
        while let Some(first) = self.kept.front() {
            let numbered = match first {
                Kept::Laid(laid) => u64::from(laid.numbered),
                Kept::Body(_) | Kept::Empty => 1,
            };
            if self.owned + numbered > count {
                break;
            }
            self.owned += numbered;
            match self.again.checked_sub(1) {
                Some(again) => self.again = again,
                None => self.again_sent = 0,
            }
            match self.kept.pop_front() {
                Some(Kept::Laid(laid)) => {
                    self.bytes -= usize::from(laid.len);
                    self.owed -= usize::from(laid.owed);
                }
                Some(Kept::Body(whole)) => {
                    self.bytes -= whole.len();
                    spare(whole.cut.body);
                }
                Some(Kept::Empty) | None => {}
            }
        }
        self.trim();
    }

    /// Gives up the segments that nothing lies in any more.
    fn trim(&mut self) {
        // What is kept lies before what is ready; a body lies nowhere, but the next record may be far behind it.
        let oldest = self.kept.iter().find_map(|kept| match kept {
            Kept::Laid(laid) => Some(laid.segment),
            Kept::Body(_) | Kept::Empty => None,
        });
        let oldest = oldest.or_else(|| self.ready.front().map(|laid| laid.segment));
        let unused = match oldest {
            Some(oldest) => oldest.wrapping_sub(self.first_segment) as usize,
            None => self.segments.len(),
        };
        for _ in 0..unused {
            let Some(mut segment) = self.segments.pop_front() else { break };
            self.first_segment = self.first_segment.wrapping_add(1);
            if self.spare.len() < SPARE_SEGMENTS {
                segment.clear();
                self.spare.push(segment);
            }
        }
    }

    /// A new channel takes over, whose peer owns the first `next_expected` numbered frames: all others go again, but
    /// requests that have expired, of which `expired` hears. Those leave an empty frame with their number.
    pub(super) fn go_on(
        &mut self,
        next_expected: u64,
        now_ms: u32,
        mut expired: impl FnMut(&Frame<'_>, usize),
        spare: impl FnMut(Vec<u8>),
    ) {
        self.release(next_expected, spare);
        (self.again, self.again_sent) = (0, 0);
        // Of the first record some frames may be owned.
        let mut skip = next_expected.saturating_sub(self.owned);
        self.owned += skip;
        for kept in &mut self.kept {
            match kept {
                Kept::Laid(laid) => {
                    let segment = &mut self.segments[laid.segment.wrapping_sub(self.first_segment) as usize];
                    let start = laid.start as usize;
                    let frames = &mut segment[start..start + usize::from(laid.len)];
                    let waited_ms = now_ms.wrapping_sub(laid.since_ms);
                    let left = strike(frames, &mut skip, waited_ms, &mut expired);
                    self.bytes -= usize::from(laid.len) - left.0;
                    (laid.len, laid.numbered) = (left.0 as u16, left.1);
                }
                Kept::Body(whole) => {
                    let waited_ms = now_ms.wrapping_sub(whole.since_ms);
                    if let Ok((Decoded::Head { frame, .. }, _)) = decode(&whole.head)
                        && frame.is_expired(waited_ms)
                    {
                        expired(&frame, whole.cut.body.len());
                        self.bytes -= whole.len();
                        *kept = Kept::Empty;
                    }
                }
                Kept::Empty => {}
            }
        }
    }

    /// All frames that the peer, which acknowledged so many, is not known to own. In no particular order.
    pub(super) fn each(&self, acknowledged: u64, mut visit: impl FnMut(Stored<'_>)) {
        let mut skip = acknowledged.saturating_sub(self.owned);
        let mut laid = |laid: &Laid, was_sent: bool| {
            let segment = &self.segments[laid.segment.wrapping_sub(self.first_segment) as usize];
            let start = laid.start as usize;
            for decoded in Decoder::new(&segment[start..start + usize::from(laid.len)]) {
                if let Ok(Decoded::Whole(frame)) = decoded {
                    if skip > 0 {
                        skip -= 1;
                        continue;
                    }
                    visit(Stored { frame, was_sent });
                }
            }
        };
        for kept in &self.kept {
            if let Kept::Laid(kept) = kept {
                laid(kept, true);
            }
        }
        for ready in &self.ready {
            laid(ready, false);
        }
        for kept in &self.kept {
            if let Kept::Body(whole) = kept
                && let Ok((Decoded::Head { frame, .. }, _)) = decode(&whole.head)
            {
                visit(Stored { frame, was_sent: true });
            }
        }
    }
}

/// Copies frames to where they are sealed, with what they waited taken off.
fn copy(segments: &VecDeque<Vec<u8>>, first: u32, laid: Laid, out: &mut Records, now_ms: u32) {
    if laid.len == 0 {
        return;
    }
    let segment = &segments[laid.segment.wrapping_sub(first) as usize];
    let start = laid.start as usize;
    let copied = out.append(&segment[start..start + usize::from(laid.len)]);
    let waited_ms = now_ms.wrapping_sub(laid.since_ms);
    if waited_ms > 0 {
        codec::age_all(copied, waited_ms);
    }
}

/// Takes the first `skip` frames out of a record and puts empty ones in the place of those that expired. Answers how many
/// bytes and frames are left.
fn strike(
    frames: &mut [u8],
    skip: &mut u64,
    waited_ms: u32,
    expired: &mut impl FnMut(&Frame<'_>, usize),
) -> (usize, u16) {
    let (mut read, mut written, mut count) = (0, 0, 0);
    while let Ok((decoded, len)) = decode(&frames[read..]) {
        let end = read + len;
        if *skip > 0 {
            *skip -= 1;
        } else {
            count += 1;
            match decoded {
                Decoded::Whole(frame) if frame.is_expired(waited_ms) => {
                    expired(&frame, frame.body().map_or(0, |body| body.wire_len()));
                    let mut empty = Vec::with_capacity(HEADER_LEN);
                    encode(&Frame::Empty, &mut empty);
                    // An empty frame is the shortest there is: it fits where the other was.
                    frames[written..written + empty.len()].copy_from_slice(&empty);
                    written += empty.len();
                }
                _ => {
                    frames.copy_within(read..end, written);
                    written += len;
                }
            }
        }
        read = end;
    }
    (written, count)
}

#[cfg(test)]
mod tests;
