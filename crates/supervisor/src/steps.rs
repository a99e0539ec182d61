//! What has to be done to get from the containers that are there to those of a plan.

use crate::plan::{Container, Plan, Pod};
use crate::status::State;
use serde::Serialize;
use std::collections::BTreeMap;

/// What happens to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// It was not there.
    Start,
    /// It is drained, and started as the plan has it.
    Replace,
    /// It is drained, and not in the plan.
    Stop,
    /// It is left alone.
    Keep,
}

/// What happens to one container, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The node.
    pub node: String,
    /// What happens.
    pub what: What,
    /// The reason, for people.
    pub why: String,
}

/// What there is of a container now.
#[derive(Clone, Copy, Debug)]
pub struct Present<'a> {
    /// As it was started.
    pub container: &'a Container,
    /// Where it is in its life: to deploy again is to try again what was given up, and to do again what was done.
    pub state: State,
}

/// The steps from what is there to what is to be.
#[derive(Debug, Default)]
pub struct Steps {
    /// Every container of both, by node.
    pub changes: Vec<Change>,
    /// Pods that the plan does not have: the nodes to stop, all at once.
    pub stops: Vec<String>,
    /// Pods that change, in the order of their replacement, one after the other.
    pub replaced: Vec<Replacement>,
    /// Pods that were not there.
    pub started: Vec<Container>,
}

/// A pod that changes.
#[derive(Debug)]
pub struct Replacement {
    /// Nodes to stop first.
    pub stop: Vec<String>,
    /// What to start then.
    pub start: Vec<Container>,
}

/// Compares what is there with a plan.
#[must_use]
pub fn steps<'a>(present: impl Iterator<Item = Present<'a>>, plan: &Plan) -> Steps {
    let mut before: BTreeMap<Pod, BTreeMap<&str, Present<'_>>> = BTreeMap::new();
    for one in present {
        before.entry(one.container.pod()).or_default().insert(&one.container.node, one);
    }
    let mut after: BTreeMap<Pod, Vec<&Container>> = BTreeMap::new();
    for container in &plan.containers {
        after.entry(container.pod()).or_default().push(container);
    }
    let mut steps = Steps::default();
    for (pod, containers) in &after {
        match before.get(pod) {
            None => {
                for container in containers {
                    steps.change(&container.node, What::Start, "it is new".to_owned());
                    steps.started.push((*container).clone());
                }
            }
            Some(old) => steps.compare(old, containers),
        }
    }
    for (_, old) in before.iter().filter(|(pod, _)| !after.contains_key(pod)) {
        for node in old.keys() {
            steps.change(node, What::Stop, "it is no longer in the plan".to_owned());
            steps.stops.push((*node).to_owned());
        }
    }
    steps.changes.sort_by(|one, other| one.node.cmp(&other.node));
    steps
}

impl Steps {
    fn change(&mut self, node: &str, what: What, why: String) {
        self.changes.push(Change { node: node.to_owned(), what, why });
    }

    /// One pod that was there and is to be.
    fn compare(&mut self, old: &BTreeMap<&str, Present<'_>>, new: &[&Container]) {
        let reason = |container: &Container| match old.get(container.node.as_str()) {
            None => Some((What::Start, format!("it is new in pod {}", container.pod))),
            Some(before) if before.container.hash != container.hash => {
                Some((What::Replace, "its image or its configuration has changed".to_owned()))
            }
            Some(before) if before.state == State::GivenUp => {
                Some((What::Replace, "it had been given up".to_owned()))
            }
            Some(_) => None,
        };
        let has_ended = |container: &&&Container| {
            old.get(container.node.as_str()).is_some_and(|before| before.state == State::Ended)
        };
        let reasons: Vec<_> = new.iter().map(|container| reason(container)).collect();
        let gone: Vec<_> =
            old.keys().filter(|node| !new.iter().any(|container| container.node == **node)).collect();
        if gone.is_empty() && reasons.iter().all(Option::is_none) {
            // What is done is done again; the rest of its pod need not be interrupted for that.
            let again: Vec<Container> =
                new.iter().filter(has_ended).map(|container| (*container).clone()).collect();
            for container in new {
                let (what, why) = if has_ended(&container) {
                    (What::Replace, "it had ended")
                } else {
                    (What::Keep, "nothing has changed")
                };
                self.change(&container.node, what, why.to_owned());
            }
            if !again.is_empty() {
                let stop = again.iter().map(|container| container.node.clone()).collect();
                self.replaced.push(Replacement { stop, start: again });
            }
            return;
        }
        for (container, reason) in new.iter().zip(reasons) {
            let with_pod = || (What::Replace, format!("another container of pod {} changes", container.pod));
            let (what, why) = reason.unwrap_or_else(with_pod);
            self.change(&container.node, what, why);
        }
        for node in gone {
            self.change(node, What::Stop, "it is no longer in its pod".to_owned());
        }
        self.replaced.push(Replacement {
            stop: old.keys().map(|node| (*node).to_owned()).collect(),
            start: new.iter().map(|container| (*container).clone()).collect(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Caller;
    use std::path::PathBuf;

    fn container(pod: &str, clone: u32, name: &str, hash: &str) -> Container {
        Container {
            node: format!("{pod}-{clone}-{name}"),
            pod: pod.to_owned(),
            clone,
            container: name.to_owned(),
            image: pod.to_owned(),
            program: PathBuf::from("/bin/true"),
            args: Vec::new(),
            env: BTreeMap::new(),
            cwd: PathBuf::from("/"),
            hash: hash.to_owned(),
        }
    }

    /// The steps from some containers, of which those of a list are not up, to others, and the changes in short.
    fn steps_of(before: &[Container], other: &[(&str, State)], after: &[Container]) -> (Steps, Vec<String>) {
        let plan = Plan {
            zone: "demo".to_owned(),
            project: PathBuf::from("/"),
            by: Caller { pid: 1 },
            drain_ms: 0,
            containers: after.to_vec(),
        };
        let state_of = |node: &str| other.iter().find(|(other, _)| *other == node).map(|(_, state)| *state);
        let present = before
            .iter()
            .map(|one| Present { container: one, state: state_of(&one.node).unwrap_or(State::Up) });
        let steps = steps(present, &plan);
        let short = steps.changes.iter().map(|change| format!("{:?} {}", change.what, change.node)).collect();
        (steps, short)
    }

    #[test]
    fn what_has_not_changed_is_left_alone() {
        let both = [container("api", 0, "main", "1"), container("api", 1, "main", "1")];
        let (steps, changes) = steps_of(&both, &[], &both);
        assert_eq!(changes, ["Keep api-0-main", "Keep api-1-main"]);
        assert!(steps.stops.is_empty() && steps.replaced.is_empty() && steps.started.is_empty());
    }

    #[test]
    fn clones_are_replaced_one_by_one_and_a_pod_s_containers_together() {
        let old = [
            ("api", 0, "main"),
            ("api", 0, "side"),
            ("api", 1, "main"),
            ("api", 1, "side"),
            ("db", 0, "main"),
        ];
        let before = old.map(|(pod, clone, name)| container(pod, clone, name, "1"));
        let mut after = before.clone();
        after[0].hash = "2".to_owned();
        after[2].hash = "2".to_owned();
        let (steps, changes) = steps_of(&before, &[], &after);
        let expected = [
            "Replace api-0-main",
            "Replace api-0-side",
            "Replace api-1-main",
            "Replace api-1-side",
            "Keep db-0-main",
        ];
        assert_eq!(changes, expected);
        assert_eq!(steps.changes[0].why, "its image or its configuration has changed");
        assert_eq!(steps.changes[1].why, "another container of pod api changes");
        let stops: Vec<_> = steps.replaced.iter().map(|pod| pod.stop.join(" ")).collect();
        assert_eq!(stops, ["api-0-main api-0-side", "api-1-main api-1-side"]);
        assert!(steps.stops.is_empty() && steps.started.is_empty());
    }

    #[test]
    fn what_the_plan_does_not_have_is_stopped_and_what_is_new_is_started() {
        let before = [
            container("api", 0, "main", "1"),
            container("api", 1, "main", "1"),
            container("db", 0, "main", "1"),
        ];
        let after = [before[0].clone(), container("db", 0, "side", "1"), container("web", 0, "main", "1")];
        let (steps, changes) = steps_of(&before, &[], &after);
        let expected =
            ["Keep api-0-main", "Stop api-1-main", "Stop db-0-main", "Start db-0-side", "Start web-0-main"];
        assert_eq!(changes, expected);
        assert_eq!(steps.stops, ["api-1-main"], "a clone less");
        assert_eq!(steps.replaced.len(), 1, "pod db has another container");
        assert_eq!(steps.started.len(), 1);
    }

    #[test]
    fn one_that_was_given_up_is_tried_again_by_the_next_deployment() {
        let one = [container("api", 0, "main", "1")];
        let (steps, changes) = steps_of(&one, &[("api-0-main", State::GivenUp)], &one);
        assert_eq!(changes, ["Replace api-0-main"]);
        assert_eq!(steps.changes[0].why, "it had been given up");
    }

    #[test]
    fn one_that_has_ended_is_started_by_the_next_deployment_and_the_rest_of_its_pod_is_left_alone() {
        let pod = [container("api", 0, "job", "1"), container("api", 0, "main", "1")];
        let (steps, changes) = steps_of(&pod, &[("api-0-job", State::Ended)], &pod);
        assert_eq!(changes, ["Replace api-0-job", "Keep api-0-main"]);
        assert_eq!(steps.changes[0].why, "it had ended");
        let [Replacement { stop, start }] = &steps.replaced[..] else { panic!("{steps:?}") };
        assert_eq!((stop, start), (&vec!["api-0-job".to_owned()], &vec![pod[0].clone()]));
    }
}
