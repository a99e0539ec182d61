//! One isolate: its port and what the bridge keeps beside it, from the opening to the end of the environment.
//!
//! It lives in a thread-local, as JavaScript's heap does, and is freed by the environment's clean-up hook.

use crate::port::flush;
use napi::bindgen_prelude::*;
use napi::sys;
use napi_derive::napi;
use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{CStr, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{null, null_mut};
use troupe_node::port::record::STRIDE;
use troupe_node::port::{Port, now_ms};

/// What the bridge keeps of one isolate.
pub(crate) struct Isolate {
    pub(crate) port: Port,
    pub(crate) nodes: Vec<Option<crate::node::Running>>,
    /// Servers of nodes, by their numbers.
    pub(crate) servers: HashMap<u32, troupe_http::Server>,
    pub(crate) outgoing: Words,
    pub(crate) incoming: Words,
    pub(crate) references: [sys::napi_ref; 3],
    pub(crate) wake: sys::napi_threadsafe_function,
    pub(crate) texts: Vec<sys::napi_value>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) units: Vec<u16>,
}

/// Memory of a typed array that JavaScript holds for as long as the isolate lives.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    pointer: *mut u32,
    length: usize,
}

impl Words {
    pub(crate) fn slice(&self, words: usize) -> &[u32] {
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

    /// Writes a record; `false` when it would reach beyond the end.
    pub(crate) fn put(&mut self, at: usize, record: &[u32; STRIDE]) -> bool {
        let fits = at + STRIDE <= self.length;
        if fits {
            // SAFETY: as in `slice`, and the end was checked.
            unsafe { std::ptr::copy_nonoverlapping(record.as_ptr(), self.pointer.add(at), STRIDE) }
        }
        fits
    }
}

thread_local!(static ISOLATE: Cell<*mut Isolate> = const { Cell::new(null_mut()) });

/// Runs a cold call on the isolate of this thread; a timeout that it sets counts from now.
pub(crate) fn with<T>(call: impl FnOnce(&mut Isolate) -> T) -> Result<T> {
    on_isolate(|isolate| {
        isolate.port.set_now(now_ms());
        call(isolate)
    })
}

/// As [`with`], for the hot call, which tells the port the time itself.
pub(crate) fn on_isolate<T>(call: impl FnOnce(&mut Isolate) -> T) -> Result<T> {
    let pointer = ISOLATE.get();
    if pointer.is_null() {
        return Err(Error::from_reason("the port of this isolate has not been opened, or is closed"));
    }
    // SAFETY: the pointer is to a box that only this thread uses and that the clean-up hook frees after setting it to
    // null. No call nests in another: cold calls and `flush` run no JavaScript while they hold the reference,
    // except for `stash`, which only keeps its arguments.
    Ok(call(unsafe { &mut *pointer }))
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

/// What whoever opens a second port hears.
const OPENED_TWICE: &CStr = c"troupe is loaded twice here: another copy of the package, or another evaluation of its modules, has \
    opened the port of this thread already, and there is one. Let everything import the same copy (`npm ls troupe` shows them, `npm dedupe` \
    joins them); where a test runner evaluates modules anew for each file, give each file a process of its own";

/// `openPort(outgoing, incoming, stash, wake)`: opens the port of this isolate and returns its `flush`. Again: an error.
unsafe extern "C" fn open(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    if !ISOLATE.get().is_null() {
        // SAFETY: the environment is that of the call under way.
        unsafe {
            sys::napi_throw_error(env, null(), OPENED_TWICE.as_ptr());
        }
        return null_mut();
    }
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
            port: Port::new(now_ms()),
            nodes: Vec::new(),
            servers: HashMap::new(),
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
