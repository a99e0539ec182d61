//! Programs that once went wrong, as small as they were made.

use crate::play::play;
use crate::program::{Options, Step, Who, Whom};
use troupe_node::OnFailure;
use troupe_testkit::End;

const FOR_EVER: u32 = u32::MAX;

fn run(program: &[Step]) {
    play(program).unwrap_or_else(|error| panic!("{error}"));
}

fn start(node: usize, name: usize, capacity: u32) -> Step {
    let on_failure = OnFailure::Resume;
    let options = Options { capacity, rejects: false, on_failure, max_restarts: 0, is_slow: false };
    Step::Start { node, name, options }
}

/// Worker number `number` of a node, beginning with 1; 0 is the node itself.
fn who(node: usize, number: usize) -> Who {
    Who { node, worker: number }
}

fn whom(node: usize, name: usize) -> Whom {
    Whom { node: Some(node), name }
}

fn send(from: Who, to: Whom) -> Step {
    Step::Send { from, to, timeout: FOR_EVER, size: 0 }
}

fn ask(from: Who, to: Whom, timeout: u32) -> Step {
    Step::Ask { from, to, timeout, size: 0 }
}

fn pass(milliseconds: u32) -> Step {
    Step::Pass { milliseconds }
}

#[test]
fn a_worker_that_starts_is_found_at_once_by_who_had_asked_for_it_in_vain() {
    let in_vain = ask(who(0, 0), whom(1, 1), FOR_EVER);
    let nodes = [Step::Join { node: 0 }, Step::Join { node: 1 }, pass(1)];
    let then = [in_vain, pass(13), start(1, 1, 2), pass(4), send(who(0, 0), whom(1, 1)), pass(1)];
    run(&[&nodes[..], &then].concat());
}

#[test]
fn what_nobody_had_is_asked_of_a_node_that_comes() {
    let nodes = [Step::Join { node: 0 }, Step::Join { node: 1 }, pass(1)];
    let in_vain = [ask(who(1, 0), whom(0, 2), 18), pass(4)];
    let another = [Step::Kill { node: 0, lag: 0 }, Step::Join { node: 0 }, start(0, 2, 1000), pass(3)];
    run(&[&nodes[..], &in_vain, &another, &[send(who(1, 0), whom(0, 2)), pass(1)]].concat());
}

#[test]
fn messages_stay_in_order_while_one_address_of_their_worker_is_still_looked_for() {
    let nodes = [Step::Join { node: 1 }, Step::Join { node: 2 }, start(2, 1, 4), pass(1)];
    let anywhere = Whom { node: None, name: 1 };
    for [first, second] in [[anywhere, whom(2, 1)], [whom(2, 1), anywhere]] {
        // The second address is known, then not; a node that is held up lets the search for the first one take its time.
        for known in [&[ask(who(1, 0), second, 15), pass(1)][..], &[]] {
            let held = [Step::Join { node: 0 }, Step::Hold { pair: [0, 1], milliseconds: 30 }];
            let sends = [first, second, first, second].map(|to| send(who(1, 0), to));
            run(&[&nodes[..], known, &held, &sends, &[pass(100)]].concat());
        }
    }
}

#[test]
fn what_comes_to_a_node_behind_its_end_is_counted() {
    let nodes = [Step::Join { node: 1 }, Step::Join { node: 2 }, start(2, 1, 3)];
    let anywhere = Whom { node: None, name: 1 };
    let held = [Step::Hold { pair: [2, 1], milliseconds: 140 }, send(who(1, 0), anywhere), pass(4)];
    let leaves = [Step::Leave { node: 2, timeout: 50 }, Step::Finish { at: who(2, 0), end: End::Replies }];
    run(&[&nodes[..], &[ask(who(1, 0), anywhere, 8), pass(153)], &held, &leaves].concat());
}

#[test]
fn two_nodes_that_lose_the_first_answer_on_their_way_to_a_channel_reach_each_other_at_once() {
    let nodes = [Step::Join { node: 0 }, Step::Join { node: 1 }];
    for behind in (0..800).step_by(7) {
        for pair in [[0, 1], [1, 0]] {
            let cut = Step::Cut { pair, behind: Some(behind) };
            let both = [cut, send(who(0, 0), whom(1, 0)), send(who(1, 0), whom(0, 0))];
            run(&[&nodes[..], &[start(0, 0, 10), start(1, 0, 10)], &both, &[pass(250)]].concat());
        }
    }
}

#[test]
fn who_waits_in_line_gets_the_places_of_a_node_that_is_gone() {
    let nodes = [Step::Join { node: 1 }, start(1, 0, 4), Step::Join { node: 2 }, start(2, 1, 1)];
    let first = [send(who(1, 0), whom(1, 0)), send(who(1, 0), whom(2, 1)), pass(1)];
    let asks = Step::AskNested { from: who(1, 0), to: whom(2, 1), timeout: 20 };
    let finish = Step::Finish { at: who(2, 0), end: End::Replies };
    let part = Step::Part { pair: [1, 2], milliseconds: 43_753 };
    run(&[&nodes[..], &first, &[finish, asks, part, pass(1), send(who(2, 0), whom(2, 1))]].concat());
}

#[test]
fn nothing_waits_for_a_node_that_died_while_the_others_were_asked_for_the_name() {
    let nodes = [Step::Join { node: 0 }, Step::Join { node: 1 }, Step::Join { node: 2 }, start(2, 1, 1000)];
    let anywhere = Whom { node: None, name: 1 };
    let held = [Step::Hold { pair: [1, 0], milliseconds: 1971 }, send(who(0, 0), anywhere), pass(4)];
    let killed = [Step::Kill { node: 2, lag: 20 }, ask(who(0, 0), anywhere, FOR_EVER)];
    run(&[&nodes[..], &held, &killed].concat());
}
