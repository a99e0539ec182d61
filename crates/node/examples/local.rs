//! Workers of one node: state, an answer, a failure, a deadline that a nested request inherits.
//!
//! `cargo run -p troupe-node --example local` prints
//!
//! ```text
//! 3 words so far
//! worker "words" failed: there is nothing to count
//! 5 words so far
//! timeout: the message to "clerk" was still being handled; the handler has been told
//! ```

use std::error::Error;
use std::time::Duration;
use troupe_node::{Cause, Context, Node, NodeOptions, Worker, WorkerOptions};

/// Counts words: its state is a field, which no other worker can reach.
struct Words {
    count: usize,
}

impl Worker for Words {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        if message.is_empty() {
            return Err(Cause::new("there is nothing to count"));
        }
        self.count += message.split_whitespace().count();
        context.reply(format!("{} words so far", self.count))?;
        Ok(())
    }
}

/// Asks another worker, which never answers: the deadline of whoever asked holds for this request too.
struct Clerk;

impl Worker for Clerk {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        let answer = context.send_and_receive("silent", message).await?;
        context.reply(answer)?;
        Ok(())
    }
}

struct Silent;

impl Worker for Silent {
    async fn handle_message(&mut self, context: Context, _: String) -> Result<(), Cause> {
        context.cancelled().await;
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::create(NodeOptions::alone("local")).await?;
    let options = WorkerOptions::default();
    node.start_worker("words", || Words { count: 0 }, options).await?;
    node.start_worker("clerk", || Clerk, options).await?;
    node.start_worker("silent", || Silent, options).await?;

    println!("{}", node.send_and_receive("words", "one two three").await?);
    if let Err(error) = node.send_and_receive("words", "").await {
        println!("{error}");
    }
    println!("{}", node.send_and_receive("words", "four five").await?);
    let limit = Duration::from_millis(50);
    if let Err(error) = node.send_and_receive_within(limit, "clerk", "ask").await {
        println!("{error}");
    }
    node.stop(Duration::from_secs(5)).await;
    Ok(())
}
