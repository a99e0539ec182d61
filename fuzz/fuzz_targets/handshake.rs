//! Bytes in the place of each handshake message: as they come, or as edits of the honest message.

#![no_main]

use libfuzzer_sys::fuzz_target;
use troupe_fuzz::{NOW, assert_not_accepted, edited, pair, read_in_parts, waiting_for};
use troupe_proto::noise::{HEADER, Handshake};

fuzz_target!(|input: &[u8]| {
    let [how, cut, rest @ ..] = input else { return };
    match how % 8 {
        0 => raw(Handshake::respond(&pair().1, NOW).expect("a responder"), rest, *cut),
        1 => {
            let framed = [&HEADER[..], &(rest.len() as u16).to_be_bytes(), rest].concat();
            raw(Handshake::respond(&pair().1, NOW).expect("a responder"), &framed, *cut);
        }
        2 => raw(waiting_for(2).0, rest, *cut),
        3 => raw(waiting_for(3).0, rest, *cut),
        4 => {
            let framed = [&(rest.len() as u16).to_be_bytes(), rest].concat();
            raw(waiting_for(2).0, &framed, *cut);
        }
        message => {
            let (mut reader, honest) = waiting_for(message - 4);
            let bytes = edited(&honest, rest);
            read_in_parts(&mut reader, &bytes, *cut);
            if !bytes.starts_with(&honest) {
                assert_not_accepted(reader);
            } else if bytes == honest {
                assert!(
                    !reader.take_output().is_empty() || message == 7,
                    "an honest message was not answered"
                );
            }
        }
    }
});

fn raw(mut reader: Handshake, bytes: &[u8], cut: u8) {
    read_in_parts(&mut reader, bytes, cut);
    assert_not_accepted(reader);
}
