//! Writes the first inputs of each corpus: `cargo run --manifest-path fuzz/Cargo.toml --example seeds`. From these the
//! fuzzer finds the others faster than from nothing.

use std::{fs, path::Path};

use troupe_fuzz::{NOW, authority, member};
use troupe_proto::{
    codec::{
        Body, CloseReason, Correlation, Course, CreditKind, Extensions, Fail, Flow, Frame, Handle, Message,
        Pieces, Pong, Reply, ResetReason, Resume, Target, encode, encode_head,
    },
    noise::{Capabilities, CredentialRequest},
    session::Terms,
    text::Text,
};

fn main() {
    // What to do first, where the input is cut, and one edit of each kind.
    let edit = [0, 20, 0, 3, 1, 1, 40, 0, 3, 255];
    for how in 0..8_u8 {
        write("handshake", &format!("how-{how}"), &[&[how, 30][..], &edit].concat());
    }
    for how in 0..4_u8 {
        write("presentation", &format!("how-{how}"), &[&[how][..], &edit[..5]].concat());
    }
    write("presentation", "untouched", &[0]);
    write("presentation", "untouched-answer", &[1]);
    for how in 0..4_u8 {
        let one = [&[how, 40, 0, 1][..], &edit[..5]].concat();
        write("records", &format!("how-{how}"), &[&one[..], &[0, 0, 0, 0], &one].concat());
    }
    credentials();
    frames();
    write("code", "untouched", &[0, 0]);
    write("code", "edited", &[&[5, 5][..], &edit, &edit[..5]].concat());
    node_records();
}

fn credentials() {
    let request = |name, expires| CredentialRequest {
        name,
        public_key: member("x", 3).identity().public_key(),
        not_before: NOW,
        expires,
        capabilities: Capabilities::WORKER_START,
    };
    for (file, name, expires) in [("short", "a", NOW + 9), ("long", "runner_0-1", NOW + 86_400)] {
        write("credentials", file, &authority().issue(&request(name, expires)).expect("a request").encode());
    }
}

fn frames() {
    let handle = Handle { slot: 1, generation: 2 };
    let correlation = Correlation { slot: 3, generation: 4 };
    let text = |text| Body::Text(Text::from_utf8(text));
    let extensions = Extensions::from_wire(&[1, 2, b'0', b'0']).expect("a field");
    let message = |target, request, body| {
        let (sender, remaining_ms) = (Some(handle), 250);
        Frame::Message(Message { request, control: false, remaining_ms, sender, target, extensions, body })
    };
    let resume =
        Resume { course: Course::Begins, incarnation: 7, known_incarnation: 0, session: 1, next_expected: 0 };
    let all = [
        ("hello", Terms::default().hello()),
        ("resume", Frame::Resume(resume)),
        ("message", message(Target::Slot(handle), None, text("hello"))),
        ("request", message(Target::Name("greeter"), Some(correlation), text("grüße \u{1f980}"))),
        ("control", message(Target::Control, Some(correlation), Body::Bytes(b"L\xa0"))),
        ("reply", Frame::Reply(Reply { correlation, body: Body::Text(Text::Utf16(&[0x61, 0xd83d])) })),
        ("fail", Frame::Fail(Fail { correlation, code: 4, maybe_executed: true, body: text("{}") })),
        ("cancel", Frame::Cancel { correlation, deadline: true }),
        ("stage", Frame::Stage { correlation, stage: 2 }),
        ("where", Frame::Where { name: "greeter" }),
        ("here", Frame::Here { name: "greeter", at: Some(handle) }),
        ("gone", Frame::Gone { handle }),
        ("bind", Frame::Bind { handle, name: "greeter" }),
        (
            "credit",
            Frame::Credit { kind: CreditKind::Ask, target: handle, port: 0, messages: 64, bytes: 1 << 18 },
        ),
        ("empty", Frame::Empty),
        ("fragment", Frame::Fragment { id: 1, last: true, bytes: b"part" }),
        ("reset", Frame::Reset { reason: ResetReason::Expired }),
        ("ack", Frame::Ack { count: 9 }),
        ("window", Frame::Window { flow: Flow::Replies, offset: 1 << 40 }),
        ("ping", Frame::Ping { token: 1 }),
        ("pong", Frame::Pong(Pong { token: 1, turns: &[1, 0, 0, 0] })),
        ("close", Frame::Close { reason: CloseReason::NodeStops, last: 12 }),
    ];
    for (file, frame) in all {
        let mut bytes = Vec::new();
        encode(&frame, &mut bytes);
        write("frames", file, &bytes);
    }
    let mut opening = Vec::new();
    encode(&all[0].1, &mut opening);
    encode(&all[1].1, &mut opening);
    write("frames", "opening", &opening);
    let mut head = Vec::new();
    encode_head(&all[3].1, Pieces { id: 1, total: 5 }, &mut head);
    encode(&Frame::Fragment { id: 1, last: true, bytes: b"whole" }, &mut head);
    write("frames", "pieces", &head);
}

/// As `crates/node/src/discovery/record.rs` lays them out.
fn node_records() {
    for (file, family, scope) in [("ipv4", 4_u8, 0_u32), ("ipv6", 6, 3)] {
        let parts: [&[u8]; 12] = [
            b"troupeN\x01",
            &[7; 32],
            &1_u64.to_le_bytes(),
            &1_800_000_000_000_u64.to_le_bytes(),
            &4711_u32.to_le_bytes(),
            &[9; 16],
            &4_026_531_840_u64.to_le_bytes(),
            &[family],
            &[127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &scope.to_le_bytes(),
            &4242_u16.to_le_bytes(),
            b"\x08runner-1",
        ];
        write("node_records", file, &parts.concat());
    }
}

fn write(target: &str, file: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder).expect("a folder that can be made");
    fs::write(folder.join(file), bytes).expect("a file that can be written");
}
