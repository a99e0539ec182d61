//! Takes what a container prints, line by line, into the history. A stream is read no faster than the history takes it.

use crate::history::History;
use crate::line::{Level, Line};
use crate::lines::{QUIET, Rate, Splitter};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

/// Which of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    const fn level(self) -> Level {
        match self {
            Self::Stdout => Level::Info,
            Self::Stderr => Level::Warn,
        }
    }
}

/// What is read at once: as much as a pipe holds.
const READ: usize = 64 * 1024;

/// Reads a stream of a node to its end. Resolves when its last line is in the history.
pub async fn capture(mut from: impl AsyncRead + Unpin, node: &str, stream: Stream, history: &History) {
    let line = |text| Line::now(node, stream.level(), stream.name(), text);
    let note = |rate: &mut Rate| {
        rate.dropped()
            .map(|words| Line::now(node, Level::Warn, "supervisor", format!("{}: {words}", stream.name())))
    };
    let mut splitter = Splitter::default();
    let mut rate = Rate::new(Instant::now());
    let mut bytes = vec![0; READ];
    loop {
        let read = if rate.has_dropped() {
            let Ok(read) = timeout(QUIET, from.read(&mut bytes)).await else {
                history.add(note(&mut rate).into_iter().collect()).await;
                continue;
            };
            read
        } else {
            from.read(&mut bytes).await
        };
        let read = match read {
            Ok(read) => read,
            Err(error) => {
                history.say(node, Level::Error, format!("its {} can't be read: {error}", stream.name()));
                0
            }
        };
        let now = Instant::now();
        let mut lines = Vec::new();
        let mut take = |text: String| {
            if rate.admits(&text, now) {
                lines.extend(note(&mut rate));
                lines.push(line(text));
            }
        };
        splitter.push(&bytes[..read], &mut take);
        if read == 0 {
            splitter.finish().into_iter().for_each(take);
            lines.extend(note(&mut rate));
        }
        if !lines.is_empty() {
            history.add(lines).await;
        }
        if read == 0 {
            return;
        }
    }
}
