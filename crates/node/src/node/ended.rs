//! Waiting for the end of a thread without holding up the one that waits.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Called when this is dropped, whatever becomes of who has it.
struct AtEnd<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for AtEnd<F> {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            done();
        }
    }
}

/// Calls `done` when a thread has ended, from another thread, `troupe-close`. Where the system gives none, `done` is called at once,
/// and the error says so: who waits for it must go on, and the thread ends by itself.
pub fn when_ended(thread: JoinHandle<()>, done: impl FnOnce() + Send + 'static) -> io::Result<()> {
    wait(Builder::new(), thread, done)
}

fn wait(builder: Builder, thread: JoinHandle<()>, done: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let done = AtEnd(Some(done));
    let wait = move || {
        // A panic there was reported when it happened.
        let _ = thread.join();
        drop(done);
    };
    builder.name("troupe-close".into()).spawn(wait).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn the_end_of_a_thread_is_told_from_another_one() {
        let (release, released) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let _ = released.recv();
        });
        when_ended(thread, move || tell.send(()).unwrap()).unwrap();
        assert_eq!(told.try_recv(), Err(mpsc::TryRecvError::Empty));
        drop(release);
        told.recv().unwrap();
    }

    #[test]
    fn where_there_is_no_thread_to_wait_on_the_end_is_told_all_the_same() {
        let (release, released) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let _ = released.recv();
        });
        // No machine has so much memory.
        let builder = Builder::new().stack_size(usize::MAX >> 1);
        wait(builder, thread, move || tell.send(()).unwrap()).unwrap_err();
        assert_eq!(told.try_recv(), Ok(()));
        drop(release);
    }
}
