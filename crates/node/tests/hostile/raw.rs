//! A member without a node, and a zone of the test's own.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use troupe_node::{discovery::Directory, transport::Socket};
use troupe_proto::{
    codec::{Course, Decoded, Decoder, Frame, Resume, encode},
    noise::{
        AccessKey, CREDENTIAL_LIFETIME, Capabilities, CredentialRequest, Established, Handshake, Identity,
        Membership, RECORD_HEADER, RECORD_TAG, record_length,
    },
};

/// It shakes hands and then says what it likes.
pub(crate) struct RawPeer {
    pub(crate) socket: Arc<dyn Socket>,
    channel: Established,
    read: Vec<u8>,
}

impl RawPeer {
    pub(crate) async fn dial(socket: Arc<dyn Socket>, membership: &Membership, now: u64) -> Self {
        let mut handshake = Handshake::initiate(membership, None, now).unwrap();
        let (mut read, mut chunk) = (Vec::new(), [0; 4096]);
        loop {
            socket.write_all(&handshake.take_output()).await.unwrap();
            if handshake.is_done() {
                return Self { socket, channel: handshake.finish().unwrap(), read };
            }
            let count = socket.read(&mut chunk).await.unwrap();
            assert_ne!(count, 0, "it was refused");
            read.extend_from_slice(&chunk[..count]);
            let used = handshake.read(&read).unwrap();
            read.drain(..used);
        }
    }

    /// One record of these bytes.
    pub(crate) async fn say(&mut self, plaintext: &[u8]) {
        self.try_say(plaintext).await.unwrap();
    }

    /// As [`RawPeer::say`], until the other side ends the connection.
    pub(crate) async fn try_say(&mut self, plaintext: &[u8]) -> io::Result<()> {
        let mut record = [&[0; RECORD_HEADER][..], plaintext, &[0; RECORD_TAG]].concat();
        self.channel.send.seal_in_place(&mut record).unwrap();
        self.socket.write_all(&record).await
    }

    /// Any number of short frames, in as many records as they take.
    pub(crate) async fn say_all<'a>(&mut self, frames: impl IntoIterator<Item = Frame<'a>>) {
        const FULL: usize = 16_000;
        let mut bytes = Vec::new();
        for frame in frames {
            encode(&frame, &mut bytes);
            if bytes.len() > FULL {
                self.say(&std::mem::take(&mut bytes)).await;
            }
        }
        self.say(&bytes).await;
    }

    /// Reads records until `find` finds something in a frame. None: the connection ended before.
    pub(crate) async fn hear<T>(&mut self, mut find: impl FnMut(&Frame<'_>) -> Option<T>) -> Option<T> {
        let mut chunk = [0; 4096];
        loop {
            while let Some(header) = self.read.first_chunk::<RECORD_HEADER>() {
                let end = RECORD_HEADER + record_length(*header).unwrap();
                if self.read.len() < end {
                    break;
                }
                let mut record: Vec<u8> = self.read.drain(..end).collect();
                let plaintext = self.channel.receive.open_in_place(&mut record[RECORD_HEADER..]).unwrap();
                for decoded in Decoder::new(plaintext) {
                    if let Decoded::Whole(frame) = decoded.unwrap()
                        && let Some(found) = find(&frame)
                    {
                        return Some(found);
                    }
                }
            }
            match self.socket.read(&mut chunk).await {
                Ok(count) if count > 0 => self.read.extend_from_slice(&chunk[..count]),
                _ => return None,
            }
        }
    }
}

pub(crate) fn bytes_of(frames: &[Frame<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        encode(frame, &mut bytes);
    }
    bytes
}

pub(crate) fn resume(incarnation: u64, session: u64) -> Frame<'static> {
    Frame::Resume(Resume {
        course: Course::Begins,
        incarnation,
        known_incarnation: 0,
        session,
        next_expected: 0,
    })
}

/// The wall clock, by which nodes of a zone check credentials.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A folder for a zone called `test`, removed in the end.
pub(crate) struct Home(pub(crate) PathBuf);

impl Home {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("troupe-hostile-{}-{number}", std::process::id()));
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
        Self(home)
    }

    /// A member of incarnation 1 that no node stands behind, as of now.
    pub(crate) fn member(&self, capabilities: Capabilities) -> Membership {
        self.member_named("raw", capabilities)
    }

    pub(crate) fn member_named(&self, name: &str, capabilities: Capabilities) -> Membership {
        let directory = Directory::open(&self.0, "test").unwrap();
        let identity = Identity::generate().unwrap();
        let request = CredentialRequest {
            name,
            public_key: identity.public_key(),
            not_before: now(),
            expires: now() + CREDENTIAL_LIFETIME,
            capabilities,
        };
        let authority = directory.authority();
        let credential = authority.issue(&request).unwrap();
        let key = AccessKey::from_secret(directory.access_key().secret());
        Membership::new(Arc::new(identity), credential, authority.public_key(), key, 1).unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
