//! Where lines of several members wait for a moment, so that they come into the history in the order of their times.
//!
//! The lines of one node never change places: a clock that was set back holds its node's later lines at the time before.

use super::line::Line;
use std::collections::HashMap;

/// Nodes whose last time is remembered; beyond it all are forgotten, which can only matter where a clock was set back.
const REMEMBERED: usize = 4096;

/// Lines that wait, and the last time of each node.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    waiting: Vec<(f64, u64, Line)>,
    last: HashMap<String, f64>,
}

impl Stage {
    /// Takes lines of one member, oldest first, each with its mark.
    pub(crate) fn put(&mut self, lines: impl IntoIterator<Item = (u64, Line)>) {
        for (mark, line) in lines {
            if self.last.len() >= REMEMBERED && !self.last.contains_key(&line.node) {
                self.last.clear();
            }
            let time = if line.time.is_finite() { line.time } else { 0.0 };
            let last = self.last.entry(line.node.clone()).or_insert(time);
            *last = last.max(time);
            self.waiting.push((*last, mark, line));
        }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// All that wait, by time, each with its mark.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (u64, Line)> + use<> {
        let mut lines = std::mem::take(&mut self.waiting);
        lines.sort_by(|(one, ..), (other, ..)| one.total_cmp(other));
        lines.into_iter().map(|(_, mark, line)| (mark, line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(node: &str, time: f64, message: &str) -> (u64, Line) {
        (0, Line { node: node.into(), time, message: message.into(), ..Line::default() })
    }

    #[test]
    fn lines_of_several_nodes_come_by_time_and_those_of_one_node_as_it_told_them() {
        let mut stage = Stage::default();
        stage.put(vec![
            line("a", 1.0, "a1"),
            line("a", 5.0, "a2"),
            line("a", 2.0, "a3, its clock was set back"),
        ]);
        stage.put(vec![line("b", 3.0, "b1"), line("b", 6.0, "b2")]);
        let messages: Vec<_> = stage.take().map(|(_, line)| line.message).collect();
        assert_eq!(messages, ["a1", "b1", "a2", "a3, its clock was set back", "b2"]);
        assert_eq!(stage.len(), 0);
    }
}
