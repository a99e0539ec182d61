//! Addresses: their numbers in the port, and where they lead.

use crate::isolate::with;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use troupe_node::port::Handle;

/// The number of an address, its generation in word 4.
#[napi(catch_unwind)]
pub fn target(node: u32, address: String) -> Result<u32> {
    with(|isolate| {
        let handle = isolate.port.target(node as u16, &address);
        isolate.incoming.set(4, handle.generation);
        handle.slot
    })
}

/// Gives the number of an address back.
#[napi(catch_unwind)]
pub fn release_target(slot: u32, generation: u32) -> Result<()> {
    with(|isolate| isolate.port.release_target(Handle { slot, generation }))
}

/// The address of a target; null when it has gone.
#[napi(catch_unwind)]
pub fn address_of(slot: u32, generation: u32) -> Result<Option<String>> {
    with(|isolate| isolate.port.address_of(Handle { slot, generation }).map(str::to_owned))
}

/// Name of the node at the other end of a link; null when it is not known.
#[napi(catch_unwind)]
pub fn link_peer(link: u32) -> Result<Option<String>> {
    with(|isolate| isolate.port.peer_name(link).map(str::to_owned))
}

/// Answers the order when the zone says where an address is.
#[napi(catch_unwind)]
pub fn resolve(node: u32, address: String, timeout: u32, request: u32, generation: u32) -> Result<()> {
    with(|isolate| isolate.port.resolve(node as u16, &address, Handle { slot: request, generation }, timeout))
}
