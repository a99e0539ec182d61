//! What a port tells a driver.

use troupe_node::port::record::STRIDE;
use troupe_node::port::{BodyRef, Handle, Sink};
use troupe_proto::text::Text;

/// What a port hands out, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is described by the record it stands for, in `troupe_node::port::record`"
)]
pub enum Told {
    Message { slot: u32, request: Option<Handle>, body: String, remaining: u32, sender: Option<Source> },
    Reply { request: Handle, body: String },
    Fail { request: Handle, code: u8, stage: u32, maybe_executed: bool, cause: Option<String> },
    Waiting { number: u32, wait: Handle },
    Refused { number: u32, code: u8 },
    Sent { wait: Handle },
    Unsent { wait: Handle, code: u8 },
    Cancel { slot: u32, request: Handle, wants_stage: bool },
    Restart(Handle),
    Shutdown(Handle),
    Abort(Handle),
    Gone { worker: Handle, was_abandoned: bool },
}

/// Who sent a message, as its receiver's port knows it: what a reply is put for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// A worker of this port, or the target of one elsewhere.
    pub at: Handle,
    /// Which of the two.
    pub is_elsewhere: bool,
}

/// Collects what a flush hands out.
pub(crate) struct Collected {
    pub(crate) records: Vec<([u32; STRIDE], Option<String>)>,
    pub(crate) room: usize,
}

impl Sink for Collected {
    fn push(&mut self, record: [u32; STRIDE], body: BodyRef<'_>) {
        let text = if let BodyRef::Text(text) = body { Some(in_utf8(text)) } else { None };
        self.records.push((record, text));
    }

    fn has_room(&self, _: &BodyRef<'_>) -> bool {
        self.records.len() < self.room
    }
}

fn in_utf8(text: Text<'_>) -> String {
    let mut bytes = Vec::new();
    text.write_wtf8(&mut bytes);
    String::from_utf8(bytes).expect("text as this driver sends it")
}

/// Messages among what was told: their texts.
#[must_use]
pub fn bodies<'a>(told: &'a [Told]) -> Vec<&'a str> {
    let body = |told: &'a Told| match told {
        Told::Message { body, .. } => Some(body.as_str()),
        _ => None,
    };
    told.iter().filter_map(body).collect()
}
