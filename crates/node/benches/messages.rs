//! What a message costs, beside a plain tokio task with a channel: that has neither a name, nor a deadline, nor a bound in
//! bytes, nor order between nodes.
//!
//! `cargo bench -p troupe-node`. Every reply is compared. One turn of the loop is one message, also with 1000 in flight.

#![expect(clippy::unwrap_used, reason = "what fails here fails the bench")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use troupe_node::{Cause, Context, Error, Node, NodeOptions, Worker, WorkerOptions};

const IN_FLIGHT: u64 = 1000;

struct Echo;

impl Worker for Echo {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        context.reply(message)?;
        Ok(())
    }
}

/// Counts what it is sent; answers how many when it is asked.
struct Count(u64);

impl Worker for Count {
    async fn handle_message(&mut self, context: Context, message: String) -> Result<(), Cause> {
        if message == "how many" {
            context.reply(self.0.to_string())?;
        } else {
            self.0 += 1;
        }
        Ok(())
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn text(number: u64) -> String {
    format!("message number {number:>8}")
}

/// Asks so often, one at a time, and compares each reply.
async fn one_at_a_time<F: Future<Output = String>>(times: u64, ask: impl Fn(String) -> F) -> Duration {
    let start = Instant::now();
    for number in 0..times {
        let text = text(number);
        assert_eq!(ask(text.clone()).await, text);
    }
    start.elapsed()
}

/// Asks so often, so many at once, and compares each reply.
async fn in_flight<F: Future<Output = String>>(times: u64, ask: impl Fn(String) -> F) -> Duration {
    let start = Instant::now();
    let mut done = 0;
    while done < times {
        let batch = IN_FLIGHT.min(times - done);
        let replies = join_all((done..done + batch).map(|number| ask(text(number)))).await;
        for (number, reply) in (done..).zip(replies) {
            assert_eq!(reply, text(number));
        }
        done += batch;
    }
    start.elapsed()
}

async fn alone() -> Node {
    let node = Node::create(NodeOptions::alone("bench")).await.unwrap();
    node.start_worker("echo", || Echo, WorkerOptions::default()).await.unwrap();
    node.start_worker("count", || Count(0), WorkerOptions::default()).await.unwrap();
    node
}

/// Measures on the node's own thread, as a worker would.
fn measure<F>(node: &Node, run: impl FnOnce(Context) -> F + Send + 'static) -> Duration
where
    F: Future<Output = Result<Duration, Error>> + 'static,
{
    runtime().block_on(node.run(run)).unwrap()
}

type Asked = (String, oneshot::Sender<String>);

/// The baseline: a task that echoes.
fn tokio_task() -> (Runtime, mpsc::Sender<Asked>) {
    let runtime = runtime();
    let (sender, mut receiver) = mpsc::channel::<Asked>(10_000);
    runtime.spawn(async move {
        while let Some((text, reply)) = receiver.recv().await {
            reply.send(text).unwrap();
        }
    });
    (runtime, sender)
}

async fn ask_task(sender: mpsc::Sender<Asked>, text: String) -> String {
    let (reply, answer) = oneshot::channel();
    sender.send((text, reply)).await.unwrap();
    answer.await.unwrap()
}

fn requests(criterion: &mut Criterion) {
    let node = runtime().block_on(alone());
    let mut group = criterion.benchmark_group("local request, one at a time");
    group.throughput(Throughput::Elements(1));
    group.bench_function("worker", |bencher| {
        bencher.iter_custom(|times| {
            measure(&node, async move |context: Context| {
                let ask = async |text| context.send_and_receive("echo", text).await.unwrap();
                Ok(one_at_a_time(times, ask).await)
            })
        });
    });
    let (task, sender) = tokio_task();
    group.bench_function("tokio task, mpsc and oneshot", |bencher| {
        bencher
            .iter_custom(|times| task.block_on(one_at_a_time(times, |text| ask_task(sender.clone(), text))));
    });
    group.finish();

    let mut group = criterion.benchmark_group("local request, 1000 in flight");
    group.throughput(Throughput::Elements(1));
    group.bench_function("worker", |bencher| {
        bencher.iter_custom(|times| {
            measure(&node, async move |context: Context| {
                let ask = async |text| context.send_and_receive("echo", text).await.unwrap();
                Ok(in_flight(times, ask).await)
            })
        });
    });
    group.bench_function("tokio task, mpsc and oneshot", |bencher| {
        bencher.iter_custom(|times| task.block_on(in_flight(times, |text| ask_task(sender.clone(), text))));
    });
    group.finish();
    runtime().block_on(node.stop(Duration::from_secs(5)));
}

fn sends(criterion: &mut Criterion) {
    let node = runtime().block_on(alone());
    let mut group = criterion.benchmark_group("local send");
    group.throughput(Throughput::Elements(1));
    group.bench_function("worker", |bencher| {
        bencher.iter_custom(|times| {
            measure(&node, async move |context: Context| {
                let counted = async || -> Result<u64, Error> {
                    Ok(context.send_and_receive("count", "how many").await?.parse().unwrap())
                };
                let before = counted().await?;
                let start = Instant::now();
                let mut done = 0;
                while done < times {
                    let batch = IN_FLIGHT.min(times - done);
                    for sent in join_all((done..done + batch).map(|n| context.send("count", text(n)))).await {
                        sent?;
                    }
                    done += batch;
                }
                assert_eq!(counted().await? - before, times);
                Ok(start.elapsed())
            })
        });
    });
    let runtime = runtime();
    let (sender, mut receiver) = mpsc::channel::<(String, Option<oneshot::Sender<u64>>)>(10_000);
    runtime.spawn(async move {
        let mut count = 0;
        while let Some((text, reply)) = receiver.recv().await {
            drop(text);
            match reply {
                Some(reply) => reply.send(count).unwrap(),
                None => count += 1,
            }
        }
    });
    let counted = async || {
        let (reply, answer) = oneshot::channel();
        sender.send((String::new(), Some(reply))).await.unwrap();
        answer.await.unwrap()
    };
    group.bench_function("tokio task, mpsc", |bencher| {
        bencher.iter_custom(|times| {
            runtime.block_on(async {
                let before = counted().await;
                let start = Instant::now();
                let mut done = 0;
                while done < times {
                    let batch = IN_FLIGHT.min(times - done);
                    for sent in join_all((done..done + batch).map(|n| sender.send((text(n), None)))).await {
                        sent.unwrap();
                    }
                    done += batch;
                }
                assert_eq!(counted().await - before, times);
                start.elapsed()
            })
        });
    });
    group.finish();
    runtime.block_on(node.stop(Duration::from_secs(5)));
}

/// From a thread of its own to the worker's and back, as a program around the node asks.
fn across_threads(criterion: &mut Criterion) {
    let caller = runtime();
    let node = caller.block_on(alone());
    let mut group = criterion.benchmark_group("request from another thread, one at a time");
    group.throughput(Throughput::Elements(1));
    group.bench_function("worker", |bencher| {
        let ask = async |text| node.send_and_receive("echo", text).await.unwrap();
        bencher.iter_custom(|times| caller.block_on(one_at_a_time(times, ask)));
    });
    let (task, sender) = tokio_task();
    let (end, ended) = oneshot::channel::<()>();
    let thread = std::thread::spawn(move || task.block_on(ended));
    group.bench_function("tokio task, mpsc and oneshot", |bencher| {
        bencher.iter_custom(|times| {
            caller.block_on(one_at_a_time(times, |text| ask_task(sender.clone(), text)))
        });
    });
    group.finish();
    end.send(()).unwrap();
    thread.join().unwrap().unwrap();
    caller.block_on(node.stop(Duration::from_secs(5)));
}

/// Between two nodes of a zone, over TCP on the loopback interface: two processes would cost the same.
fn between_nodes(criterion: &mut Criterion) {
    let home = std::env::temp_dir().join(format!("troupe-bench-{}", std::process::id()));
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).unwrap();
    let caller = runtime();
    let (near, far) = caller.block_on(async {
        let near = Node::create(NodeOptions::in_zone("near", "bench", home.clone())).await.unwrap();
        let far = Node::create(NodeOptions::in_zone("far", "bench", home.clone())).await.unwrap();
        far.start_worker("echo", || Echo, WorkerOptions::default()).await.unwrap();
        assert_eq!(near.send_and_receive("echo", "warm").await.unwrap(), "warm");
        (near, far)
    });
    for (name, is_one) in [("one at a time", true), ("1000 in flight", false)] {
        let mut group = criterion.benchmark_group(format!("request to another node, {name}"));
        group.throughput(Throughput::Elements(1));
        group.bench_function("worker, Noise over TCP", |bencher| {
            bencher.iter_custom(|times| {
                measure(&near, async move |context: Context| {
                    let ask = async |text| context.send_and_receive("far/echo", text).await.unwrap();
                    Ok(if is_one { one_at_a_time(times, ask).await } else { in_flight(times, ask).await })
                })
            });
        });
        group.bench_function("plain TCP, lines", |bencher| {
            bencher.iter_custom(|times| caller.block_on(plain::measure(times, is_one)));
        });
        group.finish();
    }
    caller.block_on(async {
        near.stop(Duration::from_secs(5)).await;
        far.stop(Duration::from_secs(5)).await;
    });
    std::fs::remove_dir_all(&home).unwrap();
}

/// The baseline between nodes: lines over a socket, unencrypted, each answered in order by another thread.
mod plain {
    use super::{Duration, IN_FLIGHT, Instant, runtime, text};
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::{TcpListener, TcpStream};

    async fn echo(stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::with_capacity(64 << 10, reader);
        loop {
            let lines = reader.fill_buf().await.unwrap();
            if lines.is_empty() {
                return;
            }
            let length = lines.len();
            writer.write_all(lines).await.unwrap();
            reader.consume(length);
        }
    }

    pub(super) async fn measure(times: u64, is_one: bool) -> Duration {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let far = std::thread::spawn(move || {
            runtime().block_on(async {
                let listener = listener.into_std().unwrap();
                let (stream, _) = TcpListener::from_std(listener).unwrap().accept().await.unwrap();
                echo(stream).await;
            });
        });
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (reader, mut writer) = stream.into_split();
        let mut replies = BufReader::with_capacity(64 << 10, reader).lines();
        let start = Instant::now();
        let (mut done, mut out) = (0, String::new());
        while done < times {
            let batch = if is_one { 1 } else { IN_FLIGHT.min(times - done) };
            out.clear();
            for number in done..done + batch {
                out += &text(number);
                out.push('\n');
            }
            writer.write_all(out.as_bytes()).await.unwrap();
            for number in done..done + batch {
                assert_eq!(replies.next_line().await.unwrap().unwrap(), text(number));
            }
            done += batch;
        }
        let took = start.elapsed();
        drop((writer, replies));
        far.join().unwrap();
        took
    }
}

criterion_group!(benches, requests, sends, across_threads, between_nodes);
criterion_main!(benches);
