//! The bodies of requests: read within a time and a size, or thrown away.

use crate::options::Limits;
use crate::problem::Problem;
use axum::body::Body;
use axum::http::StatusCode;
use futures_util::StreamExt;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// A body that is not taken is read for so long, at most.
const DISCARD_WITHIN: Duration = Duration::from_secs(5);

/// The bytes of a body, of which there may be `most`; `too_large` says what is wrong with one that has more.
pub(crate) async fn read(
    body: Body,
    most: usize,
    limits: &Limits,
    too_large: impl FnOnce() -> Problem,
) -> Result<Vec<u8>, Problem> {
    let (mut chunks, mut bytes) = (body.into_data_stream(), Vec::new());
    let whole = Instant::now() + limits.body;
    loop {
        let until = whole.min(Instant::now() + limits.body_pause);
        let chunk = match timeout_at(until, chunks.next()).await {
            Err(_) => return Err(late(bytes.len())),
            Ok(None) => return Ok(bytes),
            Ok(Some(Err(error))) => {
                return Err(Problem::invalid(format!("the body of the request did not come: {error}")));
            }
            Ok(Some(Ok(chunk))) => chunk,
        };
        if bytes.len() + chunk.len() > most {
            drop(bytes);
            discard(Body::from_stream(chunks), most).await;
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
}

/// Reads a body that nobody wants, as far as it is not much longer than `most`: who still sends would otherwise see the
/// connection break, and not the answer.
pub(crate) async fn discard(body: Body, most: usize) {
    let (mut chunks, mut left) = (body.into_data_stream(), most.saturating_mul(2));
    let reading = async {
        while let Some(Ok(chunk)) = chunks.next().await {
            if chunk.len() > left {
                return;
            }
            left -= chunk.len();
        }
    };
    // Who has not sent it by then sees the connection break.
    let _ = timeout(DISCARD_WITHIN, reading).await;
}

fn late(bytes: usize) -> Problem {
    let detail = format!("the body of the request did not come in time; {bytes} bytes did");
    Problem::new(StatusCode::REQUEST_TIMEOUT, "TIMEOUT", detail)
        .with("stage", "in-transit")
        .with("maybeExecuted", false)
}
