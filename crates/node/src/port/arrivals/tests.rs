//! What a link that ended held is told to whoever sent it.

use super::super::dead_letter::counts;
use super::*;
use std::collections::HashMap;
use troupe_proto::codec::{Correlation, Handle as WireHandle};

const LINK: u32 = 5;

/// An open request whose message was handed to the link.
fn away(port: &mut Port, id: u32, link: u32) {
    assert!(port.requests.open_own(id, 1, Origin::Isolate));
    port.requests.known(id).place = Place::Away { link };
    port.wheel.insert(&mut port.requests, id, u64::MAX);
}

#[test]
fn only_a_request_that_surely_was_not_sent_fails_as_not_executed() {
    let mut port = Port::new(0);
    for (id, link) in [(1, LINK), (2, LINK), (3, LINK + 1)] {
        away(&mut port, id, link);
    }
    let unsent = [2, 3, 9].map(|slot| Correlation { slot, generation: 1 });
    let leftover = Leftover { unsent: unsent.to_vec(), ..Leftover::default() };
    port.link_closed(LINK, Some(&leftover));
    let failed: Vec<_> = port.out.iter().map(|output| output.record).collect();
    let fail = |id, maybe_executed| {
        let code = u32::from(code::NODE_UNREACHABLE);
        [incoming::FAIL, id, 1, code, NIL, 0, maybe_executed, LINK]
    };
    assert_eq!(failed, [fail(2, 0), fail(1, 1)], "each once, and none of another link");
    assert_eq!(port.open_requests(), 1);
}

#[test]
fn sends_and_replies_that_were_lost_with_a_link_are_dead_letters() {
    let before = counts();
    let sender = Some(WireHandle { slot: 0, generation: 1 });
    let lost = |sender, maybe_delivered| LostSend { sender, target: None, maybe_delivered };
    let leftover = Leftover {
        sends: HashMap::from([(lost(sender, true), 3), (lost(None, true), 1), (lost(sender, false), 2)]),
        answers: 4,
        ..Leftover::default()
    };
    Port::new(0).link_closed(LINK, Some(&leftover));
    let after = counts();
    let more = |reason: Reason| after[reason as usize] - before[reason as usize];
    // The counts are the process's: other tests may add to the usual ones meanwhile.
    assert!(more(Reason::NodeUnreachable) >= 2);
    assert_eq!((more(Reason::MaybeDelivered), more(Reason::ReplyLost)), (4, 4));
}

#[test]
fn the_place_of_a_message_that_was_not_sent_again_is_free() {
    let mut port = Port::new(0);
    let target = Handle { slot: 7, generation: 1 };
    let place = port.targets.intern_place(0, "node/worker", LINK, target);
    // The mailbox granted one place, which the message took.
    port.targets.known(place.slot).credit_bytes = -100;
    let mail = Mail::default();
    port.take_post(Post::Unused { link: LINK, target, bytes: 164 }, &mail, &mut super::super::Closed);
    let known = port.targets.known(place.slot);
    // It waits for nothing, so the place is given back to the mailbox at once.
    assert_eq!((known.credit, known.credit_bytes), (0, 64));
}

#[test]
fn a_peer_that_takes_no_more_requests_is_not_taken_for_a_full_mailbox() {
    for (cause, what) in [("", full::MAILBOX), ("{}", full::THERE)] {
        let mut port = Port::new(0);
        away(&mut port, 1, LINK);
        let request = Handle { slot: 1, generation: 1 };
        let failure = Failure::new(code::MAILBOX_FULL);
        let post = |cause| Post::Fail { request, failure, cause, link: LINK };
        assert!(port.inbox.put_text(Text::from_utf8(cause), post));
        let mut mail = Mail::default();
        port.inbox.take(&mut mail);
        let post = mail.posts.remove(0);
        port.take_post(post, &mail, &mut super::super::Closed);
        let failed = port.out[0].record;
        assert_eq!(
            (failed[0] & 0x7f, failed[3], failed[5]),
            (incoming::FAIL, u32::from(code::MAILBOX_FULL), what)
        );
    }
}
