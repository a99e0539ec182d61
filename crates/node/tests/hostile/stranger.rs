//! Who connects and gets no further is turned out in time, and told nothing.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{runtime::Handle as Runtime, time};
use troupe_node::{
    channel::OPENING_LIMIT,
    discovery::Role,
    transport::{MemoryNetwork, Socket, Transport},
    zone::{Zone, ZoneOptions},
};
use troupe_proto::noise::{Capabilities, HEADER};
use troupe_testkit::Recorder;

use super::raw::{Home, RawPeer, now};

/// A node that listens in a zone of its own.
struct Listening {
    home: Home,
    network: MemoryNetwork,
    zone: Zone,
    events: Arc<Recorder>,
}

impl Listening {
    fn new() -> Self {
        let (home, network, events) = (Home::new(), MemoryNetwork::default(), Recorder::new());
        let options = ZoneOptions {
            home: home.0.clone(),
            zone: "test".into(),
            node_name: "node".into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            accept_code: false,
            role: Role::Node,
        };
        let transport = Arc::new(network.clone());
        let zone =
            Zone::join_over(transport, options, Arc::clone(&events) as _, &Runtime::current()).unwrap();
        Self { home, network, zone, events }
    }

    async fn connect(&self) -> Arc<dyn Socket> {
        self.network.dial(self.zone.address()).await.unwrap()
    }

    /// How long it takes until the connection ends. The clock stands while anything else can happen.
    async fn turns_out(&self, socket: &Arc<dyn Socket>, what: &str) -> Duration {
        let begin = time::Instant::now();
        let mut chunk = [0; 4096];
        let end = async { while socket.read(&mut chunk).await.is_ok_and(|count| count > 0) {} };
        time::timeout(2 * OPENING_LIMIT, end).await.unwrap_or_else(|_| panic!("{what} is still there"));
        assert!(self.events.events().is_empty(), "{what} was taken for a member");
        begin.elapsed()
    }
}

#[tokio::test(start_paused = true)]
async fn who_stalls_on_the_way_to_a_channel_is_turned_out_within_ten_seconds() {
    assert_eq!(OPENING_LIMIT, Duration::from_secs(10));
    let at_most = OPENING_LIMIT + Duration::from_millis(10);
    let node = Listening::new();
    let silent = node.connect().await;
    assert!(node.turns_out(&silent, "one that says nothing").await <= at_most);

    let half = node.connect().await;
    half.write_all(&HEADER[..7]).await.unwrap();
    assert!(node.turns_out(&half, "one that stops in the header").await <= at_most);

    let waiting = node.connect().await;
    waiting.write_all(&[&HEADER[..], &[0, 48]].concat()).await.unwrap();
    assert!(node.turns_out(&waiting, "one that promises a message").await <= at_most);

    let member = node.home.member(Capabilities::NONE);
    let member = RawPeer::dial(node.connect().await, &member, now()).await;
    assert!(node.turns_out(&member.socket, "a member that says no HELLO").await <= at_most);
}

#[tokio::test(start_paused = true)]
async fn a_full_house_turns_its_oldest_out_before_their_time() {
    let node = Listening::new();
    let mut strangers = Vec::new();
    for _ in 0..64 + 3 {
        strangers.push(node.connect().await);
    }
    let mut waited = Vec::new();
    for stranger in &strangers[..4] {
        waited.push(node.turns_out(stranger, "a stranger").await);
    }
    assert!(waited[..3].iter().all(|time| *time < Duration::from_secs(1)), "{waited:?}");
    assert!(waited[3] > Duration::from_secs(5), "the fourth had its place: {waited:?}");
}
