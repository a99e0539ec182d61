//! The worked example of docs/wire.md: the same two nodes, with the same keys, say the same things, and every block of
//! hexadecimal digits on that page has to be what came out.

use std::sync::Arc;

use super::authority::{AccessKey, Authority};
use super::capabilities::Capabilities;
use super::credential::CredentialRequest;
use super::handshake::{Established, HEADER, Handshake};
use super::identity::Identity;
use super::membership::Membership;
use super::records::{OpeningKey, RECORD_HEADER, RECORD_TAG, SealingKey};
use super::suite::StaticKey;
use crate::codec::{
    Body, CloseReason, Correlation, Course, CreditKind, Decoder, Extensions, Frame, Handle, Message, Pong,
    Reply, Resume, Target, encode,
};
use crate::session::Terms;
use crate::text::Text;

const PAGE: &str = include_str!("../../../../docs/wire.md");

const NOW: u64 = 1_800_000_000;
const EXPIRES: u64 = NOW + 24 * 3600;
const ASKER_INCARNATION: u64 = 0x1111_1111_1111_1111;
const RUNNER_INCARNATION: u64 = 0x2222_2222_2222_2222;
/// Noise keys: of the processes, and of this one handshake.
const ASKER_KEYS: [[u8; 32]; 2] = [[5; 32], [6; 32]];
const RUNNER_KEYS: [[u8; 32]; 2] = [[7; 32], [8; 32]];

const GREETER: Handle = Handle { slot: 5, generation: 1 };
const MAIN: Handle = Handle { slot: 0, generation: 1 };
const REQUEST: Correlation = Correlation { slot: 7, generation: 1 };

/// Blocks of the page: name and bytes, in order.
type Blocks = Vec<(String, Vec<u8>)>;

fn documented() -> Blocks {
    let mut blocks = Vec::new();
    let mut lines = PAGE.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("```hex ") else { continue };
        let inside = lines.by_ref().take_while(|line| *line != "```");
        // What follows a `#` is for people.
        let digits: String = inside
            .flat_map(|line| line.split('#').next().unwrap_or_default().chars())
            .filter(|c| !c.is_whitespace())
            .collect();
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        blocks.push((name.to_owned(), (0..digits.len()).step_by(2).map(byte).collect()));
    }
    blocks
}

fn member(name: &str, identity: u8, noise_key: [u8; 32], incarnation: u64) -> Membership {
    let authority = Authority::from_secret(&[1; 32]);
    let identity = Arc::new(Identity::from_secret(&[identity; 32]));
    let public_key = identity.public_key();
    let request = CredentialRequest {
        name,
        public_key,
        not_before: NOW,
        expires: EXPIRES,
        capabilities: Capabilities::ALL,
    };
    let credential = authority.issue(&request).unwrap();
    let access_key = AccessKey::from_secret(&[3; 32]);
    let key = Arc::new(StaticKey::of(noise_key.into()));
    Membership::assemble(identity, credential, authority.public_key(), access_key, incarnation, key).unwrap()
}

/// One direction of the channel.
struct Direction {
    name: &'static str,
    count: usize,
    seal: SealingKey,
    open: OpeningKey,
}

impl Direction {
    /// Adds the frames of the next record, and the record as it travels, to the blocks.
    fn say(&mut self, blocks: &mut Blocks, frames: &[Frame<'_>]) {
        let mut plaintext = Vec::new();
        for frame in frames {
            encode(frame, &mut plaintext);
        }
        let mut record = [&[0; RECORD_HEADER][..], &plaintext, &[0; RECORD_TAG]].concat();
        self.seal.seal_in_place(&mut record).unwrap();
        let mut read = record.clone();
        let opened = self.open.open_in_place(&mut read[RECORD_HEADER..]).unwrap();
        assert_eq!(Decoder::new(opened).map(Result::unwrap).count(), frames.len());
        blocks.push((format!("{} frames {}", self.name, self.count), plaintext));
        blocks.push((format!("{} record {}", self.name, self.count), record));
        self.count += 1;
    }
}

/// The handshake: its blocks, and what both sides know in the end.
fn shake_hands(blocks: &mut Blocks) -> (Established, Established) {
    let asker = member("asker", 4, ASKER_KEYS[0], ASKER_INCARNATION);
    let runner = member("runner-1", 2, RUNNER_KEYS[0], RUNNER_INCARNATION);
    let mut add = |name: &str, bytes: &[u8]| blocks.push((name.to_owned(), bytes.to_vec()));
    add("prologue", &[&HEADER[..], &asker.zone_id().0].concat());
    add("runner presentation", runner.presentation());
    add("asker presentation", asker.presentation());

    let expect = Some(runner.node_id());
    let mut initiator = Handshake::initiate_as(&asker, expect, NOW, |noise| {
        noise.fixed_ephemeral_key_for_testing_only(&ASKER_KEYS[1])
    })
    .unwrap();
    let mut responder = Handshake::respond_as(&runner, NOW, |noise| {
        noise.fixed_ephemeral_key_for_testing_only(&RUNNER_KEYS[1])
    })
    .unwrap();
    let sent = initiator.take_output();
    add("header and message 1", &sent);
    responder.read(&sent).unwrap();
    let sent = responder.take_output();
    add("message 2", &sent);
    initiator.read(&sent).unwrap();
    let sent = initiator.take_output();
    add("message 3", &sent);
    responder.read(&sent).unwrap();
    let (near, far) = (initiator.finish().unwrap(), responder.finish().unwrap());
    assert_eq!(near.hash, far.hash);
    add("handshake hash", &near.hash);
    (near, far)
}

fn text(text: &str) -> Body<'_> {
    Body::Text(Text::from_utf8(text))
}

/// What the two nodes say, from the first record to the last.
fn talk(blocks: &mut Blocks, (near, far): (Established, Established)) {
    let mut asker = Direction { name: "asker", count: 0, seal: near.send, open: far.receive };
    let mut runner = Direction { name: "runner", count: 0, seal: far.send, open: near.receive };
    let hello = Terms { accept_code: true, ..Terms::default() }.hello();
    let resume = |incarnation| {
        Frame::Resume(Resume {
            course: Course::Begins,
            incarnation,
            known_incarnation: 0,
            session: 1,
            next_expected: 0,
        })
    };
    asker.say(blocks, &[hello, resume(ASKER_INCARNATION)]);
    runner.say(blocks, &[hello, resume(RUNNER_INCARNATION)]);

    asker.say(blocks, &[Frame::Ping { token: 1 }, Frame::Where { name: "greeter" }]);
    let pong = Frame::Pong(Pong { token: 1, turns: &[] });
    runner.say(blocks, &[pong, Frame::Here { name: "greeter", at: Some(GREETER) }, Frame::Ack { count: 1 }]);

    let places = |kind, messages, bytes| Frame::Credit { kind, target: GREETER, port: 0, messages, bytes };
    asker.say(blocks, &[places(CreditKind::Ask, 1, 0), Frame::Ack { count: 1 }]);
    runner.say(blocks, &[places(CreditKind::Grant, 64, 256 << 10), Frame::Ack { count: 2 }]);

    let request = Message {
        request: Some(REQUEST),
        control: false,
        remaining_ms: 30_000,
        sender: Some(MAIN),
        target: Target::Slot(GREETER),
        extensions: Extensions::NONE,
        body: text("Alice"),
    };
    let bind = Frame::Bind { handle: MAIN, name: "main" };
    asker.say(blocks, &[bind, Frame::Message(request), Frame::Ack { count: 2 }]);
    let reply = Reply { correlation: REQUEST, body: text("Hello, Alice!") };
    runner.say(blocks, &[Frame::Reply(reply), Frame::Ack { count: 4 }]);

    let close = Frame::Close { reason: CloseReason::NodeStops, last: 4 };
    asker.say(blocks, &[Frame::Ack { count: 3 }, close]);
}

#[test]
fn the_conversation_of_the_page_comes_out_byte_for_byte() {
    let mut spoken = Blocks::new();
    let established = shake_hands(&mut spoken);
    talk(&mut spoken, established);
    let documented = documented();
    for (at, (name, bytes)) in spoken.iter().enumerate() {
        let on_page = documented.get(at).map(|(name, bytes)| (name.as_str(), bytes));
        assert!(
            on_page == Some((name, bytes)),
            "block {at} of docs/wire.md is {on_page:02x?}; it should be {name}: {bytes:02x?}"
        );
    }
    assert_eq!(documented.len(), spoken.len(), "docs/wire.md has other blocks");
}
