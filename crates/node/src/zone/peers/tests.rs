//! Two nodes that find each other in every order end with one channel.

use std::{cell::Cell, rc::Rc};

use troupe_proto::{
    noise::Capabilities,
    session::{Standing, Terms},
};

use super::*;

#[derive(Clone, Debug)]
struct TestLink {
    index: u32,
    open: Rc<Cell<bool>>,
    presence: Rc<Cell<Presence>>,
    standing: Rc<Cell<Standing>>,
    unheard: Rc<Cell<bool>>,
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

    fn standing(&self) -> Standing {
        self.standing.get()
    }

    fn presence(&self) -> Presence {
        self.presence.get()
    }

    fn is_unheard(&self) -> bool {
        self.unheard.get()
    }

    fn detach(&self) -> (u64, u64) {
        (if self.unheard.get() { 0 } else { OWNED }, NUMBER)
    }
}

/// What every link here owns, and the number of its next channel.
const OWNED: u64 = 5;
const NUMBER: u64 = 1;
const SMALL: NodeId = NodeId([1; 32]);
const LARGE: NodeId = NodeId([2; 32]);

fn peer(id: NodeId, incarnation: u64) -> Peer {
    let capabilities = Capabilities::ALL;
    Peer { id, name: "peer".into(), public_key: [0; 32], incarnation, capabilities, expires: u64::MAX }
}

fn nodes() -> (Peers<TestLink>, Peers<TestLink>) {
    (Peers::new(SMALL, 10), Peers::new(LARGE, 20))
}

fn link(index: u32, session: u64) -> TestLink {
    let standing = Standing { session, acknowledged: 3, sent: 9 };
    TestLink {
        index,
        open: Rc::new(Cell::new(true)),
        presence: Rc::new(Cell::new(Presence::Absent)),
        standing: Rc::new(Cell::new(standing)),
        unheard: Rc::new(Cell::new(false)),
    }
}

fn opened(resume: Resume) -> Opened {
    Opened { terms: Terms::default(), resume, reset: None }
}

type Accepted = (Greeting, Option<(TestLink, ResetReason)>, TestLink);

fn accept(peers: &mut Peers<TestLink>, from: &Peer, proposal: &Resume) -> Accepted {
    match peers.knocked(from, &opened(*proposal)) {
        Verdict::Begin { greeting, index, ended } => {
            let link = link(index, greeting.resume.session);
            peers.opened(from.id, link.clone());
            (greeting, ended, link)
        }
        other => panic!("{other:?}"),
    }
}

/// The end of a dial that the other side answered with this.
fn dialled(
    peers: &mut Peers<TestLink>,
    to: &Peer,
    answer: Greeting,
    dial: u64,
    proposal: Proposal<TestLink>,
) -> Dialled<TestLink> {
    let answer = Opened { reset: answer.reset, ..opened(answer.resume) };
    peers.dialled(to, &answer, dial, proposal)
}

/// A session between the two, dialled by the larger.
fn meet(small: &mut Peers<TestLink>, large: &mut Peers<TestLink>) -> [TestLink; 2] {
    let dial = large.begin_dial(SMALL).unwrap();
    let proposal = large.propose(&SMALL, dial).unwrap();
    let (greeting, _, at_small) = accept(small, &peer(LARGE, 20), &proposal.greeting.resume);
    let Dialled::Begin { index, ended: None } = dialled(large, &peer(SMALL, 10), greeting, dial, proposal)
    else {
        panic!("a session begins")
    };
    let at_large = link(index, greeting.resume.session);
    large.opened(SMALL, at_large.clone());
    [at_small, at_large]
}

/// What a node says when it dials.
fn propose(peers: &mut Peers<TestLink>, id: NodeId) -> Resume {
    let dial = peers.by_id.get(&id).and_then(|known| known.dial);
    let dial = dial.or_else(|| peers.begin_dial(id)).unwrap();
    peers.propose(&id, dial).unwrap().greeting.resume
}

#[test]
fn a_second_dial_to_the_same_node_is_none() {
    let (mut small, _) = nodes();
    assert!(small.begin_dial(LARGE).is_some());
    assert_eq!(small.begin_dial(LARGE), None);
    small.opened(LARGE, link(0, 1));
    assert_eq!(small.begin_dial(LARGE), None);
    assert_eq!(small.begin_dial(SMALL), None, "nobody dials itself");
}

#[test]
fn of_two_simultaneous_dials_the_smaller_identifiers_stays() {
    let (mut small, mut large) = nodes();
    let small_dial = small.begin_dial(LARGE).unwrap();
    let large_dial = large.begin_dial(SMALL).unwrap();
    let by_small = small.propose(&LARGE, small_dial).unwrap();
    let by_large = large.propose(&SMALL, large_dial).unwrap();
    let refused = Verdict::Refuse(CloseReason::Duplicate);

    // In either order of arrival.
    assert_eq!(small.knocked(&peer(LARGE, 20), &opened(by_large.greeting.resume)), refused);
    let (answer, ended, _) = accept(&mut large, &peer(SMALL, 10), &by_small.greeting.resume);
    assert_eq!(ended, None);
    let late = opened(by_large.greeting.resume);
    let begins = dialled(&mut small, &peer(LARGE, 20), answer, small_dial, by_small);
    let Dialled::Begin { index, ended: None } = begins else { panic!("{begins:?}") };
    small.opened(LARGE, link(index, 1));

    let too_late = dialled(&mut large, &peer(SMALL, 10), answer, large_dial, by_large);
    assert_eq!(too_late, Dialled::Unwanted);
    assert_eq!(small.knocked(&peer(LARGE, 20), &late), refused);
    assert!(small.link(&LARGE).is_some() && large.link(&SMALL).is_some());
}

#[test]
fn a_dial_that_arrives_after_the_other_has_won_is_refused() {
    let (mut small, mut large) = nodes();
    let given_up = small.begin_dial(LARGE).unwrap();
    let stale = small.propose(&LARGE, given_up).unwrap();
    small.end_dial(LARGE, given_up);
    meet(&mut small, &mut large);
    let verdict = large.knocked(&peer(SMALL, 10), &opened(stale.greeting.resume));
    assert_eq!(verdict, Verdict::Refuse(CloseReason::Duplicate));
}

#[test]
fn a_dial_proposes_nothing_once_the_other_side_was_let_in() {
    let (mut small, mut large) = nodes();
    let dial = large.begin_dial(SMALL).unwrap();
    let (answer, ..) = accept(&mut large, &peer(SMALL, 10), &propose(&mut small, LARGE));
    assert_eq!(large.propose(&SMALL, dial), None);
    assert_eq!(answer.resume.session, 1);
}

#[test]
fn a_lost_channel_is_followed_by_one_on_which_the_session_goes_on() {
    let (mut small, mut large) = nodes();
    let [at_small, at_large] = meet(&mut small, &mut large);
    assert_eq!(large.begin_redial(SMALL, at_large.index + 1), None, "of another link");
    let dial = large.begin_redial(SMALL, at_large.index).unwrap();
    assert_eq!(large.begin_redial(SMALL, at_large.index), None, "once at a time");
    let proposal = large.propose(&SMALL, dial).unwrap();
    let resume = proposal.greeting.resume;
    assert_eq!((resume.course, resume.session, resume.next_expected), (Course::GoesOn, 1, OWNED));
    assert_eq!((resume.incarnation, resume.known_incarnation), (20, 10));

    let verdict = small.knocked(&peer(LARGE, 20), &opened(resume));
    let Verdict::GoOn { greeting, link, number } = verdict else { panic!("{verdict:?}") };
    assert_eq!((link, number, greeting.resume.next_expected), (at_small, NUMBER, OWNED));
    let result = dialled(&mut large, &peer(SMALL, 10), greeting, dial, proposal);
    assert_eq!(result, Dialled::GoOn(at_large, NUMBER));
}

/// The larger dials and is let in; the answer is lost. What it proposed, and the link at the side that let it in.
fn meet_half(small: &mut Peers<TestLink>, large: &mut Peers<TestLink>) -> (Resume, TestLink) {
    let dial = large.begin_dial(SMALL).unwrap();
    let resume = large.propose(&SMALL, dial).unwrap().greeting.resume;
    let (_, _, at_small) = accept(small, &peer(LARGE, 20), &resume);
    at_small.unheard.set(true);
    at_small.standing.set(Standing { session: 1, acknowledged: 0, sent: 4 });
    (resume, at_small)
}

#[test]
fn a_session_whose_first_answer_was_lost_begins_when_it_is_dialled_again() {
    let (mut small, mut large) = nodes();
    let (resume, at_small) = meet_half(&mut small, &mut large);
    let verdict = small.knocked(&peer(LARGE, 20), &opened(resume));
    let Verdict::GoOn { greeting, link, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!(link, at_small, "what it has sent since goes again");
    assert_eq!(greeting.resume, Resume { course: Course::Begins, next_expected: 0, ..greeting.resume });
    assert_eq!(greeting.resume.session, 1);

    at_small.unheard.set(false);
    let verdict = small.knocked(&peer(LARGE, 20), &opened(resume));
    assert_eq!(verdict, Verdict::Refuse(CloseReason::Duplicate), "the other side knows of it");
}

#[test]
fn a_session_whose_first_answer_was_lost_begins_when_the_other_side_wants_it_to_go_on() {
    let (mut small, mut large) = nodes();
    let (_, at_small) = meet_half(&mut small, &mut large);
    let dial = small.begin_redial(LARGE, at_small.index).unwrap();
    let proposal = small.propose(&LARGE, dial).unwrap();
    let (greeting, ended, at_large) = accept(&mut large, &peer(SMALL, 10), &proposal.greeting.resume);
    assert_eq!((ended, greeting.reset, at_large.standing.get().session), (None, None, 1));
    let result = dialled(&mut small, &peer(LARGE, 20), greeting, dial, proposal);
    assert_eq!(result, Dialled::GoOn(at_small, NUMBER));
}

#[test]
fn of_two_dials_that_want_to_go_on_the_smaller_identifiers_stays() {
    let (mut small, mut large) = nodes();
    let [at_small, at_large] = meet(&mut small, &mut large);
    let small_dial = small.begin_redial(LARGE, at_small.index).unwrap();
    let large_dial = large.begin_redial(SMALL, at_large.index).unwrap();
    let by_small = small.propose(&LARGE, small_dial).unwrap();
    let by_large = large.propose(&SMALL, large_dial).unwrap();
    let verdict = small.knocked(&peer(LARGE, 20), &opened(by_large.greeting.resume));
    assert_eq!(verdict, Verdict::Refuse(CloseReason::Duplicate));
    let verdict = large.knocked(&peer(SMALL, 10), &opened(by_small.greeting.resume));
    assert!(matches!(verdict, Verdict::GoOn { .. }), "{verdict:?}");
    assert_eq!(large.propose(&SMALL, large_dial), None);
}

#[test]
fn a_session_moves_while_both_have_its_channel() {
    let (mut small, mut large) = nodes();
    let [at_small, at_large] = meet(&mut small, &mut large);
    at_large.presence.set(Presence::Connected);
    let dial = large.begin_redial(SMALL, at_large.index).unwrap();
    let proposal = large.propose(&SMALL, dial).unwrap();
    let resume = proposal.greeting.resume;
    assert_eq!((resume.course, resume.session, resume.next_expected), (Course::Moves, 1, 0));

    let refused = Verdict::Refuse(CloseReason::Duplicate);
    assert_eq!(small.knocked(&peer(LARGE, 20), &opened(resume)), refused, "this side has lost it");
    at_small.presence.set(Presence::Connected);
    let other = Resume { session: 2, ..resume };
    assert_eq!(small.knocked(&peer(LARGE, 20), &opened(other)), refused, "of another session");
    let own = small.begin_redial(LARGE, at_small.index).unwrap();
    assert_eq!(small.knocked(&peer(LARGE, 20), &opened(resume)), refused, "the smaller one dials");
    small.end_dial(LARGE, own);
    let verdict = small.knocked(&peer(LARGE, 20), &opened(resume));
    let Verdict::Move { greeting, link } = verdict else { panic!("{verdict:?}") };
    assert_eq!(link, at_small);
    let result = dialled(&mut large, &peer(SMALL, 10), greeting, dial, proposal);
    assert_eq!(result, Dialled::Move(at_large));
}

#[test]
fn who_gave_the_session_up_says_so_and_both_begin_anew() {
    let (mut small, mut large) = nodes();
    let [at_small, at_large] = meet(&mut small, &mut large);
    at_small.open.set(false);
    small.closed(LARGE, at_small.index, true);

    // The other side asks to go on.
    let dial = large.begin_redial(SMALL, at_large.index).unwrap();
    let proposal = large.propose(&SMALL, dial).unwrap();
    let (greeting, ended, renewed) = accept(&mut small, &peer(LARGE, 20), &proposal.greeting.resume);
    assert_eq!(ended, None);
    assert_eq!((greeting.resume.session, greeting.resume.course), (2, Course::Begins));
    assert_eq!(greeting.reset, Some(ResetReason::NothingKept));
    let begins = dialled(&mut large, &peer(SMALL, 10), greeting, dial, proposal);
    let Dialled::Begin { index, ended } = begins else { panic!("{begins:?}") };
    assert_eq!(ended, Some((at_large, ResetReason::NothingKept)));
    large.opened(SMALL, link(index, 2));

    // Or the side that gave it up dials first.
    renewed.open.set(false);
    small.closed(LARGE, renewed.index, true);
    let dial = small.begin_dial(LARGE).unwrap();
    let proposal = small.propose(&LARGE, dial).unwrap();
    assert_eq!(proposal.greeting.reset, Some(ResetReason::Expired));
    let said = Opened { reset: proposal.greeting.reset, ..opened(proposal.greeting.resume) };
    let Verdict::Begin { greeting, ended, .. } = large.knocked(&peer(SMALL, 10), &said) else {
        panic!("a session begins")
    };
    assert_eq!((greeting.resume.session, greeting.reset), (3, None));
    assert_eq!(ended.map(|(_, reason)| reason), Some(ResetReason::Expired));
}

#[test]
fn an_answer_to_what_was_not_proposed_ends_nothing() {
    let (mut small, mut large) = nodes();
    let [at_small, at_large] = meet(&mut small, &mut large);
    for (session, next_expected, known_incarnation) in [(2, 5, 20), (1, 2, 20), (1, 10, 20), (1, 5, 21)] {
        let dial = large.begin_redial(SMALL, at_large.index).unwrap();
        let proposal = large.propose(&SMALL, dial).unwrap();
        let course = Course::GoesOn;
        let answer = Resume { course, incarnation: 10, known_incarnation, session, next_expected };
        let result = dialled(&mut large, &peer(SMALL, 10), answer.into(), dial, proposal);
        assert_eq!(result, Dialled::Nonsense);
    }
    assert_eq!((small.link(&LARGE), large.link(&SMALL)), (Some(at_small), Some(at_large)));
}

#[test]
fn another_life_of_a_node_takes_the_place_of_the_old_one() {
    let (mut small, mut large) = nodes();
    let [old, at_large] = meet(&mut small, &mut large);
    let other_life = propose(&mut Peers::new(LARGE, 21), SMALL);
    let (answer, ended, _) = accept(&mut small, &peer(LARGE, 21), &other_life);
    assert_eq!(ended, Some((old, ResetReason::NewIncarnation)));
    assert_eq!(answer.resume.session, 1);

    // And when it is met by dialling it.
    let dial = large.begin_redial(SMALL, at_large.index).unwrap();
    let proposal = large.propose(&SMALL, dial).unwrap();
    let verdict =
        Peers::<TestLink>::new(SMALL, 11).knocked(&peer(LARGE, 20), &opened(proposal.greeting.resume));
    let Verdict::Begin { greeting, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!(greeting.reset, Some(ResetReason::NewIncarnation));
    let Dialled::Begin { ended, .. } = dialled(&mut large, &peer(SMALL, 11), greeting, dial, proposal) else {
        panic!("a session begins")
    };
    assert_eq!(ended, Some((at_large, ResetReason::NewIncarnation)));
}

#[test]
fn sessions_count_up() {
    let (mut small, mut large) = nodes();
    for session in 1..4 {
        let [at_small, at_large] = meet(&mut small, &mut large);
        assert_eq!((at_small.standing().session, at_large.standing().session), (session, session));
        at_small.open.set(false);
        at_large.open.set(false);
        small.closed(LARGE, at_small.index, false);
        large.closed(SMALL, at_large.index, false);
    }
}

#[test]
fn nobody_gets_in_while_the_node_leaves() {
    let (mut small, mut large) = nodes();
    let [open, _] = meet(&mut small, &mut large);
    let proposal = propose(&mut Peers::new(LARGE, 20), SMALL);
    let index = open.index;
    assert_eq!(small.leave(), [open]);
    let verdict = small.knocked(&peer(LARGE, 20), &opened(proposal));
    assert_eq!(verdict, Verdict::Refuse(CloseReason::NodeStops));
    assert_eq!((small.begin_dial(LARGE), small.begin_redial(LARGE, index)), (None, None));
}

#[test]
fn nothing_is_kept_of_a_node_that_left() {
    let (mut small, mut large) = nodes();
    let [open, _] = meet(&mut small, &mut large);
    open.open.set(false);
    small.closed(LARGE, open.index, true);
    small.forget(LARGE);
    assert!(small.by_id.is_empty());
    let dial = small.begin_dial(LARGE).unwrap();
    assert!(small.end_dial(LARGE, dial));
    assert!(small.by_id.is_empty());
}
