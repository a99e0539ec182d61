//! A session counts, holds back and refuses as promised. No clock is waited for.

use std::time::{Duration, Instant};

use super::*;
use crate::codec::{CloseReason, Course, Frame, ResetReason, Resume};

fn terms(window: u32) -> Terms {
    Terms { windows: [window; 2], ..Terms::default() }
}

fn plain_resume(session: u64) -> Resume {
    Resume { course: Course::Begins, incarnation: 7, known_incarnation: 0, session, next_expected: 0 }
}

fn resume(session: u64) -> Frame<'static> {
    Frame::Resume(plain_resume(session))
}

fn goes_on(session: u64, next_expected: u64) -> Frame<'static> {
    Frame::Resume(Resume { course: Course::GoesOn, next_expected, ..plain_resume(session) })
}

#[test]
fn a_full_window_holds_the_next_message_until_it_moves() {
    let mut session = Session::new(&terms(100), &terms(100));
    session.start(Flow::Messages, 99);
    assert!(session.may_start(Flow::Messages));
    session.start(Flow::Messages, 1_000_000);
    assert!(!session.may_start(Flow::Messages));
    assert!(session.may_start(Flow::Replies), "replies have a window of their own");
    session.on_window(Flow::Messages, 1_000_099).unwrap();
    assert!(!session.may_start(Flow::Messages));
    session.on_window(Flow::Messages, 1_000_100).unwrap();
    assert!(session.may_start(Flow::Messages));
}

#[test]
fn a_window_never_moves_back() {
    let mut session = Session::new(&terms(100), &terms(100));
    assert_eq!(
        session.on_window(Flow::Replies, 99),
        Err(SessionError::WindowBack { before: 100, offset: 99 })
    );
}

#[test]
fn the_peer_hears_of_free_room_a_quarter_of_the_window_at_a_time() {
    let mut session = Session::new(&terms(100), &terms(100));
    assert!(!session.consume(Flow::Messages, 24));
    assert_eq!(session.window_to_announce(Flow::Messages), None);
    assert!(session.consume(Flow::Messages, 1));
    assert_eq!(session.window_to_announce(Flow::Messages), Some(125));
    assert_eq!(session.window_to_announce(Flow::Messages), None);
    assert_eq!(session.announced(Flow::Messages), 125);
}

#[test]
fn a_window_of_any_size_is_announced_only_when_it_moved() {
    for size in 1..9 {
        let mut session = Session::new(&terms(size), &terms(size));
        assert_eq!(session.window_to_announce(Flow::Messages), None, "a window of {size}");
        assert!(session.consume(Flow::Messages, u64::from(size)));
        assert_eq!(session.window_to_announce(Flow::Messages), Some(u64::from(2 * size)));
        assert_eq!(session.window_to_announce(Flow::Messages), None);
    }
}

#[test]
fn what_starts_beyond_the_window_is_a_violation() {
    let mut received = Received::new(&terms(100));
    received.admit(Flow::Messages, 5_000, || 100).unwrap();
    assert_eq!(
        received.admit(Flow::Messages, 1, || 100),
        Err(SessionError::Overrun { offset: 5_000, limit: 100 })
    );
    received.admit(Flow::Replies, 1, || unreachable!("the window is not used up")).unwrap();
    received.admit(Flow::Messages, 1, || 5_001).unwrap();
}

#[test]
fn acknowledgements_only_grow_and_never_pass_what_was_sent() {
    let mut session = Session::new(&terms(100), &terms(100));
    assert!(session.is_acknowledged());
    session.number(2);
    session.on_ack(1).unwrap();
    assert!(!session.is_acknowledged());
    assert!(matches!(session.on_ack(0), Err(SessionError::Acknowledged { .. })));
    assert!(matches!(session.on_ack(3), Err(SessionError::Acknowledged { .. })));
    session.on_ack(2).unwrap();
    assert!(session.is_acknowledged());
}

#[test]
fn an_acknowledgement_is_sent_once() {
    let mut session = Session::new(&terms(100), &terms(100));
    assert_eq!(session.ack_to_send(0), None);
    assert_eq!(session.ack_to_send(3), Some(3));
    assert_eq!(session.ack_to_send(3), None);
}

#[test]
fn an_acknowledgement_waits_for_company_but_not_for_long() {
    let start = Instant::now();
    let mut received = Received::new(&terms(100));
    assert_eq!(received.ack_urgency(0, start), AckUrgency::Nothing);
    received.own();
    let AckUrgency::By(due) = received.ack_urgency(0, start) else { panic!("it may wait") };
    assert_eq!(received.ack_urgency(0, start + Duration::from_millis(1)), AckUrgency::By(due));
    assert_eq!(received.ack_urgency(0, due), AckUrgency::Now);
    assert_eq!(received.ack_urgency(1, due), AckUrgency::Nothing);
    for _ in 0..300 {
        received.own();
    }
    assert_eq!(received.ack_urgency(1, due), AckUrgency::Now);
}

#[test]
fn a_close_after_a_gap_is_no_end() {
    let mut received = Received::new(&terms(100));
    received.own();
    assert_eq!(received.on_close(1), Ok(()));
    assert_eq!(received.on_close(2), Err(SessionError::CloseNumber { last: 2, received: 1 }));
}

#[test]
fn nothing_comes_before_hello_and_resume() {
    let hello = terms(100).hello();
    let mut opening = Opening::default();
    assert!(opening.read(&resume(1), 7).is_err());
    assert!(opening.read(&Frame::Empty, 7).is_err());
    assert!(Opening::default().finish().is_err());
    opening.read(&hello, 7).unwrap();
    assert!(opening.read(&hello, 7).is_err());
    assert!(opening.read(&Frame::Close { reason: CloseReason::NodeStops, last: 0 }, 7).is_err());
    assert!(opening.read(&Frame::Reset { reason: ResetReason::Expired }, 7).is_err());
    opening.read(&resume(1), 7).unwrap();
    assert!(opening.read(&resume(1), 7).is_err());
    let opened = opening.finish().unwrap();
    assert_eq!(opened.terms, terms(100));
    assert_eq!((opened.resume.session, opened.reset), (1, None));
}

#[test]
fn a_reset_stands_behind_the_resume_of_a_session_that_begins() {
    let reset = Frame::Reset { reason: ResetReason::Expired };
    let mut opening = Opening::default();
    opening.read(&terms(100).hello(), 7).unwrap();
    opening.read(&resume(2), 7).unwrap();
    opening.read(&reset, 7).unwrap();
    assert!(opening.read(&reset, 7).is_err(), "once");
    assert_eq!(opening.finish().unwrap().reset, Some(ResetReason::Expired));

    let mut opening = Opening::default();
    opening.read(&terms(100).hello(), 7).unwrap();
    opening.read(&goes_on(2, 5), 7).unwrap();
    assert!(opening.read(&reset, 7).is_err(), "a session that goes on was not given up");
}

#[test]
fn a_resume_that_contradicts_the_handshake_or_itself_is_refused() {
    let contradicts = Frame::Resume(Resume { next_expected: 1, ..plain_resume(1) });
    for (frame, incarnation) in [(resume(1), 8), (resume(0), 7), (contradicts, 7)] {
        let mut opening = Opening::default();
        opening.read(&terms(100).hello(), incarnation).unwrap();
        assert!(opening.read(&frame, incarnation).is_err());
    }
}

#[test]
fn a_session_number_behind_which_the_count_would_run_over_is_refused() {
    let resumed = |frame: &Frame<'_>| {
        let mut opening = Opening::default();
        opening.read(&terms(100).hello(), 7).unwrap();
        opening.read(frame, 7)
    };
    for number in [MAX_SESSION + 1, u64::MAX] {
        assert!(matches!(resumed(&resume(number)), Err(SessionError::OutOfPlace(_))), "{number} begins");
        assert!(matches!(resumed(&goes_on(number, 1)), Err(SessionError::OutOfPlace(_))), "{number} goes on");
    }
    resumed(&resume(MAX_SESSION)).unwrap();
}

#[test]
fn terms_without_room_are_refused() {
    for unusable in [
        Terms { max_message: 0, ..terms(1) },
        Terms { max_reassembly: 1, ..terms(1) },
        Terms { max_pieces: 0, ..terms(1) },
        terms(0),
    ] {
        assert!(Opening::default().read(&unusable.hello(), 7).is_err(), "{unusable:?}");
    }
}

#[test]
fn a_session_goes_on_with_its_numbers_and_windows() {
    let mut session = Session::new(&terms(100), &terms(100));
    session.start(Flow::Messages, 40);
    session.number(5);
    session.on_ack(2).unwrap();
    session.consume(Flow::Replies, 30);
    session.window_to_announce(Flow::Replies).unwrap();
    assert_eq!(session.standing(3), Standing { session: 3, acknowledged: 2, sent: 5 });
    assert!(session.go_on(1, 0).is_err(), "what was acknowledged is not kept");
    assert!(session.go_on(6, 0).is_err(), "what was never sent");
    assert_eq!(session.go_on(4, 9), Ok([100, 130]));
    assert_eq!(session.standing(3).acknowledged, 4);
    assert_eq!(session.ack_to_send(9), None, "RESUME has told it");
    assert_eq!(session.ack_to_send(10), Some(10));
    assert!(session.may_start(Flow::Messages), "40 of 100 are still counted");
    session.start(Flow::Messages, 60);
    assert!(!session.may_start(Flow::Messages));
    session.take_back(Flow::Messages, 60);
    assert!(session.may_start(Flow::Messages), "what is not sent after all fills no window");
}

#[test]
fn a_body_that_comes_again_is_counted_once() {
    let mut received = Received::new(&terms(100));
    received.admit(Flow::Messages, 150, || 100).unwrap();
    received.take_back(Flow::Messages, 150);
    received.admit(Flow::Messages, 150, || 100).unwrap();
    assert!(received.admit(Flow::Messages, 1, || 100).is_err());
}
