//! Traces that members name: what is none is nothing.

use troupe_node::port::record::incoming;
use troupe_proto::{
    codec::{Extensions, Frame, Message},
    noise::Capabilities,
};

use super::{isolate::Node, member::message_to};

#[tokio::test]
async fn a_trace_that_is_none_is_ignored_and_its_message_is_not() {
    let mut node = Node::new().await;
    let mut peer = node.member(Capabilities::NONE).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let fields = [trace, &trace.to_uppercase(), &trace.replace('-', "\0"), "", trace]
        .map(|text| [&[Extensions::TRACEPARENT, text.len() as u8], text.as_bytes()].concat());
    let frames = fields.iter().map(|field| {
        // It waits for no room, so it needs no place that was granted.
        let extensions = Extensions::from_wire(field).unwrap();
        let message = Message { request: None, remaining_ms: 0, extensions, ..message_to(node.worker, None) };
        Frame::Message(message)
    });
    let frames: Vec<_> = frames.collect();
    peer.say_all(frames.into_iter()).await;
    let (trace, message) = (incoming::TRACE, incoming::MESSAGE);
    assert_eq!(node.handles(5).await, [trace, message, message, message, message, trace, message]);
}
