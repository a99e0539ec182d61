//! Giving up travels: to the message wherever it is, to the handler, and to what is nested in it.

use super::support::{NOBODY, failure_of, is_at_rest, lent, mailbox_of, with_node};
use tokio::sync::mpsc;
use troupe_node::code;
use troupe_node::port::record::stage;
use troupe_node::{Cause, Context, Error, Worker, WorkerOptions};
use troupe_testkit::driver::FOR_EVER;
use troupe_testkit::{Driver, Told};

#[test]
fn a_message_given_up_in_the_mailbox_or_in_line_is_not_handled() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(2));
    driver.room = 1;
    let runs = driver.ask(NOBODY, worker, "runs", FOR_EVER);
    let queued = driver.ask(NOBODY, worker, "queued", FOR_EVER);
    let in_line = driver.ask(NOBODY, worker, "in line", FOR_EVER);
    assert_eq!(lent(&driver.flush()), [Some(runs)]);
    driver.give_up(queued);
    driver.give_up(in_line);
    driver.reply(worker, runs, "");
    driver.done(worker, 1);
    driver.room = usize::MAX;
    assert_eq!(lent(&driver.flush()), []);
    assert!(is_at_rest(&driver));
}

#[test]
fn giving_up_a_lent_request_tells_the_worker_and_wants_no_stage() {
    let mut driver = Driver::new();
    let worker = driver.start("worker", &mailbox_of(2));
    let request = driver.ask(NOBODY, worker, "", FOR_EVER);
    driver.flush();
    driver.give_up(request);
    let told = driver.flush();
    assert_eq!(told, [Told::Cancel { slot: worker.slot, request, wants_stage: false }]);
    driver.done(worker, 1);
    driver.flush();
    assert!(is_at_rest(&driver));
}

#[test]
fn giving_up_gives_up_all_that_is_nested_however_deep() {
    let mut driver = Driver::new();
    let [a, b, c] = ["a", "b", "c"].map(|name| driver.start(name, &mailbox_of(10)));
    let outer = driver.ask(NOBODY, a, "outer", FOR_EVER);
    driver.flush();
    let middle = driver.ask_nested(outer, a.slot, b, "middle", FOR_EVER);
    let sibling = driver.ask_nested(outer, a.slot, c, "sibling", FOR_EVER);
    driver.flush();
    let inner = driver.ask_nested(middle, b.slot, c, "inner", FOR_EVER);
    driver.flush();
    driver.give_up(outer);
    let told = driver.flush();
    for request in [middle, sibling, inner] {
        assert_eq!(failure_of(&told, request).map(|failure| failure.0), Some(code::GIVEN_UP), "{told:?}");
    }
    for (worker, request) in [(a, outer), (b, middle), (c, sibling), (c, inner)] {
        let slot = worker.slot;
        assert!(told.contains(&Told::Cancel { slot, request, wants_stage: false }), "{told:?}");
    }
    for (worker, count) in [(a, 1), (b, 1), (c, 2)] {
        driver.done(worker, count);
    }
    driver.flush();
    assert!(is_at_rest(&driver));
}

#[test]
fn a_nested_request_whose_parent_was_answered_goes_on() {
    let mut driver = Driver::new();
    let [a, b] = ["a", "b"].map(|name| driver.start(name, &mailbox_of(10)));
    let outer = driver.ask(NOBODY, a, "", FOR_EVER);
    driver.flush();
    let inner = driver.ask_nested(outer, a.slot, b, "", FOR_EVER);
    driver.reply(a, outer, "");
    driver.flush();
    driver.reply(b, inner, "still");
    driver.done(a, 1);
    driver.done(b, 1);
    assert_eq!(driver.flush(), [Told::Reply { request: inner, body: "still".into() }]);
    assert!(is_at_rest(&driver));
}

#[test]
fn when_the_deadline_passes_what_is_nested_is_given_up_with_it() {
    let mut driver = Driver::new();
    let [a, b] = ["a", "b"].map(|name| driver.start(name, &mailbox_of(10)));
    let outer = driver.ask(NOBODY, a, "", 100);
    driver.flush();
    let inner = driver.ask_nested(outer, a.slot, b, "", FOR_EVER);
    driver.flush();
    let mut told = driver.after(100);
    // Both are due at the same moment: the inner one by the time it inherited.
    driver.stage(outer, stage::RUNNING);
    driver.stage(inner, stage::RUNNING);
    told.extend(driver.flush());
    assert_eq!(failure_of(&told, outer), Some((code::TIMEOUT, stage::RUNNING, true)));
    assert!(failure_of(&told, inner).is_some(), "{told:?}");
}

/// Says when it begins and when its asker gave up.
struct Waits(mpsc::UnboundedSender<&'static str>);

impl Worker for Waits {
    async fn handle_message(&mut self, context: Context, _: String) -> Result<(), Cause> {
        self.0.send("begins")?;
        assert!(!context.is_cancelled());
        context.cancelled().await;
        assert!(context.is_cancelled());
        self.0.send("was given up")?;
        Ok(())
    }
}

/// Asks on, and says what came of it.
struct Asks(mpsc::UnboundedSender<&'static str>);

impl Worker for Asks {
    async fn handle_message(&mut self, context: Context, _: String) -> Result<(), Cause> {
        let nested = context.send_and_receive("waits", "").await;
        assert_eq!(nested, Err(Error::GivenUp));
        // Nothing more is asked for an asker that is gone.
        assert_eq!(context.send_and_receive("waits", "").await, Err(Error::GivenUp));
        self.0.send("nested was given up")?;
        Ok(())
    }
}

#[test]
fn dropping_a_request_in_rust_tells_the_handler_and_gives_up_what_it_asked() {
    with_node(async |node| {
        let (log, mut logged) = mpsc::unbounded_channel();
        let its_log = log.clone();
        node.start_worker("waits", move || Waits(its_log.clone()), WorkerOptions::default()).await.unwrap();
        node.start_worker("asks", move || Asks(log.clone()), WorkerOptions::default()).await.unwrap();
        let asking = tokio::spawn({
            let node = node.clone();
            async move { node.send_and_receive("asks", "").await }
        });
        assert_eq!(logged.recv().await, Some("begins"));
        asking.abort();
        let mut after = [logged.recv().await.unwrap(), logged.recv().await.unwrap()];
        after.sort_unstable();
        assert_eq!(after, ["nested was given up", "was given up"]);
    });
}

#[test]
fn a_context_kept_beyond_its_handler_still_hears_that_the_asker_gave_up() {
    with_node(async |node| {
        let outcome = node
            .run(async |context: Context| {
                let (kept, mut keeps) = mpsc::unbounded_channel();
                let make = move || Keeps(kept.clone());
                context.start_worker("keeps", make, WorkerOptions::default()).await?;
                let mut asked = Box::pin(context.send_and_receive("keeps", ""));
                let kept: Context = tokio::select! {
                    kept = keeps.recv() => kept.unwrap(),
                    other = &mut asked => panic!("{other:?}"),
                };
                let given_up = kept.cancelled();
                drop(asked);
                given_up.await;
                Ok(kept.reply("to nobody"))
            })
            .await;
        assert_eq!(outcome, Ok(Ok(())));
    });
}

/// Hands its contexts out.
struct Keeps(mpsc::UnboundedSender<Context>);

impl Worker for Keeps {
    async fn handle_message(&mut self, context: Context, _: String) -> Result<(), Cause> {
        self.0.send(context).map_err(|_| Cause::new("nobody keeps it"))
    }
}
