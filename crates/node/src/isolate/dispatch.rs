//! What a port hands out: kept until the isolate gets to it, and then done.

use super::Local;
use super::batch::record;
use super::cells::{Body, Lent, Letter, Order};
use crate::cause::Cause;
use crate::error::Reported;
use crate::port::record::{KIND, NIL, NO_LIMIT, REF, SENDER_ELSEWHERE, STRIDE, incoming, outgoing};
use crate::port::{BodyRef, Handle, Sink};
use std::collections::VecDeque;
use std::rc::Rc;
use troupe_proto::text::Text;

/// Records handed out at a time, not counting one for each record of the batch.
const RECORDS: usize = 2048;
/// Bytes of text handed out at a time; one more text always fits.
const BYTES: usize = 1 << 20;

/// One thing to do.
pub(super) struct Incoming {
    words: [u32; STRIDE],
    text: Option<Body>,
    /// When it was handed out, in ms of the isolate's clock: what remains of a deadline counts from then.
    at: u64,
}

/// What is to be done.
#[derive(Default)]
pub(super) struct Outbox {
    pub(super) waiting: VecDeque<Incoming>,
    bytes: usize,
    /// The time of the flush under way.
    pub(super) now: u64,
}

impl Sink for Outbox {
    fn push(&mut self, words: [u32; STRIDE], body: BodyRef<'_>) {
        let text = match body {
            BodyRef::Text(text) => Some(self.read(text)),
            _ => None,
        };
        self.waiting.push_back(Incoming { words, text, at: self.now });
    }

    fn has_room(&self, _: &BodyRef<'_>) -> bool {
        self.waiting.len() < RECORDS && self.bytes < BYTES
    }
}

impl Outbox {
    fn read(&mut self, text: Text<'_>) -> Body {
        let read = match text {
            Text::Ascii(bytes) | Text::Wtf8(bytes) => String::from_utf8(bytes.to_vec()).ok(),
            Text::Utf16(units) => String::from_utf16(units).ok(),
        };
        read.map_or(Body::NotUnicode, |text| {
            self.bytes += text.len();
            Body::Text(text)
        })
    }

    fn next(&mut self) -> Option<Incoming> {
        let next = self.waiting.pop_front();
        if self.waiting.is_empty() {
            self.bytes = 0;
        }
        next
    }
}

impl Local {
    /// How sends of the batch fared is read at once: afterwards the numbers of their records mean other sends.
    pub(super) fn read_sends(&self) {
        let outbox = self.outbox.borrow();
        let mut sends = self.sends.borrow_mut();
        for Incoming { words, .. } in &outbox.waiting {
            let [kind, number, wait, three, ..] = *words;
            match kind & KIND {
                incoming::WAITING => {
                    let wait = Handle { slot: wait, generation: three };
                    if !sends.waits(number, wait) {
                        self.put(record(outgoing::CANCEL, [wait.slot, wait.generation, 0]));
                    }
                }
                incoming::REFUSED => sends.refused(number, three as u8, words[5], words[7]),
                _ => {}
            }
        }
    }

    /// Does what is to be done, as far as the turn's budget goes.
    pub(super) fn dispatch(self: &Rc<Self>) {
        while !self.is_spent() {
            let Some(incoming) = self.outbox.borrow_mut().next() else { return };
            self.perform(incoming);
        }
    }

    fn perform(self: &Rc<Self>, Incoming { words, text, at: since }: Incoming) {
        let [word, one, two, three, four, five, six, seven] = words;
        let text = if word & REF != 0 || word & KIND == incoming::DROPPED {
            self.batch.borrow_mut().take_kept(four).map(Body::Text)
        } else {
            text
        };
        let at = Handle { slot: one, generation: two };
        match word & KIND {
            incoming::MESSAGE => {
                let until = if five == NO_LIMIT { u64::MAX } else { since + u64::from(five) };
                let letter = Letter {
                    request: two,
                    generation: three,
                    sender: six,
                    sender_generation: seven,
                    is_from_elsewhere: word & SENDER_ELSEWHERE != 0,
                    until,
                };
                self.deliver(
                    one,
                    word >> 16,
                    Lent { letter, body: text.unwrap_or(Body::Text(String::new())) },
                );
            }
            incoming::REPLY => {
                let answer = match text {
                    Some(Body::Text(text)) => Ok(text),
                    None => Ok(String::new()),
                    Some(Body::NotUnicode) => Err(Reported {
                        maybe_executed: true,
                        cause: Some(not_unicode().encode()),
                        ..Reported::new(crate::code::WORKER_FAILED)
                    }),
                };
                self.answered(at, answer);
            }
            incoming::FAIL => {
                let cause = match text {
                    Some(Body::Text(text)) => Some(text),
                    _ => None,
                };
                let (code, maybe_executed) = (three as u8, six != 0);
                let reported = Reported { code, stage: five, maybe_executed, cause, link: seven };
                self.answered(at, Err(reported));
            }
            incoming::SENT => self.send_ended(at, Ok(())),
            incoming::UNSENT => {
                let (code, maybe_executed) = (three as u8, six != 0);
                let reported = Reported { code, stage: five, maybe_executed, cause: None, link: seven };
                self.send_ended(at, Err(reported));
            }
            incoming::CANCEL => {
                let request = Handle { slot: two, generation: three };
                let reached = self.cancel(one, request);
                if four == 1 {
                    self.put(record(outgoing::STAGE, [two, three, reached]));
                }
            }
            incoming::RESTART => self.order(at, Order::Restart),
            incoming::SHUTDOWN => self.order(at, Order::Shutdown),
            incoming::ABORT => self.abort(at),
            incoming::GONE => self.gone(at),
            incoming::CONTROL => self.refuse_control(Handle { slot: two, generation: three }),
            // How sends fared was read at once; a dropped body is gone by now; members are looked up when asked for.
            _ => {}
        }
    }

    /// A message was lent: handled now when its worker is free.
    fn deliver(self: &Rc<Self>, slot: u32, generation: u32, lent: Lent) {
        let task = {
            let mut cells = self.cells.borrow_mut();
            // Somebody else may have the slot by now: the record carries the low half of the generation.
            let Some(cell) = cells.slot(slot).filter(|cell| cell.generation & 0xffff == generation) else {
                return;
            };
            let is_free = cell.task != NIL
                && cell.current.is_none()
                && !cell.is_paused
                && cell.lent.is_empty()
                && cell.order.is_none()
                && !self.has_passed(lent.letter.until);
            if !is_free {
                let at = Handle { slot, generation: cell.generation };
                if cell.task == NIL && matches!(lent.body, Body::NotUnicode) {
                    drop(cells);
                    return self.failed(at, lent.letter, &not_unicode());
                }
                cell.lent.push_back(lent);
                if cell.task == NIL {
                    if let Some((_, Some(waker))) = cell.receivers.front() {
                        waker.wake_by_ref();
                    }
                } else if cell.current.is_none() && !cell.is_paused {
                    // Expired on the way here: the port says how it ends.
                    cells.park(at);
                }
                return;
            }
            self.hand.set(Some(lent));
            cell.task
        };
        self.poll_task(task);
        debug_assert!(self.hand.take().is_none(), "a free worker takes what it is handed");
        self.spend();
    }

    fn answered(&self, at: Handle, answer: Result<String, Reported>) {
        if let Some(waker) = self.requests.borrow_mut().answered(at, answer) {
            waker.wake();
        }
    }

    fn send_ended(&self, wait: Handle, result: Result<(), Reported>) {
        if let Some(waker) = self.sends.borrow_mut().ended(wait, result) {
            waker.wake();
        }
    }

    fn order(self: &Rc<Self>, at: Handle, order: Order) {
        let task = {
            let mut cells = self.cells.borrow_mut();
            let Some(cell) = cells.get(at) else { return };
            cell.order = Some(order);
            cell.task
        };
        if task == NIL {
            // A mailbox has nothing to shut down.
            self.put(record(outgoing::ENDED, [at.slot, at.generation, 0]));
        } else {
            self.poll_task(task);
        }
    }
}

/// Why a text from JavaScript can't be read here.
pub(super) fn not_unicode() -> Cause {
    Cause::new("the text holds half of a surrogate pair, which is no Unicode: Rust can't read it")
}
