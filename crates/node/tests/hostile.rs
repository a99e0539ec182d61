//! A stranger, or a member that breaks the rules: what it sends is not acted on, its link ends with the reason, and
//! whoever stalls is turned out in time. The peer here is made of the protocol alone, so that it can do anything.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::{Arc, atomic::AtomicU32, atomic::Ordering},
    time::Duration,
};

use tokio::{runtime::Handle as Runtime, time};
use troupe_node::{
    channel::{self, ChannelError, OPENING_LIMIT},
    discovery::Directory,
    link::{self, ClosedReason},
    transport::{MemoryNetwork, Socket, Transport},
    zone::{Zone, ZoneOptions},
};
use troupe_proto::{
    codec::{
        Body, CloseReason, Correlation, Course, Flow, Frame, Pieces, Reply, ResetReason, Resume, encode,
        encode_head,
    },
    noise::{
        AccessKey, CREDENTIAL_LIFETIME, Capabilities, CredentialRequest, Established, HEADER, Handshake,
        HandshakeError, Identity, Membership, RECORD_HEADER, RECORD_TAG,
    },
    session::{SessionError, Terms},
    text::Text,
};
use troupe_testkit::{Founded, NOW, Recorder, connection, text_message};

/// A member without a node: it shakes hands and then says what it likes.
struct RawPeer {
    socket: Arc<dyn Socket>,
    channel: Established,
}

impl RawPeer {
    async fn dial(socket: Arc<dyn Socket>, membership: &Membership, now: u64) -> Self {
        let mut handshake = Handshake::initiate(membership, None, now).unwrap();
        let (mut read, mut chunk) = (Vec::new(), [0; 4096]);
        loop {
            socket.write_all(&handshake.take_output()).await.unwrap();
            if handshake.is_done() {
                return Self { socket, channel: handshake.finish().unwrap() };
            }
            let count = socket.read(&mut chunk).await.unwrap();
            assert_ne!(count, 0, "it was refused");
            read.extend_from_slice(&chunk[..count]);
            let used = handshake.read(&read).unwrap();
            read.drain(..used);
        }
    }

    /// One record of these bytes.
    async fn say(&mut self, plaintext: &[u8]) {
        let mut record = [&[0; RECORD_HEADER][..], plaintext, &[0; RECORD_TAG]].concat();
        self.channel.send.seal_in_place(&mut record).unwrap();
        self.socket.write_all(&record).await.unwrap();
    }
}

fn bytes_of(frames: &[Frame<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        encode(frame, &mut bytes);
    }
    bytes
}

fn resume(incarnation: u64, session: u64) -> Frame<'static> {
    Frame::Resume(Resume {
        course: Course::Begins,
        incarnation,
        known_incarnation: 0,
        session,
        next_expected: 0,
    })
}

/// What a node with these terms makes of a first record.
async fn first_record(plaintext: &[u8]) -> Result<(), ChannelError> {
    let zone = Founded::new();
    let (dialled, accepted) = connection(&MemoryNetwork::default()).await;
    let (near, far) = (zone.member("near"), zone.member("far"));
    let hostile = async {
        let mut peer = RawPeer::dial(dialled, &near, NOW).await;
        peer.say(plaintext).await;
        peer
    };
    let (_peer, result) = tokio::join!(hostile, channel::answer(accepted, &far, NOW, Terms::default()));
    result.map(drop)
}

#[tokio::test]
async fn a_channel_opens_with_hello_and_resume_and_nothing_else() {
    let hello = Terms::default().hello();
    // A membership of the test kit is of incarnation 1.
    first_record(&bytes_of(&[hello, resume(1, 1)])).await.unwrap();
    let others: [&[Frame<'_>]; 9] = [
        &[],
        &[hello],
        &[resume(1, 1)],
        &[resume(1, 1), hello],
        &[hello, hello, resume(1, 1)],
        &[hello, resume(1, 1), Frame::Ping { token: 1 }],
        &[hello, resume(1, 1), text_message(1, 2, "early")],
        &[hello, resume(2, 1)],
        &[hello, resume(1, 0)],
    ];
    for frames in others {
        let result = first_record(&bytes_of(frames)).await;
        assert!(
            matches!(result, Err(ChannelError::Session(SessionError::OutOfPlace(_)))),
            "{frames:?}: {result:?}"
        );
    }
    let rubbish = first_record(&[0x3f, 0, 0, 0]).await;
    assert!(matches!(rubbish, Err(ChannelError::Session(SessionError::Codec(_)))), "{rubbish:?}");
}

#[tokio::test]
async fn a_dial_accepts_no_other_member_in_the_place_of_the_one_it_meant() {
    let zone = Founded::new();
    let (dialled, accepted) = connection(&MemoryNetwork::default()).await;
    let (near, far, meant) = (zone.member("near"), zone.member("far"), zone.member("meant"));
    let Frame::Resume(own) = resume(1, 1) else { panic!("a RESUME") };
    let dial = channel::dial(dialled, &near, meant.node_id(), NOW, Terms::default(), |_| Some(own.into()));
    let answer = channel::answer(accepted, &far, NOW, Terms::default());
    let both = async { tokio::join!(dial, async { drop(answer.await) }) };
    let (result, ()) = both.await;
    let Err(ChannelError::Handshake(HandshakeError::OtherNode { presented, .. })) = result else {
        panic!("{result:?}")
    };
    assert_eq!(presented, far.node_id());
}

/// What a node does with a record of a member whose channel is open, and with a message behind it.
async fn told(terms: Terms, consumes: bool, records: &[Vec<u8>]) -> (ClosedReason, usize) {
    let zone = Founded::new();
    let (dialled, accepted) = connection(&MemoryNetwork::default()).await;
    let (near, far) = (zone.member("near"), zone.member("far"));
    let events = if consumes { Recorder::new() } else { Recorder::that_never_consumes() };
    let far = async {
        let knock = channel::answer(accepted, &far, NOW, terms).await.unwrap();
        let Frame::Resume(own) = resume(1, 1) else { panic!("a RESUME") };
        let (_link, task) = link::open(knock.accept(own), 1);
        task.run(Arc::clone(&events) as _).await
    };
    let hostile = async {
        let mut peer = RawPeer::dial(dialled, &near, NOW).await;
        peer.say(&bytes_of(&[Terms::default().hello(), resume(1, 1)])).await;
        for record in records {
            peer.say(record).await;
        }
        peer.say(&bytes_of(&[text_message(1, 2, "behind it")])).await;
        peer
    };
    // The peer's end is dropped, and with it the connection, when the link has said that it closed.
    let (peer, ended) = tokio::join!(hostile, async {
        tokio::select! {
            reason = far => reason,
            reason = events.until_closed(1) => reason,
        }
    });
    drop(peer);
    (ended, events.frames())
}

fn reply(body: Body<'_>) -> Frame<'_> {
    Frame::Reply(Reply { correlation: Correlation { slot: 1, generation: 1 }, body })
}

fn head(id: u32, total: u32, body: Body<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_head(&reply(body), Pieces { id, total }, &mut bytes);
    bytes
}

fn piece(id: u32, last: bool, bytes: &[u8]) -> Vec<u8> {
    bytes_of(&[Frame::Fragment { id, last, bytes }])
}

#[tokio::test]
async fn a_member_that_breaks_the_rules_loses_its_link_and_nothing_behind_is_acted_on() {
    let terms = Terms { max_message: 100, max_reassembly: 150, max_pieces: 2, ..Terms::default() };
    let bytes = Body::Bytes(&[]);
    let cases: [(&str, Vec<Vec<u8>>); 19] = [
        ("an acknowledgement of what was not sent", vec![bytes_of(&[Frame::Ack { count: 99 }])]),
        ("a window that moves back", vec![bytes_of(&[Frame::Window { flow: Flow::Messages, offset: 0 }])]),
        ("a second HELLO", vec![bytes_of(&[Terms::default().hello()])]),
        ("a second RESUME", vec![bytes_of(&[resume(1, 2)])]),
        ("a RESET in the middle", vec![bytes_of(&[Frame::Reset { reason: ResetReason::Expired }])]),
        (
            "a CLOSE with frames missing",
            vec![bytes_of(&[Frame::Close { reason: CloseReason::NodeStops, last: 9 }])],
        ),
        ("an unknown kind", vec![vec![0x3f, 0, 0, 0]]),
        ("a frame cut off", vec![vec![0x44, 0, 8, 0, 1]]),
        ("text that is none", vec![bytes_of(&[reply(Body::Text(Text::Wtf8(&[0xff])))])]),
        ("a piece of nothing", vec![piece(1, true, b"x")]),
        ("a body longer than is taken in", vec![head(1, 101, bytes)]),
        ("more bodies than are put together", vec![head(1, 1, bytes), head(2, 1, bytes), head(3, 1, bytes)]),
        ("more bytes than are put together", vec![head(1, 100, bytes), head(2, 51, bytes)]),
        ("one number for two bodies", vec![head(1, 9, bytes), head(1, 9, bytes)]),
        ("more than was announced", vec![head(1, 1, bytes), piece(1, true, b"xy")]),
        ("less than was announced", vec![head(1, 3, bytes), piece(1, true, b"xy")]),
        ("an end that is none", vec![head(1, 2, bytes), piece(1, false, b"xy")]),
        ("text in pieces that is none", vec![head(1, 1, Body::EMPTY), piece(1, true, &[0xff])]),
        ("a frame that may not be skipped", vec![vec![0x7f, 0, 0, 0]]),
    ];
    for (what, records) in cases {
        let (ended, frames) = told(terms, true, &records).await;
        assert!(matches!(ended, ClosedReason::Violation(_)), "{what}: {ended:?}");
        assert_eq!(frames, 0, "{what}: something was acted on");
    }
}

#[tokio::test]
async fn a_member_that_sends_beyond_its_window_loses_its_link() {
    let terms = Terms { windows: [100; 2], ..Terms::default() };
    let one = || bytes_of(&[text_message(1, 2, &"x".repeat(60))]);
    let (ended, frames) = told(terms, false, &[one()]).await;
    assert!(matches!(ended, ClosedReason::Violation(_)), "the second is behind its window: {ended:?}");
    assert_eq!(frames, 1);
    // In pieces, the announcement alone is too much.
    let mut long = Vec::new();
    encode_head(&text_message(1, 2, ""), Pieces { id: 1, total: 60 }, &mut long);
    let (ended, frames) = told(terms, false, &[long]).await;
    assert!(matches!(ended, ClosedReason::Violation(_)), "{ended:?}");
    assert_eq!(frames, 0);
}

/// A zone of its own, with a node that listens in it and the keys to make members.
struct Listening {
    home: PathBuf,
    network: MemoryNetwork,
    zone: Zone,
    events: Arc<Recorder>,
}

impl Listening {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("troupe-hostile-{}-{number}", std::process::id()));
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
        let (network, events) = (MemoryNetwork::default(), Recorder::new());
        let options = ZoneOptions {
            home: home.clone(),
            zone: "test".into(),
            node_name: "node".into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            accept_code: false,
        };
        let transport = Arc::new(network.clone());
        let zone =
            Zone::join_over(transport, options, Arc::clone(&events) as _, &Runtime::current()).unwrap();
        Self { home, network, zone, events }
    }

    async fn connect(&self) -> Arc<dyn Socket> {
        self.network.dial(self.zone.address()).await.unwrap()
    }

    /// A member that no node stands behind, as of now.
    fn member(&self, now: u64) -> Membership {
        let directory = Directory::open(&self.home, "test").unwrap();
        let identity = Identity::generate().unwrap();
        let request = CredentialRequest {
            name: "raw",
            public_key: identity.public_key(),
            not_before: now,
            expires: now + CREDENTIAL_LIFETIME,
            capabilities: Capabilities::NONE,
        };
        let authority = directory.authority();
        let credential = authority.issue(&request).unwrap();
        let key = AccessKey::from_secret(directory.access_key().secret());
        Membership::new(Arc::new(identity), credential, authority.public_key(), key, 1).unwrap()
    }

    /// The connection ends in time, without an answer but what the handshake itself takes.
    async fn turns_out(&self, socket: &Arc<dyn Socket>, what: &str) {
        let begin = time::Instant::now();
        let mut chunk = [0; 4096];
        let end = async { while socket.read(&mut chunk).await.is_ok_and(|count| count > 0) {} };
        time::timeout(2 * OPENING_LIMIT, end).await.unwrap_or_else(|_| panic!("{what} is still there"));
        assert!(
            begin.elapsed() <= OPENING_LIMIT + Duration::from_millis(10),
            "{what}: {:?}",
            begin.elapsed()
        );
        assert!(self.events.events().is_empty(), "{what} was taken for a member");
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.home);
    }
}

#[tokio::test(start_paused = true)]
async fn who_stalls_on_the_way_to_a_channel_is_turned_out_within_ten_seconds() {
    assert_eq!(OPENING_LIMIT, Duration::from_secs(10));
    let node = Listening::new();
    let silent = node.connect().await;
    node.turns_out(&silent, "one that says nothing").await;

    let half = node.connect().await;
    half.write_all(&HEADER[..7]).await.unwrap();
    node.turns_out(&half, "one that stops in the header").await;

    let waiting = node.connect().await;
    waiting.write_all(&[&HEADER[..], &[0, 48]].concat()).await.unwrap();
    node.turns_out(&waiting, "one that promises a message").await;

    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let member = RawPeer::dial(node.connect().await, &node.member(now), now).await;
    node.turns_out(&member.socket, "a member that says no HELLO").await;
}
