//! What a node sees of its zone.

use crate::isolate::with;
use crate::node::running;
use napi::bindgen_prelude::*;
use napi_derive::napi;

pub(crate) fn home() -> Result<std::path::PathBuf> {
    troupe_node::discovery::default_home().map_err(|error| Error::from_reason(error.to_string()))
}

/// The folder of a zone's files.
#[napi(catch_unwind)]
pub fn zone_folder(zone: String) -> Result<String> {
    Ok(troupe_node::discovery::zone_folder(&home()?, &zone).to_string_lossy().into_owned())
}

/// A live member of the zone.
#[napi(object)]
pub struct MemberEntry {
    /// Its name.
    pub name: String,
    /// Identifier of its identity, in hexadecimal.
    pub id: String,
    /// What it is: 0 a node, 1 an observer, 2 the supervisor.
    pub role: u32,
}

/// The live members of the node's zone but itself, in whatever role, looked up now, sorted by name.
#[napi(catch_unwind)]
pub fn members(node: u32) -> Result<Vec<MemberEntry>> {
    with(|isolate| match running(isolate, node) {
        None => Ok(Vec::new()),
        Some(node) => match node.0.shared().members() {
            Err(error) => Err(Error::from_reason(error)),
            Ok(members) => Ok(members
                .into_iter()
                .map(|member| MemberEntry {
                    name: member.name,
                    id: member.id.to_string(),
                    role: member.role.number().into(),
                })
                .collect()),
        },
    })?
}
