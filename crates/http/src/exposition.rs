//! The text format of Prometheus, version 0.0.4: families one after the other, each with its help, its type and its samples.

use crate::metrics::Histogram;
use std::fmt::Write;

/// What a family counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only ever grows while the process lives.
    Counter,
    Gauge,
    Histogram,
}

/// Text that is being written. A family without samples is left out.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    text: String,
    name: &'static str,
    /// Comments of the family at hand, until its first sample.
    head: String,
}

impl Exposition {
    /// Begins a family; the samples that follow are its own.
    pub(crate) fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.name = name;
        self.head = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// One sample.
    pub(crate) fn value(&mut self, labels: &[(&str, &str)], value: f64) {
        self.sample("", labels, None, value);
    }

    /// The samples of a histogram in seconds: buckets that include those below, the sum, the count.
    pub(crate) fn histogram(&mut self, labels: &[(&str, &str)], histogram: &Histogram) {
        let mut below = 0.0;
        for (bound, count) in &histogram.buckets {
            below += count;
            if let Some(bound) = bound {
                self.sample("_bucket", labels, Some(&number(bound / 1000.0)), below);
            }
        }
        // A reader takes the last bucket for the count.
        let count = histogram.count.max(below);
        self.sample("_bucket", labels, Some("+Inf"), count);
        self.sample("_sum", labels, None, histogram.sum_ms / 1000.0);
        self.sample("_count", labels, None, count);
    }

    /// What has been written.
    pub(crate) fn text(self) -> String {
        self.text
    }

    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], bound: Option<&str>, value: f64) {
        self.text.push_str(&std::mem::take(&mut self.head));
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        let all = labels.iter().copied().chain(bound.map(|bound| ("le", bound)));
        let mut separator = '{';
        for (name, text) in all {
            // Writing to a string can't fail.
            let _ = write!(self.text, "{separator}{name}=\"{}\"", escaped(text));
            separator = ',';
        }
        if separator == ',' {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {}", number(value));
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn number(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { "NaN".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_may_hold_anything() {
        let mut out = Exposition::default();
        out.family("a", Kind::Gauge, "help");
        out.value(&[("x", "a\\b\"c\nd")], 1.5);
        out.family("empty", Kind::Gauge, "help");
        assert_eq!(out.text(), "# HELP a help\n# TYPE a gauge\na{x=\"a\\\\b\\\"c\\nd\"} 1.5\n");
    }

    #[test]
    fn buckets_of_a_histogram_include_those_below() {
        let mut out = Exposition::default();
        out.family("h", Kind::Histogram, "help");
        let buckets = vec![(Some(0.5), 1.0), (Some(1000.0), 2.0), (None, 3.0)];
        out.histogram(&[], &Histogram { count: 6.0, sum_ms: 9_000.0, buckets });
        let samples: Vec<_> = out.text.lines().skip(2).collect();
        let wanted = [
            "h_bucket{le=\"0.0005\"} 1",
            "h_bucket{le=\"1\"} 3",
            "h_bucket{le=\"+Inf\"} 6",
            "h_sum 9",
            "h_count 6",
        ];
        assert_eq!(samples, wanted);
    }
}
