//! The zone of a node as a view reads it: who is there by its directory, what they tell by services over its channels.

use crate::view::source::{Answer, Member, Source, Topic, Unanswered};
use std::sync::Arc;
use std::time::Duration;
use troupe_node::discovery::Role;
use troupe_node::node::{SUPERVISE, Shared};
use troupe_node::observe::OBSERVE;

/// A node's own zone.
#[derive(Debug)]
pub struct ZoneSource {
    node: Arc<Shared>,
    zone: Option<String>,
    role: Role,
}

impl ZoneSource {
    /// For a node that is in this zone, in this role; `None`: it is by itself.
    #[must_use]
    pub fn new(node: Arc<Shared>, zone: Option<String>, role: Role) -> Self {
        Self { node, zone, role }
    }
}

impl Source for ZoneSource {
    fn own(&self) -> &str {
        self.node.name()
    }

    fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    fn members(&self) -> Answer<Vec<Member>> {
        let (node, role) = (self.node.clone(), self.role);
        Box::pin(async move {
            let own = Member { name: node.name().to_owned(), id: node.id().to_owned(), role };
            // It reads files: not on the server's own thread.
            let found = tokio::task::spawn_blocking(move || node.members()).await;
            let found = found.map_err(|error| Unanswered(error.to_string()))?.map_err(Unanswered)?;
            let mut members: Vec<_> = found
                .into_iter()
                .map(|member| Member { name: member.name, id: member.id.to_string(), role: member.role })
                .collect();
            members.push(own);
            members.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(members)
        })
    }

    fn ask(&self, member: &str, topic: Topic, question: String, within: Duration) -> Answer<Vec<u8>> {
        let (node, member) = (self.node.clone(), member.to_owned());
        let kind = match topic {
            Topic::Observe => OBSERVE,
            Topic::Supervise => SUPERVISE,
        };
        Box::pin(async move {
            if member == node.name() && topic == Topic::Observe {
                let told = tokio::time::timeout(within, node.tell(question.as_bytes())).await;
                let told = told.map_err(|_| Unanswered("nothing came in time".to_owned()))?;
                return told.map_err(|error| Unanswered(error.to_string()));
            }
            let answer = node.ask(&member, kind, question.as_bytes(), within).await;
            answer.map_err(|error| Unanswered(error.to_string()))
        })
    }
}
