//! Two sides of a session under random operations: who keeps the rules never breaks one, windows bound what is under
//! way and always open again, numbers only grow; and what a peer makes up changes nothing.

#![expect(clippy::unwrap_used, reason = "what is unwrapped in a test is its claim")]

use std::collections::VecDeque;

use proptest::prelude::*;
use troupe_proto::{
    codec::Flow,
    session::{Received, Session, SessionError, Terms},
};

/// What passes from one side to the other.
#[derive(Debug, Clone, Copy)]
enum Sent {
    Frame(Option<(Flow, u32)>),
    Ack(u64),
    Window(Flow, u64),
}

/// One side.
struct Side {
    session: Session,
    received: Received,
    /// Frames received and not yet taken in.
    waiting: VecDeque<(Flow, u32)>,
    /// On their way to the other side.
    wire: VecDeque<Sent>,
    sent: u64,
    window: u64,
}

/// What happens next, to side 0 or 1.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A frame is sent, if its window lets it.
    Send(usize, Option<(Flow, u32)>),
    /// The next of what the other side sent arrives.
    Deliver(usize),
    /// A frame that was received is taken in.
    TakeIn(usize),
    /// What the other side should know is told.
    Tell(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let side = 0_usize..2;
    let flow = prop_oneof![Just(Flow::Messages), Just(Flow::Replies)];
    // Costs around the size of the windows, and one far beyond them.
    let cost = prop_oneof![4 => 1_u32..80, 1 => 80_u32..400, 1 => Just(1 << 24)];
    prop_oneof![
        3 => (side.clone(), prop::option::weighted(0.9, (flow, cost))).prop_map(|(side, frame)| Step::Send(side, frame)),
        4 => side.clone().prop_map(Step::Deliver),
        3 => side.clone().prop_map(Step::TakeIn),
        2 => side.prop_map(Step::Tell),
    ]
}

fn sides(windows: [u32; 2]) -> [Side; 2] {
    let terms = windows.map(|window| Terms { windows: [window; 2], ..Terms::default() });
    [(0, 1), (1, 0)].map(|(own, peer)| Side {
        session: Session::new(&terms[own], &terms[peer]),
        received: Received::new(&terms[own]),
        waiting: VecDeque::new(),
        wire: VecDeque::new(),
        sent: 0,
        window: u64::from(windows[own]),
    })
}

impl Side {
    fn send(&mut self, frame: Option<(Flow, u32)>) {
        if let Some((flow, cost)) = frame {
            if !self.session.may_start(flow) {
                return;
            }
            self.session.start(flow, cost);
        }
        self.session.number(1);
        self.sent += 1;
        self.wire.push_back(Sent::Frame(frame));
    }

    fn receive(&mut self, sent: Sent) -> Result<(), SessionError> {
        match sent {
            Sent::Frame(frame) => {
                if let Some((flow, cost)) = frame {
                    let session = &self.session;
                    self.received.admit(flow, cost, || session.announced(flow))?;
                    self.waiting.push_back((flow, cost));
                }
                self.received.own();
                Ok(())
            }
            Sent::Ack(count) => self.session.on_ack(count),
            Sent::Window(flow, offset) => self.session.on_window(flow, offset),
        }
    }

    fn take_in(&mut self) {
        if let Some((flow, cost)) = self.waiting.pop_front() {
            self.session.consume(flow, u64::from(cost));
        }
    }

    fn tell(&mut self) {
        if let Some(count) = self.session.ack_to_send(self.received.owned()) {
            self.wire.push_back(Sent::Ack(count));
        }
        for flow in Flow::ALL {
            if let Some(offset) = self.session.window_to_announce(flow) {
                self.wire.push_back(Sent::Window(flow, offset));
            }
        }
    }

    /// What is received and not taken in stays within the window and one frame, whose cost is the largest there is.
    fn check(&self) {
        for flow in Flow::ALL {
            let of_flow = self.waiting.iter().filter(|(other, _)| *other == flow);
            let but_the_last = of_flow.map(|(_, cost)| u64::from(*cost)).collect::<Vec<_>>();
            let before_last = but_the_last.iter().rev().skip(1).sum::<u64>();
            assert!(
                before_last < self.window.max(1),
                "{before_last} bytes wait, {} are allowed",
                self.window
            );
        }
        assert!(self.session.acknowledged_to_peer() <= self.received.owned());
    }
}

fn deliver(sides: &mut [Side; 2], to: usize) -> bool {
    let Some(sent) = sides[1 - to].wire.pop_front() else { return false };
    sides[to].receive(sent).unwrap();
    sides[to].check();
    true
}

/// Everything under way arrives, is taken in, and is told.
fn settle(sides: &mut [Side; 2]) {
    // Each round takes all there is: what the last one told is all that the next one finds.
    for _ in 0..10 {
        let mut moved = false;
        for side in 0..2 {
            while deliver(sides, side) {
                moved = true;
            }
            while !sides[side].waiting.is_empty() {
                sides[side].take_in();
                moved = true;
            }
            sides[side].tell();
        }
        if !moved && sides.iter().all(|side| side.wire.is_empty()) {
            return;
        }
    }
    panic!("the two sides never come to rest");
}

proptest! {
    #[test]
    fn who_keeps_the_rules_breaks_none_and_is_never_stuck(
        windows: [u8; 2],
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut sides = sides(windows.map(|window| u32::from(window) + 1));
        for step in steps {
            match step {
                Step::Send(side, frame) => sides[side].send(frame),
                Step::Deliver(side) => drop(deliver(&mut sides, side)),
                Step::TakeIn(side) => sides[side].take_in(),
                Step::Tell(side) => sides[side].tell(),
            }
        }
        settle(&mut sides);
        for (side, other) in [(0, 1), (1, 0)] {
            prop_assert_eq!(sides[side].session.sent(), sides[side].sent);
            prop_assert_eq!(sides[other].received.owned(), sides[side].sent);
            prop_assert!(sides[side].session.is_acknowledged());
            prop_assert!(Flow::ALL.iter().all(|flow| sides[side].session.may_start(*flow)), "a window stays shut");
            prop_assert_eq!(sides[other].received.on_close(sides[side].sent), Ok(()));
            prop_assert!(sides[other].received.on_close(sides[side].sent + 1).is_err());
        }
    }

    #[test]
    fn what_a_peer_makes_up_is_refused_and_changes_nothing(
        made_up in prop::collection::vec((any::<bool>(), prop_oneof![0_u64..40, any::<u64>()]), 0..40),
    ) {
        let terms = Terms { windows: [20; 2], ..Terms::default() };
        let mut session = Session::new(&terms, &terms);
        let (mut acknowledged, mut limit, mut sent, mut started) = (0, 20, 0, 0);
        for (is_ack, number) in made_up {
            if session.may_start(Flow::Messages) {
                session.start(Flow::Messages, 7);
                session.number(1);
                (sent, started) = (sent + 1, started + 7);
            }
            if is_ack {
                let allowed = number >= acknowledged && number <= sent;
                prop_assert_eq!(session.on_ack(number).is_ok(), allowed);
                acknowledged = if allowed { number } else { acknowledged };
            } else {
                let allowed = number >= limit;
                prop_assert_eq!(session.on_window(Flow::Messages, number).is_ok(), allowed);
                limit = if allowed { number } else { limit };
            }
            prop_assert_eq!(session.is_acknowledged(), acknowledged == sent);
            prop_assert_eq!(session.may_start(Flow::Messages), started < limit);
            prop_assert!(session.may_start(Flow::Replies), "the other window is another");
        }
    }

    #[test]
    fn what_begins_beyond_a_window_is_refused_wherever_that_ends(
        window in 1_u32..500,
        costs in prop::collection::vec(1_u32..200, 1..40),
        moves in prop::collection::vec(0_u64..100, 40),
    ) {
        let mut received = Received::new(&Terms { windows: [window; 2], ..Terms::default() });
        let (mut started, mut limit) = (0, u64::from(window));
        for (cost, moved) in costs.into_iter().zip(moves) {
            let result = received.admit(Flow::Messages, cost, || limit);
            prop_assert_eq!(result.is_ok(), started < limit, "at {} of {}", started, limit);
            if result.is_err() {
                prop_assert_eq!(result, Err(SessionError::Overrun { offset: started, limit }));
                limit += moved;
            } else {
                started += u64::from(cost);
            }
        }
    }
}
