//! What nodes ask of each other beside messages, and the signature of code that travels.

use crate::isolate::with;
use crate::node::running;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use troupe_node::port::Handle;

/// Sends a control request to a member.
#[napi(catch_unwind)]
pub fn control(
    node: u32,
    member: String,
    bytes: Uint8Array,
    timeout: u32,
    request: u32,
    generation: u32,
) -> Result<()> {
    let order = Handle { slot: request, generation };
    with(|isolate| isolate.port.control(node as u16, &member, bytes.to_vec().into(), order, timeout))
}

/// A control request of a peer, or the answer to one of ours.
#[napi(object)]
pub struct ControlEntry {
    /// Name of the node it came from.
    pub peer: String,
    /// Identifier of that node.
    pub peer_id: String,
    /// The request or answer itself.
    pub bytes: Uint8Array,
    /// Public key of that node, which verifies what it signs.
    pub public_key: Uint8Array,
}

/// Takes the bytes of a control request or of the answer to one; null when they were taken.
#[napi(catch_unwind)]
pub fn take_control(request: u32) -> Result<Option<ControlEntry>> {
    with(|isolate| {
        isolate.port.take_control(request).map(|control| ControlEntry {
            peer: control.peer,
            peer_id: control.peer_id,
            bytes: control.bytes.into_vec().into(),
            public_key: control.public_key.to_vec().into(),
        })
    })
}

/// Answers a control request: with bytes, or, when there are none, with a code and a cause as JSON text.
#[napi(catch_unwind)]
pub fn answer_control(
    request: u32,
    generation: u32,
    bytes: Option<Uint8Array>,
    code: u32,
    cause: String,
) -> Result<()> {
    with(|isolate| {
        let handle = Handle { slot: request, generation };
        let answer = bytes.as_deref().ok_or((code as u8, cause.as_str()));
        isolate.port.answer_control(handle, answer);
    })
}

/// Signs a bundle of code as this node; the receiver knows the key from the channel.
#[napi(catch_unwind)]
pub fn sign_code(node: u32, hash: Uint8Array) -> Result<Option<Uint8Array>> {
    with(|isolate| {
        let signature = running(isolate, node).and_then(|node| node.0.shared().sign_code(&hash));
        signature.map(|signature| signature.to_vec().into())
    })
}

/// Whether a node with this public key signed a bundle of code.
#[napi(catch_unwind)]
pub fn verify_code(public_key: Uint8Array, hash: Uint8Array, signature: Uint8Array) -> bool {
    troupe_node::node::verify_code(&public_key, &hash, &signature)
}
