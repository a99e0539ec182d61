//! What is told of a container.

use serde::Serialize;

/// Where a container is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Its process runs, its node is not in the zone yet.
    Starting,
    /// Its process has lived for [`crate::restart::Policy::settled`], and its node is not in the zone yet; not every program opens one.
    Running,
    /// Its node is in the zone.
    Up,
    /// It has died, or left the zone unasked, and is started again after a pause.
    BackingOff,
    /// It died too often and is left alone until the next deployment.
    GivenUp,
    /// It was asked to end.
    Draining,
    /// It has ended: by itself with status 0 and without having been in the zone, or because it was to.
    Ended,
}

/// What is told of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Where it is in its life.
    pub state: State,
    /// Number of its process, while there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// When the state began: milliseconds since 1970.
    pub since: u64,
    /// How many times it was started again.
    pub restarts: u64,
    /// How its last life ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<String>,
    /// When it is started again: milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_try: Option<u64>,
}
