//! Two nodes of one zone: they find each other in the zone's directory and talk over an encrypted Noise channel.
//!
//! The zone's files are under `TROUPE_HOME`. `cargo run -p troupe-node --example zone` prints
//!
//! ```text
//! office sees: workshop
//! office/main says "saw", workshop answers "workshop has sawn"
//! a message came from workshop/saw: sharpened
//! there is no worker "workshop/plane": it was never started, or was stopped
//! workshop has left: the node of "workshop/saw" can't be reached; the message was not handled
//! ```

use std::error::Error;
use std::time::Duration;
use troupe_node::discovery::default_home;
use troupe_node::{Cause, Context, Node, NodeOptions, Worker, WorkerOptions};

struct Saw;

impl Worker for Saw {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        match message.as_str() {
            "sharpen" => context.reply("sharpened")?,
            _ => context.reply(format!("{} has sawn", context.node().name()))?,
        }
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let home = default_home()?;
    let office = Node::create(NodeOptions::in_zone("office", "crafts", home.clone())).await?;
    let workshop = Node::create(NodeOptions::in_zone("workshop", "crafts", home)).await?;
    workshop.start_worker("saw", || Saw, WorkerOptions::default()).await?;

    let names: Vec<_> = office.members().await?.into_iter().map(|member| member.name).collect();
    println!("office sees: {}", names.join(", "));

    // A name alone is found wherever in the zone the worker runs.
    let answer = office.send_and_receive("saw", "saw").await?;
    println!("office/main says \"saw\", workshop answers \"{answer}\"");

    // What is replied to a send comes to the sender's mailbox.
    office.send("workshop/saw", "sharpen").await?;
    let incoming = office.mailbox().receive().await?;
    println!("a message came from {}: {}", incoming.sender, incoming.message);

    if let Err(error) = office.send_and_receive("workshop/plane", "plane").await {
        println!("{error}");
    }
    workshop.stop(Duration::from_secs(5)).await;
    if let Err(error) = office.send_and_receive("workshop/saw", "saw").await {
        println!("workshop has left: {error}");
    }
    office.stop(Duration::from_secs(5)).await;
    Ok(())
}
