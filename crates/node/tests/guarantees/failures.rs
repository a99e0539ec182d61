//! Failure stays inside.

use super::support::{on_failure, with_node};
use std::time::Duration;
use troupe_node::{Cause, Context, Error, OnFailure, Worker, WorkerOptions};

/// Fails in whatever way it is told.
struct Fails(u32);

impl Worker for Fails {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        self.0 += 1;
        match message.as_str() {
            "panic at once" => panic!("at once"),
            "panic later" => {
                tokio::task::yield_now().await;
                panic!("later");
            }
            "error" => return Err(Cause::new("told to").with_code("E_TOLD")),
            _ => context.reply(self.0.to_string())?,
        }
        Ok(())
    }
}

async fn cause_of(context: &Context, message: &str) -> Cause {
    match context.send_and_receive("fails", message).await {
        Err(Error::WorkerFailed { cause, .. }) => cause,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_panic_at_once_or_later_or_an_error_reaches_the_asker_and_keeps_the_state() {
    with_node(async |node| {
        node.start_worker("fails", || Fails(0), WorkerOptions::default()).await.unwrap();
        node.run(async |context: Context| {
            let at_once = cause_of(&context, "panic at once").await;
            assert_eq!((at_once.name.as_str(), at_once.message.as_str()), ("panic", "at once"));
            let later = cause_of(&context, "panic later").await;
            assert_eq!((later.name.as_str(), later.message.as_str()), ("panic", "later"));
            assert_eq!(cause_of(&context, "error").await, Cause::new("told to").with_code("E_TOLD"));
            assert_eq!(context.send_and_receive("fails", "").await?, "4");
            Ok(())
        })
        .await
        .unwrap();
        let listed = &node.list_workers("fails", 1).await.unwrap()[0];
        assert_eq!((listed.handled, listed.failed, listed.type_name), (4, 3, "Fails"));
    });
}

#[test]
fn a_failing_worker_harms_no_other() {
    with_node(async |node| {
        node.start_worker("fails", || Fails(0), WorkerOptions::default()).await.unwrap();
        node.start_worker("calm", || Fails(0), WorkerOptions::default()).await.unwrap();
        for number in 1..20 {
            let (_, calm) = futures_util::future::join(
                node.send_and_receive("fails", "panic at once"),
                node.send_and_receive("calm", ""),
            )
            .await;
            assert_eq!(calm.unwrap(), number.to_string());
        }
    });
}

/// Fails to begin, as often as the counter says.
struct FailsToBegin(bool);

impl Worker for FailsToBegin {
    async fn initialize(&mut self, _: Context) -> Result<(), Cause> {
        if self.0 { Err(Cause::new("not today")) } else { Ok(()) }
    }

    async fn handle_message(&mut self, context: Context, _: String) -> Result<(), Cause> {
        context.reply("here")?;
        Ok(())
    }
}

#[test]
fn a_failure_of_initialize_fails_the_start_and_frees_the_name() {
    with_node(async |node| {
        let options = WorkerOptions::default();
        let failed = node.start_worker("late", || FailsToBegin(true), options).await.unwrap_err();
        assert_eq!(failed, Error::WorkerFailed { worker: "late".into(), cause: Cause::new("not today") });
        let failed =
            node.start_worker("late", || -> Fails { panic!("no worker") }, options).await.unwrap_err();
        let Error::WorkerFailed { cause, .. } = failed else { panic!("{failed:?}") };
        assert_eq!(cause.message, "no worker");
        node.start_worker("late", || FailsToBegin(false), options).await.unwrap();
        assert_eq!(node.send_and_receive("late", "").await.unwrap(), "here");
        let taken = node.start_worker("late", || FailsToBegin(false), options).await.unwrap_err();
        assert_eq!(taken, Error::NameTaken { worker: "late".into() });
    });
}

/// Panics wherever it can when it goes.
struct PanicsAtTheEnd;

impl Worker for PanicsAtTheEnd {
    async fn handle_message(&mut self, _: Context, _: String) -> Result<(), Cause> {
        Ok(())
    }

    async fn shutdown(&mut self, _: Context) -> Result<(), Cause> {
        panic!("in shutdown")
    }
}

impl Drop for PanicsAtTheEnd {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "in drop");
    }
}

#[test]
fn a_panic_in_shutdown_or_drop_harms_nobody() {
    with_node(async |node| {
        node.start_worker("ends", || PanicsAtTheEnd, WorkerOptions::default()).await.unwrap();
        node.start_worker("fails", || Fails(0), WorkerOptions::default()).await.unwrap();
        node.stop_worker("ends", Duration::from_secs(5)).await.unwrap();
        assert_eq!(node.send_and_receive("fails", "").await.unwrap(), "1");
        assert_eq!(node.send("ends", "").await, Err(Error::NoSuchWorker { worker: "ends".into() }));
    });
}

#[test]
fn a_panic_in_what_runs_beside_the_workers_is_a_failure_of_main() {
    with_node(async |node| {
        let failed = node.run(async |_| -> Result<(), Error> { panic!("beside") }).await.unwrap_err();
        assert_eq!(failed.to_string(), "worker \"main\" failed: beside");
        assert_eq!(node.members().await.unwrap().len(), 0);
    });
}

#[test]
fn a_worker_that_is_to_stop_on_failure_fails_what_waits() {
    with_node(async |node| {
        node.start_worker("fails", || Fails(0), on_failure(OnFailure::Stop)).await.unwrap();
        let (failed, waited) = node
            .run(async |context: Context| {
                let failing = context.send_and_receive("fails", "error");
                let waits = context.send_and_receive("fails", "");
                Ok(futures_util::future::join(failing, waits).await)
            })
            .await
            .unwrap();
        assert!(matches!(failed, Err(Error::WorkerFailed { .. })), "{failed:?}");
        assert_eq!(waited, Err(Error::WorkerStopped { worker: "fails".into(), maybe_executed: false }));
        // When the asker hears of the failure, the stop has been done.
        assert_eq!(node.send("fails", "").await, Err(Error::NoSuchWorker { worker: "fails".into() }));
    });
}
