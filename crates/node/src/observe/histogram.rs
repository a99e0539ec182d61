//! Times by their length: counts in buckets that double, from a sixteenth of a millisecond to a minute.

use crate::port::TICKS_PER_MS;
use serde_json::{Value, json};

/// Bounds 2^0 to 2^20 ticks (0.0625 ms to 65 536 ms), and one bucket for what is longer.
const BUCKETS: usize = 22;

/// Counts of times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    count: u64,
    /// All times together, in ticks.
    sum: u64,
    buckets: [u64; BUCKETS],
}

impl Histogram {
    /// Counts a time of so many ticks, several times.
    pub(crate) fn add(&mut self, ticks: u32, times: u32) {
        // The least power of two that is no less.
        let bucket = if ticks < 2 { 0 } else { u32::BITS - (ticks - 1).leading_zeros() };
        self.buckets[(bucket as usize).min(BUCKETS - 1)] += u64::from(times);
        self.count += u64::from(times);
        self.sum += u64::from(ticks) * u64::from(times);
    }

    /// `{"count", "sumMs", "buckets": [[bound in ms, count], …]}`; the bound of the last bucket is null, counts are not
    /// cumulative.
    pub(crate) fn to_json(&self) -> Value {
        let bound = |index: usize| match index {
            index if index < BUCKETS - 1 => json!(milliseconds(1 << index)),
            _ => Value::Null,
        };
        let buckets: Vec<_> =
            self.buckets.iter().enumerate().map(|(index, count)| json!([bound(index), count])).collect();
        json!({"count": self.count, "sumMs": milliseconds(self.sum), "buckets": buckets})
    }
}

/// Ticks in milliseconds.
#[expect(clippy::cast_precision_loss, reason = "exact for five million years")]
pub(crate) fn milliseconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS_PER_MS as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_under_the_least_bound_that_is_no_less() {
        let cases = [
            (0, 0),
            (1, 0),
            (2, 1),
            (3, 2),
            (4, 2),
            (5, 3),
            (1 << 20, 20),
            ((1 << 20) + 1, 21),
            (u32::MAX, 21),
        ];
        for (ticks, bucket) in cases {
            let mut histogram = Histogram::default();
            histogram.add(ticks, 3);
            assert_eq!(histogram.buckets[bucket], 3, "{ticks}");
            assert_eq!((histogram.count, histogram.sum), (3, u64::from(ticks) * 3));
        }
    }

    #[test]
    fn bounds_are_powers_of_two_from_a_sixteenth_to_a_minute() {
        let mut histogram = Histogram::default();
        histogram.add(24, 2);
        let json = histogram.to_json();
        assert_eq!((&json["count"], &json["sumMs"]), (&json!(2), &json!(3.0)));
        let buckets = json["buckets"].as_array().unwrap();
        assert_eq!(
            (&buckets[0][0], &buckets[20][0], &buckets[21][0]),
            (&json!(0.0625), &json!(65536.0), &Value::Null)
        );
        assert_eq!(buckets[5], json!([2.0, 2]));
    }
}
