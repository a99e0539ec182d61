//! What a zone is to be on this machine, as `troupe zone deploy` says it.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use troupe_proto::address::check_name;

/// More containers than a machine runs; a plan beyond it is a mistake.
pub const MOST_CONTAINERS: usize = 1000;

/// The longest drain time: ten minutes. Beyond it somebody meant other units.
pub const LONGEST_DRAIN: Duration = Duration::from_secs(600);

/// Everything that is to run.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The zone it is for.
    pub zone: String,
    /// The folder of the project it was made from.
    pub project: PathBuf,
    /// Who asks for it.
    pub by: Caller,
    /// How long a container may take to end after SIGTERM, in milliseconds.
    pub drain_ms: u64,
    /// The containers, one process each.
    pub containers: Vec<Container>,
}

/// The process that asks, so that others can be told for whom they wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Caller {
    /// Its number.
    pub pid: u32,
}

/// One process of a zone.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Container {
    /// The name of its node, unique in the zone.
    pub node: String,
    /// The pod it belongs to: its containers are replaced together.
    pub pod: String,
    /// Which of the pod's clones.
    pub clone: u32,
    /// Its name in the pod.
    pub container: String,
    /// The image it is made from.
    pub image: String,
    /// The program, an absolute path.
    pub program: PathBuf,
    /// The program's arguments.
    pub args: Vec<String>,
    /// Its whole environment; nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// The folder it is started in, an absolute path.
    pub cwd: PathBuf,
    /// Stands for configuration and image: another hash is another container.
    pub hash: String,
}

impl fmt::Debug for Container {
    /// Without arguments and environment: secrets may be in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Container")
            .field("node", &self.node)
            .field("image", &self.image)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

/// Why a plan is none. Nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It is not what this version understands.
    #[error(
        "the plan is not of this version's form: {0}; use the command line and the supervisor of one version"
    )]
    Form(#[from] serde_json::Error),
    /// It is for another zone.
    #[error("the plan is for zone {asked:?}, and this is the supervisor of zone {own:?}")]
    Zone {
        /// That of the plan.
        asked: String,
        /// That of the supervisor.
        own: String,
    },
    /// Something in it can't be.
    #[error("the plan can't be carried out: {0}")]
    Content(String),
}

/// One clone of a pod.
pub type Pod = (String, u32);

impl Container {
    /// The pod it is replaced with.
    #[must_use]
    pub fn pod(&self) -> Pod {
        (self.pod.clone(), self.clone)
    }
}

impl Plan {
    /// Reads a plan for a zone, and checks what has to hold before anything is done.
    pub fn parse(value: serde_json::Value, zone: &str) -> Result<Self, PlanError> {
        let plan: Self = serde_json::from_value(value)?;
        if plan.zone != zone {
            return Err(PlanError::Zone { asked: plan.zone, own: zone.to_owned() });
        }
        plan.check().map_err(PlanError::Content)?;
        Ok(plan)
    }

    fn check(&self) -> Result<(), String> {
        if self.containers.len() > MOST_CONTAINERS {
            return Err(format!("{} containers, at most {MOST_CONTAINERS}", self.containers.len()));
        }
        if self.drain() > LONGEST_DRAIN {
            let longest = LONGEST_DRAIN.as_millis();
            return Err(format!("a drain time of {} ms, at most {longest}", self.drain_ms));
        }
        let mut names = BTreeSet::new();
        for container in &self.containers {
            let node = &container.node;
            check_name(node).map_err(|reason| format!("{node:?} is no name for a node: {reason}"))?;
            if !names.insert(node) {
                return Err(format!("two containers have the node name {node:?}"));
            }
            for (what, path) in [("program", &container.program), ("working folder", &container.cwd)] {
                if !path.is_absolute() {
                    return Err(format!("the {what} of {node}, {}, is no absolute path", path.display()));
                }
            }
            let texts = container.args.iter().chain(container.env.keys()).chain(container.env.values());
            if texts.into_iter().any(|text| text.contains('\0')) {
                return Err(format!("an argument or variable of {node} has a NUL in it"));
            }
            if let Some(name) = container.env.keys().find(|name| name.is_empty() || name.contains('=')) {
                return Err(format!("{name:?}, in the environment of {node}, is no name of a variable"));
            }
        }
        Ok(())
    }

    /// How long a container may take to end after SIGTERM.
    #[must_use]
    pub fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn plan() -> Value {
        json!({
            "zone": "demo", "project": "/demo", "by": {"pid": 7}, "drainMs": 5000,
            "containers": [container("runner-0"), container("runner-1")],
        })
    }

    fn container(node: &str) -> Value {
        json!({
            "node": node, "pod": "runner", "clone": 0, "container": "main", "image": "runner", "program": "/bin/sh",
            "args": ["-c", "exit"], "env": {"KEY": "of ada"}, "cwd": "/", "hash": "1",
        })
    }

    /// What is said of a plan in which one value differs.
    fn refusal(pointer: &str, value: Value) -> String {
        let mut plan = plan();
        *plan.pointer_mut(pointer).unwrap() = value;
        Plan::parse(plan, "demo").unwrap_err().to_string()
    }

    #[test]
    fn a_plan_is_read_whole() {
        let plan = Plan::parse(plan(), "demo").unwrap();
        assert_eq!((plan.by.pid, plan.drain()), (7, Duration::from_secs(5)));
        assert_eq!(plan.containers[1].node, "runner-1");
        assert_eq!(plan.containers[1].env["KEY"], "of ada");
    }

    #[test]
    fn what_a_plan_can_not_be_is_said_before_anything_is_done() {
        for (pointer, value, said) in [
            (
                "/zone",
                json!("other"),
                "the plan is for zone \"other\", and this is the supervisor of zone \"demo\"",
            ),
            ("/containers/1/node", json!("runner-0"), "two containers have the node name \"runner-0\""),
            ("/containers/0/node", json!("a/b"), "\"a/b\" is no name for a node"),
            ("/containers/0/program", json!("node"), "the program of runner-0, node, is no absolute path"),
            ("/containers/0/cwd", json!("."), "the working folder of runner-0, ., is no absolute path"),
            ("/containers/0/args", json!(["a\0b"]), "an argument or variable of runner-0 has a NUL in it"),
            ("/containers/0/env", json!({"A=B": ""}), "\"A=B\", in the environment of runner-0, is no name"),
            ("/drainMs", json!(5_000_000), "a drain time of 5000000 ms, at most 600000"),
            ("/containers/0/clone", json!("x"), "use the command line and the supervisor of one version"),
        ] {
            let refusal = refusal(pointer, value);
            assert!(refusal.contains(said), "{refusal}");
        }
        let many: Vec<_> = (0..=MOST_CONTAINERS).map(|n| container(&format!("runner-{n}"))).collect();
        assert!(refusal("/containers", many.into()).contains("1001 containers, at most 1000"));
    }

    #[test]
    fn arguments_and_environment_are_in_no_debug_output() {
        let mut plan = plan();
        plan["containers"][0]["args"] = json!(["--token=hush"]);
        plan["containers"][0]["env"] = json!({"PASSWORD": "hush"});
        let shown = format!("{:?}", Plan::parse(plan, "demo").unwrap());
        assert!(shown.contains("runner-0") && !shown.contains("hush"), "{shown}");
    }
}
