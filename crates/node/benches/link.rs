//! What a link carries over TCP on this machine, both ends in one process: `cargo bench -p troupe-node --bench link`.
//!
//! Beside it the same bytes over the bare connection, which is as fast as it could be without order, windows,
//! acknowledgements or encryption.

#![expect(clippy::expect_used, reason = "what fails here fails the benchmark")]
#![expect(clippy::cast_precision_loss, reason = "rates are rounded anyway")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use troupe_node::transport::{Socket, Tcp};
use troupe_testkit::{Pair, connection, text_message};

/// Bytes of a message, messages of a batch, messages in all.
const LOADS: [(usize, usize, usize); 3] = [(16, 1000, 2_000_000), (1024, 250, 500_000), (1 << 20, 4, 1000)];
const ROUNDS: usize = 5;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    for (len, batch, count) in LOADS {
        let mut link: Vec<_> =
            (0..ROUNDS).map(|_| runtime.block_on(over_a_link(len, batch, count))).collect();
        let mut bare: Vec<_> = (0..ROUNDS).map(|_| runtime.block_on(bare(len * count))).collect();
        let (link, bare) = (median(&mut link), median(&mut bare));
        let rate = count as f64 / link.as_secs_f64();
        println!(
            "{len:>8} bytes: {rate:>10.0} messages/s {:>6.0} MB/s; bare {:>6.0} MB/s",
            rate * len as f64 / 1e6,
            (len * count) as f64 / bare.as_secs_f64() / 1e6,
        );
    }
    let mut trips: Vec<_> = (0..ROUNDS).map(|_| runtime.block_on(round_trips(5000))).collect();
    println!("one at a time: {:.1} µs a round trip", median(&mut trips).as_secs_f64() * 1e6 / 5000.0);
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn over_a_link(len: usize, batch: usize, count: usize) -> Duration {
    let pair = Pair::open(&Tcp).await;
    pair.near_events.count_only();
    pair.far_events.count_only();
    let link = Arc::clone(&pair.near);
    let began = Instant::now();
    let sender = std::thread::spawn(move || {
        let body = "x".repeat(len);
        for _ in 0..count / batch {
            while link.is_full() {
                std::thread::yield_now();
            }
            let mut frames = link.batch().expect("the link is open");
            for _ in 0..batch {
                frames.push(&text_message(1, 2, &body)).expect("not too long");
            }
            drop(frames);
            link.flush();
        }
    });
    pair.far_events.until("all", |far| far.frames() == count).await;
    let took = began.elapsed();
    sender.join().expect("the sender");
    took
}

async fn round_trips(count: usize) -> Duration {
    let pair = Pair::open(&Tcp).await;
    let began = Instant::now();
    for number in 1..=count {
        for (link, events) in [(&pair.near, &pair.far_events), (&pair.far, &pair.near_events)] {
            link.batch().expect("open").push(&text_message(1, 2, "ping")).expect("short");
            link.flush();
            events.until("the message", |events| events.frames() == number).await;
        }
    }
    began.elapsed()
}

async fn bare(bytes: usize) -> Duration {
    let (near, far) = connection(&Tcp).await;
    let began = Instant::now();
    let writer = tokio::spawn(async move {
        let chunk = vec![7; 64 * 1024];
        let near: &dyn Socket = &*near;
        let mut left = bytes;
        while left > 0 {
            near.write_all(&chunk[..left.min(chunk.len())]).await.expect("written");
            left -= left.min(chunk.len());
        }
    });
    let mut buffer = vec![0; 256 * 1024];
    let mut left = bytes;
    while left > 0 {
        left -= far.read(&mut buffer).await.expect("read");
    }
    writer.await.expect("the writer");
    began.elapsed()
}
