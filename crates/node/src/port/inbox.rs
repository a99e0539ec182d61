//! The way into a port from other threads: a list under a lock, and one wake-up however much arrives.

use crate::link::{Leftover, Link};
use crate::observe::Histogram;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::body::{Body, BodyRef};
use troupe_proto::codec::Traceparent;
use troupe_proto::text::Text;

/// A number with the generation that makes it good for one life only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle {
    /// The number.
    pub slot: u32,
    /// Its generation; never 0.
    pub generation: u32,
}

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Code of the error; see [`crate::code`].
    pub code: u8,
    /// How far the message came, see [`super::record::stage`]; of a full mailbox, what is full, see [`super::record::full`].
    pub stage: u8,
    /// The worker may have begun to handle it.
    pub maybe_executed: bool,
}

impl Failure {
    /// A failure of a message that surely was not handled.
    #[must_use]
    pub fn new(code: u8) -> Self {
        Self { code, stage: 0, maybe_executed: false }
    }

    /// There is no room; `what`: see [`super::record::full`].
    pub(crate) fn full(what: u32) -> Self {
        Self { stage: what as u8, ..Self::new(crate::code::MAILBOX_FULL) }
    }
}

/// The outcome of a request, for a caller in Rust.
#[derive(Debug)]
pub enum Outcome {
    /// The reply.
    Reply(Body),
    /// It failed; the body is the cause, if there is one.
    Failed(Failure, Body),
}

/// Called once with the outcome, on the thread of the port.
pub type Callback = Box<dyn FnOnce(Outcome) + Send>;

/// Who sent a message that comes through the inbox, and the request that it is.
#[derive(Clone, Copy)]
pub(crate) struct From {
    pub(crate) link: u32,
    pub(crate) sender: Option<Handle>,
    pub(crate) request: Option<Handle>,
}

/// Where text of a post stands in the inbox's bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: usize,
    end: usize,
    ascii: bool,
    /// The trace of the message stands in front of it.
    traced: bool,
}

impl Span {
    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }
}

/// One thing that another thread tells a port.
pub(crate) enum Post {
    Opened {
        link: Arc<Link>,
        node: u16,
    },
    Closed {
        link: u32,
        /// What it held; `None`: nothing.
        leftover: Option<Box<Leftover>>,
    },
    /// A message was not sent again: the place of its target is free.
    Unused {
        link: u32,
        target: Handle,
        bytes: u32,
    },
    Message {
        from: From,
        target: Handle,
        remaining: u32,
        no_wait: bool,
        body: Span,
    },
    Reply {
        link: u32,
        request: Handle,
        body: Span,
    },
    Fail {
        request: Handle,
        failure: Failure,
        cause: Span,
        link: u32,
    },
    Cancel {
        link: u32,
        request: Handle,
    },
    Stage {
        link: u32,
        request: Handle,
        stage: u8,
    },
    Credit {
        link: u32,
        target: Handle,
        messages: u32,
        bytes: u32,
    },
    Ask {
        link: u32,
        target: Handle,
        messages: u32,
    },
    Return {
        link: u32,
        target: Handle,
        messages: u32,
    },
    Gone {
        link: u32,
        handle: Handle,
    },
    Bind {
        link: u32,
        handle: Handle,
        name: Box<str>,
    },
    Room {
        link: u32,
    },
    Resolved {
        target: Handle,
        result: Resolution,
    },
    Control {
        link: u32,
        node: u16,
        request: Handle,
        remaining: u32,
        body: Box<[u8]>,
    },
    Controlled {
        link: u32,
        request: Handle,
        body: Box<[u8]>,
    },
    Members {
        node: u16,
    },
    /// Anything else that has to run on the port's thread.
    Run(Box<dyn FnOnce(&mut super::Port) + Send>),
}

impl Post {
    /// The link of a frame that passes no window and its share of [`Link::unread_room`]; `None` for anything else.
    pub(crate) fn unread(&self) -> Option<(u32, usize)> {
        let (link, more) = match self {
            Self::Cancel { link, .. }
            | Self::Stage { link, .. }
            | Self::Credit { link, .. }
            | Self::Ask { link, .. }
            | Self::Return { link, .. }
            | Self::Gone { link, .. } => (*link, 0),
            Self::Bind { link, name, .. } => (*link, name.len()),
            _ => return None,
        };
        Some((link, size_of::<Self>() + more))
    }

    /// Bytes that a control request with such a body takes of [`Link::control_room`].
    pub(crate) fn control_size(body: &[u8]) -> usize {
        size_of::<Self>() + body.len()
    }
}

/// What looking for a name found.
#[derive(Clone)]
pub(crate) enum Resolution {
    Local(Handle),
    Remote(Arc<Link>, Handle),
    Failed(Failure),
}

#[derive(Default)]
pub(crate) struct Mail {
    pub(crate) posts: Vec<Post>,
    pub(crate) bytes: Vec<u8>,
}

impl Mail {
    /// The text of a post, without copying it.
    pub(crate) fn text(&self, span: Span) -> BodyRef<'_> {
        let bytes = &self.bytes[span.start..span.end];
        BodyRef::Text(if span.ascii { Text::Ascii(bytes) } else { Text::Wtf8(bytes) })
    }

    /// The trace of the message whose text that is.
    pub(crate) fn trace(&self, span: Span) -> Option<Traceparent> {
        let from = span.traced.then(|| span.start.checked_sub(Traceparent::LENGTH))??;
        Traceparent::parse(&self.bytes[from..span.start])
    }

    pub(crate) fn clear(&mut self) {
        self.posts.clear();
        // One large burst does not hold its memory for ever.
        if self.bytes.capacity() > 1 << 20 {
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
        }
    }
}

#[derive(Default)]
struct State {
    mail: Mail,
    closed: bool,
    waker: Option<Box<dyn Fn() + Send>>,
    /// When it was woken and has not looked since, by [`super::now_ticks`].
    woken: Option<u64>,
    /// From a wake-up to the turn that looked.
    delays: Histogram,
}

/// The inbox of one port.
#[derive(Default)]
pub struct Inbox {
    state: Mutex<State>,
    has_mail: AtomicBool,
    last_turn: AtomicU64,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("has_mail", &self.has_mail()).finish_non_exhaustive()
    }
}

impl Inbox {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic elsewhere leaves a list of whole posts: it is still good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what wakes the isolate. It is called at most once until the isolate has looked, under a lock:
    /// once the port is shut it is never called again.
    pub fn set_waker(&self, waker: Box<dyn Fn() + Send>) {
        self.lock().waker = Some(waker);
    }

    /// Puts a post in and wakes the isolate. Gives the post back when the port is closed.
    pub(crate) fn post(&self, post: Post) -> Result<(), Post> {
        self.put(post)?;
        self.wake();
        Ok(())
    }

    /// Puts a post in; the caller wakes later.
    pub(crate) fn put(&self, post: Post) -> Result<(), Post> {
        let mut state = self.lock();
        if state.closed {
            return Err(post);
        }
        state.mail.posts.push(post);
        Ok(())
    }

    /// Puts a post with text in, which is copied once; the caller wakes later. `false`: the port is closed.
    pub(crate) fn put_text(&self, text: Text<'_>, post: impl FnOnce(Span) -> Post) -> bool {
        self.put_message(text, None, post)
    }

    /// The same for a message that may belong to a trace.
    pub(crate) fn put_message(
        &self,
        text: Text<'_>,
        trace: Option<&Traceparent>,
        post: impl FnOnce(Span) -> Post,
    ) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        if let Some(trace) = trace {
            state.mail.bytes.extend_from_slice(trace.as_bytes());
        }
        let start = state.mail.bytes.len();
        text.write_wtf8(&mut state.mail.bytes);
        let (end, ascii) = (state.mail.bytes.len(), matches!(text, Text::Ascii(_)));
        let span = Span { start, end, ascii, traced: trace.is_some() };
        state.mail.posts.push(post(span));
        true
    }

    /// Wakes the isolate if it has not been woken since it last looked.
    pub fn wake(&self) {
        if !self.has_mail.swap(true, Ordering::AcqRel) {
            let mut state = self.lock();
            state.woken = Some(super::now_ticks());
            if let Some(waker) = &state.waker {
                waker();
            }
        }
    }

    /// When the isolate last had a turn in which it took in what had come, in ms by [`super::now_ms`]; 0 before the first. An
    /// idle isolate has none, so this is old as well when nothing is wrong.
    pub fn last_turn(&self) -> u64 {
        self.last_turn.load(Ordering::Relaxed)
    }

    /// The isolate has a turn now.
    pub(crate) fn turned(&self, now: u64) {
        self.last_turn.store(now, Ordering::Relaxed);
    }

    pub(crate) fn has_mail(&self) -> bool {
        self.has_mail.load(Ordering::Acquire)
    }

    /// Exchanges what has come for an empty list.
    pub(crate) fn take(&self, mail: &mut Mail) {
        self.has_mail.store(false, Ordering::Release);
        let mut state = self.lock();
        if let Some(woken) = state.woken.take() {
            let delay = super::now_ticks().saturating_sub(woken);
            state.delays.add(u32::try_from(delay).unwrap_or(u32::MAX), 1);
        }
        std::mem::swap(&mut state.mail, mail);
    }

    /// For how long it has been woken without having looked, and how long that took before.
    pub(crate) fn delays(&self) -> (Duration, Histogram) {
        let state = self.lock();
        let since = state.woken.filter(|_| self.has_mail());
        let ticks = since.map_or(0, |woken| super::now_ticks().saturating_sub(woken));
        (Duration::from_millis(ticks / super::TICKS_PER_MS), state.delays.clone())
    }

    /// No more posts are taken and the waker is dropped.
    pub(crate) fn close(&self) -> Mail {
        let mut state = self.lock();
        state.closed = true;
        state.waker = None;
        std::mem::take(&mut state.mail)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BatchText, Closed, Port, now_ms};

    #[test]
    fn an_inbox_tells_when_its_isolate_last_took_in_what_had_come() {
        let mut port = Port::new(0);
        let inbox = port.inbox().clone();
        assert_eq!(inbox.last_turn(), 0);
        let before = now_ms();
        port.flush(&[], BatchText::Ascii(&[]), &mut Closed, now_ms(), true);
        let turn = inbox.last_turn();
        assert!((before..=now_ms()).contains(&turn));
        // A full batch that is only routed, in the middle of a handler that may never end, is no turn.
        port.flush(&[], BatchText::Ascii(&[]), &mut Closed, turn + 1000, false);
        assert_eq!(inbox.last_turn(), turn);
    }
}
