//! The hot half of the seam: one raw call hands records and text over and brings records and text back.
//!
//! One isolate has one [`Isolate`], kept in a thread-local and freed by the environment's clean-up hook.

use napi::bindgen_prelude::*;
use napi::sys;
use napi_derive::napi;
use std::cell::Cell;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{null, null_mut};
use std::sync::LazyLock;
use std::time::Instant;
use troupe_node::port::record::{KIND, NIL, REF, STRIDE, outgoing};
use troupe_node::port::{BatchText, BodyRef, Port, Sink};
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

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Milliseconds since the process loaded the add-on: the clock of every port.
pub(crate) fn now() -> u64 {
    EPOCH.elapsed().as_millis() as u64
}

/// What the bridge keeps of one isolate.
pub(crate) struct Isolate {
    pub(crate) port: Port,
    pub(crate) nodes: Vec<Option<crate::node::Running>>,
    outgoing: Words,
    pub(crate) incoming: Words,
    references: [sys::napi_ref; 3],
    wake: sys::napi_threadsafe_function,
    texts: Vec<sys::napi_value>,
    bytes: Vec<u8>,
    units: Vec<u16>,
}

/// Memory of a typed array that JavaScript holds for as long as the isolate lives.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    pointer: *mut u32,
    length: usize,
}

impl Words {
    fn slice(&self, words: usize) -> &[u32] {
        // SAFETY: `open` took pointer and length of an array that a reference keeps alive and in place; JavaScript
        // runs on this thread and does not write while a native call is under way.
        unsafe { std::slice::from_raw_parts(self.pointer, words.min(self.length)) }
    }

    pub(crate) fn set(&mut self, index: usize, value: u32) {
        if index < self.length {
            // SAFETY: as in `slice`, and the index is within the array.
            unsafe { *self.pointer.add(index) = value }
        }
    }
}

thread_local!(static ISOLATE: Cell<*mut Isolate> = const { Cell::new(null_mut()) });

/// Runs a cold call on the isolate of this thread; a timeout that it sets counts from now.
pub(crate) fn with<T>(call: impl FnOnce(&mut Isolate) -> T) -> Result<T> {
    on_isolate(|isolate| {
        isolate.port.set_now(now());
        call(isolate)
    })
}

fn on_isolate<T>(call: impl FnOnce(&mut Isolate) -> T) -> Result<T> {
    let pointer = ISOLATE.get();
    if pointer.is_null() {
        return Err(Error::from_reason("the port of this isolate has not been opened, or is closed"));
    }
    // SAFETY: the pointer is to a box that only this thread uses and that the clean-up hook frees after setting it to
    // null. No call nests in another: cold calls and `flush` run no JavaScript while they hold the reference,
    // except for `stash`, which only keeps its arguments.
    Ok(call(unsafe { &mut *pointer }))
}

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
        if at + STRIDE > self.words.length {
            // Never: `has_room` keeps to RECORDS, and a batch adds one record each at most (see `open`).
            log::error!(target: "port", "a record did not fit the isolate's array and was lost");
            return;
        }
        // SAFETY: as in `Words::slice`; the end was checked.
        unsafe { std::ptr::copy_nonoverlapping(record.as_ptr(), self.words.pointer.add(at), STRIDE) }
        self.count += 1;
    }

    fn has_room(&self, body: &BodyRef<'_>) -> bool {
        self.count < RECORDS
            && (!matches!(body, BodyRef::Text(_)) || self.texts.len() < TEXTS && self.units < UNITS)
    }
}

/// Units of text that a batch of records refers to.
fn batch_units(records: &[u32]) -> usize {
    let with_text = |record: &&[u32; STRIDE]| {
        let kind = record[0] & KIND;
        record[0] & REF == 0
            && record[4] != NIL
            && (kind == outgoing::MESSAGE || kind == outgoing::REPLY || kind == outgoing::FAILED)
    };
    records.as_chunks::<STRIDE>().0.iter().filter(with_text).map(|record| record[4] as usize).sum()
}

/// `flush(text, records, deliver)`: see [`Port::flush`].
unsafe extern "C" fn flush(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
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
        let time = now();
        let flushed = self.port.flush(records, text, &mut outbox, time, deliver);
        let count = outbox.count as u32;
        let next =
            flushed.next.map_or(NIL, |next| (next.saturating_sub(time)).min(u64::from(NIL - 1)) as u32);
        let has_logs = crate::log::has_records().into();
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

/// Runs on the isolate's loop after a wake-up.
unsafe extern "C" fn on_wake(env: sys::napi_env, callback: sys::napi_value, _: *mut c_void, _: *mut c_void) {
    if env.is_null() || callback.is_null() {
        return; // The environment is being torn down.
    }
    let mut undefined = null_mut();
    // SAFETY: environment and callback are those that N-API hands us for this call.
    unsafe {
        sys::napi_get_undefined(env, &raw mut undefined);
        sys::napi_call_function(env, undefined, callback, 0, null(), null_mut());
    }
}

/// Runs when the environment ends. It was registered after the thread-safe function was made, so it runs before
/// N-API's own hook for that one: no thread calls it once the inbox is closed.
unsafe extern "C" fn clean_up(_: *mut c_void) {
    let pointer = ISOLATE.replace(null_mut());
    if pointer.is_null() {
        return;
    }
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: made by `Box::into_raw` in `open`, and nobody else has it: the thread-local is null now.
        let mut isolate = unsafe { Box::from_raw(pointer) };
        isolate.port.shut();
        for node in isolate.nodes.iter_mut().filter_map(Option::take) {
            node.close_now();
        }
        // SAFETY: the function is ours and this is its last use: the waker went with the inbox.
        unsafe {
            sys::napi_release_threadsafe_function(isolate.wake, sys::ThreadsafeFunctionReleaseMode::abort);
        }
    }));
}

/// `openPort(outgoing, incoming, stash, wake)`: opens the port of this isolate and returns its `flush`.
unsafe extern "C" fn open(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let (mut count, mut arguments) = (4, [null_mut(); 4]);
        // SAFETY: `info` is that of the call under way and the array has room for four arguments.
        unsafe {
            sys::napi_get_cb_info(env, info, &raw mut count, arguments.as_mut_ptr(), null_mut(), null_mut());
        }
        let words = |value| {
            let (mut pointer, mut length) = (null_mut(), 0);
            // SAFETY: asks for pointer and length only; for a value that is no typed array both stay as they are.
            unsafe {
                let to = &raw mut pointer;
                sys::napi_get_typedarray_info(
                    env,
                    value,
                    null_mut(),
                    &raw mut length,
                    to,
                    null_mut(),
                    null_mut(),
                );
            }
            Words { pointer: pointer.cast(), length }
        };
        let (outgoing, incoming) = (words(arguments[0]), words(arguments[1]));
        let mut references = [null_mut(); 3];
        let (mut name, mut wake, mut function) = (null_mut(), null_mut(), null_mut());
        // SAFETY: all values are of the call under way. The references keep both arrays and `stash` alive until the
        // environment ends; V8 would collect them otherwise while native code still writes there.
        unsafe {
            for (reference, value) in references.iter_mut().zip(arguments) {
                sys::napi_create_reference(env, value, 1, reference);
            }
            sys::napi_create_string_utf8(env, c"troupe".as_ptr(), 6, &raw mut name);
            sys::napi_create_threadsafe_function(
                env,
                arguments[3],
                null_mut(),
                name,
                0,
                1,
                null_mut(),
                None,
                null_mut(),
                Some(on_wake),
                &raw mut wake,
            );
            // An idle port does not keep the process alive.
            sys::napi_unref_threadsafe_function(env, wake);
        }
        let isolate = Isolate {
            port: Port::new(now()),
            nodes: Vec::new(),
            outgoing,
            incoming,
            references,
            wake,
            texts: Vec::new(),
            bytes: Vec::new(),
            units: Vec::new(),
        };
        let address = wake as usize;
        isolate.port.inbox().set_waker(Box::new(move || {
            // SAFETY: the inbox calls this only while it is open, under its lock, and `clean_up` closes it before it
            // releases the function.
            unsafe {
                let mode = sys::ThreadsafeFunctionCallMode::nonblocking;
                sys::napi_call_threadsafe_function(
                    address as sys::napi_threadsafe_function,
                    null_mut(),
                    mode,
                );
            }
        }));
        crate::log::wake_with(isolate.port.inbox());
        ISOLATE.set(Box::into_raw(Box::new(isolate)));
        // SAFETY: the hook is a function of this library, which Node never unloads while the environment lives.
        unsafe {
            sys::napi_add_env_cleanup_hook(env, Some(clean_up), null_mut());
            sys::napi_create_function(env, c"flush".as_ptr(), 5, Some(flush), null_mut(), &raw mut function);
        }
        function
    }));
    opened.unwrap_or(null_mut())
}

/// Adds the raw functions to what the macros export.
#[napi(module_exports)]
pub fn exports(mut exports: Object, env: Env) -> Result<()> {
    let mut function = null_mut();
    // SAFETY: the environment is that of the module being loaded.
    let function = unsafe {
        sys::napi_create_function(
            env.raw(),
            c"openPort".as_ptr(),
            8,
            Some(open),
            null_mut(),
            &raw mut function,
        );
        Unknown::from_raw_unchecked(env.raw(), function)
    };
    exports.set_named_property("openPort", function)
}
