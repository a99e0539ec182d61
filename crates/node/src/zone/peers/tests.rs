//! Two nodes that find each other in every order end with one channel.

use std::{cell::Cell, rc::Rc};

use troupe_proto::noise::Capabilities;

use super::*;

#[derive(Clone, Debug)]
struct TestLink {
    index: u32,
    open: Rc<Cell<bool>>,
}

impl PartialEq for TestLink {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

impl Eq for TestLink {}

impl Ending for TestLink {
    fn is_open(&self) -> bool {
        self.open.get()
    }

    fn index(&self) -> u32 {
        self.index
    }
}

const SMALL: NodeId = NodeId([1; 32]);
const LARGE: NodeId = NodeId([2; 32]);

fn peer(id: NodeId, incarnation: u64) -> Peer {
    let capabilities = Capabilities::ALL;
    Peer { id, name: "peer".into(), public_key: [0; 32], incarnation, capabilities, expires: u64::MAX }
}

fn nodes() -> (Peers<TestLink>, Peers<TestLink>) {
    (Peers::new(SMALL, 10), Peers::new(LARGE, 20))
}

fn link(index: u32) -> TestLink {
    TestLink { index, open: Rc::new(Cell::new(true)) }
}

fn accept(
    peers: &mut Peers<TestLink>,
    from: &Peer,
    proposal: &Resume,
) -> (Resume, Option<TestLink>, TestLink) {
    match peers.knocked(from, proposal) {
        Verdict::Accept { resume, index, replaced } => {
            let link = link(index);
            peers.opened(from.id, link.clone());
            (resume, replaced, link)
        }
        Verdict::Refuse(reason) => panic!("refused: {reason:?}"),
    }
}

/// What a node says when it dials.
fn propose(peers: &mut Peers<TestLink>, id: NodeId) -> Resume {
    let dial = peers.by_id.get(&id).and_then(|known| known.dial);
    let dial = dial.or_else(|| peers.begin_dial(id)).unwrap();
    peers.propose(&id, dial).unwrap()
}

#[test]
fn a_second_dial_to_the_same_node_is_none() {
    let (mut small, _) = nodes();
    assert!(small.begin_dial(LARGE).is_some());
    assert_eq!(small.begin_dial(LARGE), None);
    small.opened(LARGE, link(0));
    assert_eq!(small.begin_dial(LARGE), None);
    assert_eq!(small.begin_dial(SMALL), None, "nobody dials itself");
}

#[test]
fn of_two_simultaneous_dials_the_smaller_identifiers_stays() {
    let (mut small, mut large) = nodes();
    let small_dial = small.begin_dial(LARGE).unwrap();
    let large_dial = large.begin_dial(SMALL).unwrap();
    let small_proposal = propose(&mut small, LARGE);
    let large_proposal = propose(&mut large, SMALL);

    // In either order of arrival.
    assert_eq!(small.knocked(&peer(LARGE, 20), &large_proposal), Verdict::Refuse(CloseReason::Duplicate));
    let (answer, replaced, _) = accept(&mut large, &peer(SMALL, 10), &small_proposal);
    assert_eq!(replaced, None);
    assert!(!large.is_dialling(&SMALL, large_dial), "it has given up its own");
    let index = small.dialled(&peer(LARGE, 20), &answer, small_dial).unwrap();
    small.opened(LARGE, link(index));

    assert_eq!(large.dialled(&peer(SMALL, 10), &answer, large_dial), None, "too late for it");
    assert_eq!(small.knocked(&peer(LARGE, 20), &large_proposal), Verdict::Refuse(CloseReason::Duplicate));
    assert!(small.link(&LARGE).is_some() && large.link(&SMALL).is_some());
}

#[test]
fn a_dial_that_arrives_after_the_other_has_won_is_refused() {
    let (mut small, mut large) = nodes();
    let given_up = small.begin_dial(LARGE).unwrap();
    let stale = small.propose(&LARGE, given_up).unwrap();
    small.end_dial(LARGE, given_up);
    let dial = large.begin_dial(SMALL).unwrap();
    let (answer, ..) = accept(&mut small, &peer(LARGE, 20), &propose(&mut large, SMALL));
    let index = large.dialled(&peer(SMALL, 10), &answer, dial).unwrap();
    large.opened(SMALL, link(index));
    assert_eq!(large.knocked(&peer(SMALL, 10), &stale), Verdict::Refuse(CloseReason::Duplicate));
}

#[test]
fn a_dial_proposes_nothing_once_the_other_side_was_let_in() {
    let (mut small, mut large) = nodes();
    let dial = large.begin_dial(SMALL).unwrap();
    let (answer, ..) = accept(&mut large, &peer(SMALL, 10), &propose(&mut small, LARGE));
    assert_eq!(large.propose(&SMALL, dial), None);
    assert_eq!(answer.session, 1);
}

#[test]
fn a_node_that_lost_the_link_first_gets_a_new_one() {
    let (mut small, mut large) = nodes();
    let dial = large.begin_dial(SMALL).unwrap();
    let (answer, _, small_side) = accept(&mut small, &peer(LARGE, 20), &propose(&mut large, SMALL));
    let index = large.dialled(&peer(SMALL, 10), &answer, dial).unwrap();
    let large_side = link(index);
    large.opened(SMALL, large_side.clone());

    large_side.open.set(false);
    assert!(large.link(&SMALL).is_none());
    large.begin_dial(SMALL).unwrap();
    let (_, replaced, renewed) = accept(&mut small, &peer(LARGE, 20), &propose(&mut large, SMALL));
    assert_eq!(replaced, Some(small_side.clone()));
    assert_ne!(renewed.index, small_side.index, "numbers are not used again");
    small.closed(LARGE, small_side.index);
    assert_eq!(small.link(&LARGE), Some(renewed), "the end of the old one leaves the new one alone");
}

#[test]
fn another_life_of_a_node_takes_the_place_of_the_old_one() {
    let (mut small, mut large) = nodes();
    let (_, _, old) = accept(&mut small, &peer(LARGE, 20), &propose(&mut large, SMALL));
    let (answer, replaced, _) =
        accept(&mut small, &peer(LARGE, 21), &propose(&mut Peers::new(LARGE, 21), SMALL));
    assert_eq!(replaced, Some(old));
    assert_eq!(answer.session, 1);
}

#[test]
fn sessions_count_up() {
    let (mut small, mut large) = nodes();
    for session in 1..4 {
        let dial = large.begin_dial(SMALL).unwrap();
        let proposal = propose(&mut large, SMALL);
        assert_eq!(proposal.session, session);
        let (answer, _, accepted) = accept(&mut small, &peer(LARGE, 20), &proposal);
        assert_eq!(answer.session, session);
        let index = large.dialled(&peer(SMALL, 10), &answer, dial).unwrap();
        accepted.open.set(false);
        small.closed(LARGE, accepted.index);
        large.opened(SMALL, link(index));
        large.closed(SMALL, index);
    }
}

#[test]
fn nobody_gets_in_while_the_node_leaves() {
    let (mut small, mut large) = nodes();
    let (.., open) = accept(&mut small, &peer(LARGE, 20), &propose(&mut large, SMALL));
    assert_eq!(small.leave(), [open]);
    assert_eq!(
        small.knocked(&peer(LARGE, 20), &propose(&mut large, SMALL)),
        Verdict::Refuse(CloseReason::NodeStops)
    );
    assert_eq!(small.begin_dial(LARGE), None);
}

#[test]
fn nothing_is_kept_of_a_node_that_left() {
    let (mut small, mut large) = nodes();
    let (.., open) = accept(&mut small, &peer(LARGE, 20), &propose(&mut large, SMALL));
    open.open.set(false);
    small.closed(LARGE, open.index);
    small.forget(LARGE);
    assert!(small.by_id.is_empty());
    let dial = small.begin_dial(LARGE).unwrap();
    assert!(small.end_dial(LARGE, dial));
    assert!(small.by_id.is_empty());
}
