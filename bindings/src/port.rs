//! The hot half of the seam: one raw call hands records and text over and brings records and text back.

use crate::isolate::{Isolate, Words, on_isolate};
use napi::sys;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{null, null_mut};
use troupe_node::port::record::{NIL, REF, STRIDE, has_body};
use troupe_node::port::{BatchText, BodyRef, Sink, TICKS_PER_MS, now_ticks};
use troupe_proto::text::Text;

/// Words before the first incoming record: how many records, how many texts, whether there is more, ms to the next
/// deadline (`NIL`: none), a result of a cold call, whether there are records of sends,
/// whether there are records of the log.
const HEADER: usize = 8;
/// Records handed out at a time, not counting one for each record of the batch.
const RECORDS: usize = 2048;
/// Records of one batch, at most.
const BATCH: usize = 4096;
/// Where the records of a flush that only routes begin: apart from those that JavaScript may still be reading.
const SPILLED: usize = HEADER + (RECORDS + BATCH + 16) * STRIDE;
/// Texts handed over in one call: more arguments cost stack.
const TEXTS: usize = 256;
/// UTF-16 units handed over in one call: what JavaScript keeps of a batch stays small.
const UNITS: usize = 64 << 10;
/// A buffer that has grown beyond this is given back.
const KEEP: usize = 4 << 20;

/// Collects what a flush hands out.
struct Outbox<'a> {
    env: sys::napi_env,
    words: Words,
    start: usize,
    count: usize,
    texts: &'a mut Vec<sys::napi_value>,
    units: usize,
    scratch: &'a mut Vec<u16>,
}

impl Outbox<'_> {
    fn text(&mut self, text: Text<'_>) -> u32 {
        let mut value = null_mut();
        // SAFETY: the environment is that of the call under way; pointers and lengths are those of live slices.
        unsafe {
            match text {
                Text::Ascii(bytes) => {
                    self.units += bytes.len();
                    sys::napi_create_string_latin1(
                        self.env,
                        bytes.as_ptr().cast(),
                        bytes.len() as isize,
                        &raw mut value,
                    );
                }
                Text::Utf16(units) => {
                    self.units += units.len();
                    sys::napi_create_string_utf16(
                        self.env,
                        units.as_ptr(),
                        units.len() as isize,
                        &raw mut value,
                    );
                }
                Text::Wtf8(bytes) => {
                    self.units += bytes.len();
                    if std::str::from_utf8(bytes).is_ok() {
                        sys::napi_create_string_utf8(
                            self.env,
                            bytes.as_ptr().cast(),
                            bytes.len() as isize,
                            &raw mut value,
                        );
                    } else {
                        // A lone surrogate: UTF-8 can't carry it into JavaScript, UTF-16 can.
                        text.write_utf16(self.scratch);
                        let units = self.scratch.len() as isize;
                        sys::napi_create_string_utf16(self.env, self.scratch.as_ptr(), units, &raw mut value);
                    }
                }
            }
        }
        self.texts.push(value);
        self.texts.len() as u32 - 1
    }
}

impl Sink for Outbox<'_> {
    fn push(&mut self, mut record: [u32; STRIDE], body: BodyRef<'_>) {
        if let BodyRef::Text(text) = body {
            record[4] = self.text(text);
        }
        let at = self.start + self.count * STRIDE;
        if !self.words.put(at, &record) {
            // Never: `has_room` keeps to RECORDS, and a batch adds one record each at most.
            log::error!(target: "port", "a record did not fit the isolate's array and was lost");
            return;
        }
        self.count += 1;
    }

    fn has_room(&self, body: &BodyRef<'_>) -> bool {
        self.count < RECORDS
            && (!matches!(body, BodyRef::Text(_)) || self.texts.len() < TEXTS && self.units < UNITS)
    }
}

/// Units of text that a batch of records refers to.
fn batch_units(records: &[u32]) -> usize {
    let with_text = |record: &&[u32; STRIDE]| record[0] & REF == 0 && record[4] != NIL && has_body(record[0]);
    records.as_chunks::<STRIDE>().0.iter().filter(with_text).map(|record| record[4] as usize).sum()
}

/// `flush(text, records, deliver)`: see [`Port::flush`].
pub(crate) unsafe extern "C" fn flush(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let done = catch_unwind(AssertUnwindSafe(|| {
        let (mut count, mut arguments) = (3, [null_mut(); 3]);
        let (mut records, mut deliver) = (0, false);
        // SAFETY: `info` is that of the call under way and the array has room for three arguments.
        unsafe {
            sys::napi_get_cb_info(env, info, &raw mut count, arguments.as_mut_ptr(), null_mut(), null_mut());
            sys::napi_get_value_uint32(env, arguments[1], &raw mut records);
            sys::napi_get_value_bool(env, arguments[2], &raw mut deliver);
        }
        on_isolate(|isolate| isolate.flush(env, arguments[0], records as usize, deliver))
    }));
    if !matches!(done, Ok(Ok(()))) {
        // SAFETY: the environment is that of the call; the strings are constants that end in zero.
        unsafe {
            sys::napi_throw_error(
                env,
                null(),
                c"troupe: the port failed; this is a defect, please report it".as_ptr(),
            );
        }
    }
    null_mut()
}

impl Isolate {
    fn flush(&mut self, env: sys::napi_env, text: sys::napi_value, records: usize, deliver: bool) {
        let outgoing = self.outgoing;
        let records = outgoing.slice(records * STRIDE);
        let units = batch_units(records);
        let text = self.read_text(env, text, units);
        let text = match text {
            None => BatchText::Utf16(&self.units[..units]),
            Some(length) => BatchText::Ascii(&self.bytes[..length]),
        };
        self.texts.clear();
        let mut scratch = Vec::new();
        let mut outbox = Outbox {
            env,
            words: self.incoming,
            start: if deliver { HEADER } else { SPILLED },
            count: 0,
            texts: &mut self.texts,
            units: 0,
            scratch: &mut scratch,
        };
        let ticks = now_ticks();
        let time = ticks / TICKS_PER_MS;
        self.port.set_ticks(ticks);
        let flushed = self.port.flush(records, text, &mut outbox, time, deliver);
        let count = outbox.count as u32;
        let next =
            flushed.next.map_or(NIL, |next| (next.saturating_sub(time)).min(u64::from(NIL - 1)) as u32);
        let has_logs = crate::log::has_news().into();
        let texts = self.texts.len() as u32;
        let header = [count, texts, flushed.more.into(), next, 0, flushed.has_sends.into(), has_logs];
        for (index, word) in header.into_iter().enumerate() {
            self.incoming.set(index, word);
        }
        if self.bytes.len() > KEEP {
            self.bytes = Vec::new();
        }
        if self.units.len() > KEEP {
            self.units = Vec::new();
        }
        if !self.texts.is_empty() {
            let (mut stash, mut undefined) = (null_mut(), null_mut());
            // SAFETY: the reference and the values belong to this environment; `stash` only keeps its arguments and
            // does not call back.
            unsafe {
                sys::napi_get_reference_value(env, self.references[2], &raw mut stash);
                sys::napi_get_undefined(env, &raw mut undefined);
                sys::napi_call_function(
                    env,
                    undefined,
                    stash,
                    self.texts.len(),
                    self.texts.as_ptr(),
                    null_mut(),
                );
            }
        }
    }

    /// Copies the batch's text out of JavaScript. `Some(length)`: all ASCII, in `bytes`; `None`: in `units`.
    fn read_text(&mut self, env: sys::napi_env, text: sys::napi_value, units: usize) -> Option<usize> {
        if units == 0 {
            return Some(0);
        }
        // Room for a few bytes more than units: when as many bytes as units come out, every one is ASCII.
        if self.bytes.len() < units + 9 {
            self.bytes.resize(units + units / 2 + 4096, 0);
        }
        let mut written = 0;
        // SAFETY: the buffer has `units + 9` bytes and the call writes at most as many, the ending zero included.
        unsafe {
            sys::napi_get_value_string_utf8(
                env,
                text,
                self.bytes.as_mut_ptr().cast(),
                units + 9,
                &raw mut written,
            );
        }
        if written == units {
            return Some(units);
        }
        if self.units.len() < units + 1 {
            self.units.resize(units + units / 2 + 4096, 0);
        }
        // SAFETY: the buffer has `units + 1` units and the call writes at most as many, the ending zero included.
        unsafe {
            sys::napi_get_value_string_utf16(env, text, self.units.as_mut_ptr(), units + 1, &raw mut written);
        }
        None
    }
}
