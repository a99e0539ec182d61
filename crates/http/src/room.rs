//! The room that a message takes while it is under way: as much as it may have until it has been read, then what it has.

use crate::app::CALL_KIB;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::sync::OwnedSemaphorePermit;

/// What so many bytes take of `App::calls`, in KiB. An empty message takes some as well.
pub(crate) fn kib(bytes: usize) -> u32 {
    (bytes.div_ceil(1024) + 1).min(CALL_KIB) as u32
}

/// Room that is held until this is dropped.
#[derive(Debug)]
pub(crate) struct Room(Mutex<OwnedSemaphorePermit>);

impl Room {
    /// Gives back what is more than so many bytes need.
    fn shrink(&self, bytes: usize) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = held.num_permits().saturating_sub(kib(bytes) as usize);
        drop(held.split(rest));
    }
}

/// A body with the room for it: when it has been read to its end, what it did not need is given back.
pub(crate) fn measured(body: Body, held: OwnedSemaphorePermit) -> (Body, Arc<Room>) {
    let room = Arc::new(Room(Mutex::new(held)));
    (Body::new(Measured { body, room: room.clone(), bytes: 0 }), room)
}

struct Measured {
    body: Body,
    room: Arc<Room>,
    bytes: usize,
}

impl HttpBody for Measured {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => self.bytes += frame.data_ref().map_or(0, Bytes::len),
            Some(Err(_)) => {}
            None => self.room.shrink(self.bytes),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
