//! The records that an isolate and its port exchange, word by word.
//!
//! Both directions use arrays of `u32` with [`STRIDE`] words a record. Word 0 holds the kind in its low
//! seven bits and flags above. `lib/port/record.ts` is the same table; a test compares the two.

/// Words in one record.
pub const STRIDE: usize = 8;
/// "None" for an index.
pub const NIL: u32 = u32::MAX;
/// "No limit" for a time in milliseconds.
pub const NO_LIMIT: u32 = u32::MAX;
/// Bits of word 0 that hold the kind.
pub const KIND: u32 = 0x7f;
/// Flag: the body never left the isolate; word 4 is an index into its slab.
pub const REF: u32 = 0x80;
/// Flag on [`outgoing::MESSAGE`]: a reply to a mailbox or a worker; it does not wait for room.
pub const NO_WAIT: u32 = 0x100;
/// Flag on [`outgoing::MESSAGE`]: word 1 is a target with its generation in word 2, not a slot.
pub const TO_TARGET: u32 = 0x200;
/// Flag on incoming records: the sender (word 6) is an index into the targets, not a slot.
pub const SENDER_ELSEWHERE: u32 = 0x100;
/// Flag on a request's number: it came from outside of this isolate.
pub const INBOUND: u32 = 0x8000_0000;
/// Flag on [`outgoing::ACK`]: the worker's handlers return promises.
pub const ASYNC: u32 = 0x100;
/// Flag on [`outgoing::READY`]: `initialize` failed.
pub const FAILED_START: u32 = 0x100;

/// Bytes of a body in the slab: bits 16 to 31 of word 0 hold its UTF-16 units, exactly below 32 768,
/// else, with the top bit, in steps of 1024.
#[must_use]
pub fn slab_size(word: u32) -> u32 {
    let units = word >> 16;
    if units & 0x8000 == 0 { units * 2 } else { (units & 0x7fff) * 2048 }
}

/// The reverse of [`slab_size`]: bits of word 0 for a body of so many units, rounded up.
#[must_use]
pub fn size_bits(units: usize) -> u32 {
    if units < 0x8000 {
        (units as u32) << 16
    } else {
        (0x8000 | units.div_ceil(1024).min(0x7fff) as u32) << 16
    }
}

/// Whether word 4 of an outgoing record speaks of a body, where it is not [`NIL`]: asked of each one, so kinds that do have neighbouring
/// numbers.
#[must_use]
pub fn has_body(word: u32) -> bool {
    matches!(word & KIND, outgoing::MESSAGE..=outgoing::TRACE)
}

/// What an isolate hands to its port.
pub mod outgoing {
    /// A message. 0 from bit 16: size of a body in the slab (see [`super::slab_size`]), 1 slot or target, 2 its generation,
    /// 3 sender slot, 4 body (slab index, or length in UTF-16 units), 5 timeout in ms, 6 request (NIL: a send), 7 request generation.
    pub const MESSAGE: u32 = 1;
    /// The next message is nested in this request: 1 request, 2 generation.
    pub const PARENT: u32 = 2;
    /// The answer to a request: 1 request, 2 generation, 3 slot of the worker, 4 body.
    pub const REPLY: u32 = 3;
    /// A handler failed: 1 slot, 2 slot generation, 3 request or NIL, 4 body (the cause), 5 request generation.
    pub const FAILED: u32 = 4;
    /// The next message belongs to this trace: 4 body, a `traceparent`.
    pub const TRACE: u32 = 5;
    /// Messages done with: 1 slot, 2 slot generation, 3 how many.
    pub const ACK: u32 = 6;
    /// The asker gave up: 1 request, 2 generation.
    pub const CANCEL: u32 = 7;
    /// How far a request had come when [`super::incoming::CANCEL`] arrived: 1 request, 2 generation, 3 stage.
    pub const STAGE: u32 = 8;
    /// `initialize` ended: 1 slot, 2 slot generation.
    pub const READY: u32 = 9;
    /// `shutdown` ended: 1 slot, 2 slot generation.
    pub const ENDED: u32 = 10;
    /// A lent message was not begun because its worker stops: 1 slot, 2 slot generation, 3 request or NIL, 5 request generation.
    pub const REFUSED: u32 = 11;
}

/// What a port hands to its isolate.
pub mod incoming {
    /// A message for a worker. 0 from bit 16: the low half of the slot's generation, 1 slot, 2 request or NIL,
    /// 3 request generation, 4 body, 5 remaining ms, 6 sender (slot, or target with `SENDER_ELSEWHERE`), 7 sender's slot generation.
    pub const MESSAGE: u32 = 1;
    /// A request was answered: 1 request, 2 generation, 4 body.
    pub const REPLY: u32 = 2;
    /// A request failed: 1 request, 2 generation, 3 code, 4 body (the cause) or NIL, 5 stage, or what is full (see [`super::full`]), 6 `maybeExecuted`, 7 link or NIL.
    pub const FAIL: u32 = 3;
    /// A send that waited has found room: 1 wait, 2 generation.
    pub const SENT: u32 = 4;
    /// A send waits for room: 1 number of its record, 2 wait, 3 generation.
    pub const WAITING: u32 = 5;
    /// A send was refused at once: 1 number of its record, 3 code, 4 its body if that is in the slab, 5 what is full, 7 link or NIL.
    pub const REFUSED: u32 = 6;
    /// A send that waited has failed: 1 wait, 2 generation, 3 code, 5 stage, or what is full, 6 `maybeDelivered`, 7 link or NIL.
    pub const UNSENT: u32 = 7;
    /// A body of the slab is no longer needed: 4 index.
    pub const DROPPED: u32 = 8;
    /// The asker of a lent message gave up: 1 slot, 2 request, 3 generation, 4 is 1 when a stage is wanted.
    pub const CANCEL: u32 = 9;
    /// Replace the instance: 1 slot, 2 slot generation.
    pub const RESTART: u32 = 10;
    /// Run `shutdown`: 1 slot, 2 slot generation.
    pub const SHUTDOWN: u32 = 11;
    /// The drain time is over: refuse what is lent, abort what runs: 1 slot, 2 slot generation.
    pub const ABORT: u32 = 12;
    /// The worker is gone: 1 slot, 2 slot generation, 3 is 1 when it was abandoned.
    pub const GONE: u32 = 13;
    /// A control request of a peer: 1 node, 2 request, 3 generation; `take_control` has its bytes.
    pub const CONTROL: u32 = 14;
    /// A control request was answered: 1 request, 2 generation; `take_control` has the bytes.
    pub const CONTROLLED: u32 = 15;
    /// Members came or went: 1 node. `members` has them.
    pub const MEMBERS: u32 = 16;
    /// The message in the next record belongs to this trace: 4 body, a `traceparent`.
    pub const TRACE: u32 = 17;
    /// Messages reached nobody, and the isolate wants to hear of it: 1 the place of the reason in [`super::super::Reason::ALL`],
    /// 2 slot they came from (of a reply: whose it is) or NIL, 3 its generation, 5 how many.
    pub const DEAD_LETTER: u32 = 18;
}

/// Stages of a request, as `TimeoutError.stage` names them.
pub mod stage {
    /// Not known to have arrived.
    pub const IN_TRANSIT: u32 = 0;
    /// Waiting, in line or in the mailbox.
    pub const QUEUED: u32 = 1;
    /// Being handled.
    pub const RUNNING: u32 = 2;
    /// Handled without a reply.
    pub const HANDLED: u32 = 3;
}

/// What is full when something fails with [`crate::code::MAILBOX_FULL`], in the word of the stage.
pub mod full {
    /// The mailbox it was for.
    pub const MAILBOX: u32 = 0;
    /// The line of this isolate, in which messages wait for room.
    pub const LINE: u32 = 1;
    /// The open requests of this isolate.
    pub const REQUESTS: u32 = 2;
    /// What the other node takes of requests of this one.
    pub const THERE: u32 = 3;
}
