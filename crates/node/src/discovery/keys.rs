//! The two secrets of a zone: the authority's key, which makes members, and the access key, which every member has.
//!
//! Each is a file of exactly 40 bytes: `troupe`, one letter (`A` authority, `K` access key), the version, 1, and 32
//! bytes of secret. Whoever finds them missing makes them, under the zone's lock. The access key comes first: the
//! authority's file says that the zone is complete.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use troupe_proto::noise::{AccessKey, Authority};
use zeroize::Zeroizing;

use super::{
    DiscoveryError, OpenError,
    lock::{self, ZoneLock},
    trust::{self, Kind},
};

const AUTHORITY: Form = Form { file: "authority.key", letter: b'A' };
const ACCESS: Form = Form { file: "access.key", letter: b'K' };
const VERSION: u8 = 1;
const LENGTH: usize = 40;

type Secret = Zeroizing<[u8; 32]>;

/// Reads the zone's secrets, and makes them on first use. Of several processes that do so at once, all get the same.
pub(super) fn open(zone: &Path) -> Result<(Authority, AccessKey), OpenError> {
    let (authority, access) = match AUTHORITY.read(zone)? {
        Some(authority) => {
            let Some(access) = ACCESS.read(zone)? else {
                let path = zone.join(ACCESS.file);
                return Err(OpenError::Damaged { path, zone: zone.to_owned(), what: "is missing" });
            };
            (authority, access)
        }
        None => create(zone)?,
    };
    Ok((Authority::from_secret(&authority), AccessKey::from_secret(&access)))
}

/// Makes what is missing. Another process may have made it while this one waited, or have ended half way.
fn create(zone: &Path) -> Result<(Secret, Secret), OpenError> {
    let _lock = ZoneLock::wait(zone)?;
    let access = match ACCESS.read(zone)? {
        Some(access) => access,
        None => ACCESS.create(zone, AccessKey::generate()?.secret())?,
    };
    let authority = match AUTHORITY.read(zone)? {
        Some(authority) => authority,
        None => AUTHORITY.create(zone, &Authority::generate()?.secret())?,
    };
    Ok((authority, access))
}

/// A kind of key file.
struct Form {
    file: &'static str,
    letter: u8,
}

impl Form {
    fn magic(&self) -> [u8; 8] {
        [b't', b'r', b'o', b'u', b'p', b'e', self.letter, VERSION]
    }

    fn read(&self, zone: &Path) -> Result<Option<Secret>, OpenError> {
        let path = zone.join(self.file);
        match trust::check(&path, Kind::File) {
            Ok(_) => {}
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let mut file = lock::open(&path).map_err(DiscoveryError::on("open", &*path))?;
        // One byte more than a key has, so that a longer file is seen.
        let mut bytes = Zeroizing::new([0; LENGTH + 1]);
        let mut length = 0;
        while length < bytes.len() {
            match file.read(&mut bytes[length..]).map_err(DiscoveryError::on("read", &*path))? {
                0 => break,
                read => length += read,
            }
        }
        let damaged = |what| Err(OpenError::Damaged { path, zone: zone.to_owned(), what });
        let Some((magic, secret)) = bytes[..length].split_first_chunk::<8>() else {
            return damaged("is cut off");
        };
        if magic[..7] != self.magic()[..7] {
            return damaged("is not such a key");
        }
        if magic[7] != VERSION {
            return damaged("was written by another version");
        }
        match <&[u8; 32]>::try_from(secret) {
            Ok(secret) => Ok(Some(Zeroizing::new(*secret))),
            Err(_) => damaged("has not the length of a key"),
        }
    }

    /// Makes a key that is either there and whole, also after a power failure, or not there. Needs the zone's lock.
    fn create(&self, zone: &Path, secret: &[u8; 32]) -> Result<Secret, OpenError> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        bytes[..8].copy_from_slice(&self.magic());
        bytes[8..].copy_from_slice(secret);

        let path = zone.join(self.file);
        let new = zone.join(format!("{}.new", self.file));
        write(&new, &bytes[..]).map_err(DiscoveryError::on("write", &*new))?;
        fs::rename(&new, &path).map_err(DiscoveryError::on("put in place", &*path))?;
        File::open(zone).and_then(|folder| folder.sync_all()).map_err(DiscoveryError::on("save", zone))?;
        Ok(Zeroizing::new(*secret))
    }
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // What a process that ended here left behind may have any mode or be cut off: begin anew.
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).custom_flags(lock::flags()).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
