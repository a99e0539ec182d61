//! The record of one live node, to the byte.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `troupeN` and the version, 2 |
//! | 32 | identifier |
//! | 8 | incarnation |
//! | 8 | milliseconds since 1970 at which it announced itself |
//! | 4 | process |
//! | 16 | boot identifier of the machine, zero when unknown |
//! | 8 | inode of the network namespace, zero when unknown |
//! | 1, 16, 4, 2 | 4 or 6, IP address (filled up with zeros), IPv6 scope, port |
//! | 1 | role: 0 node, 1 observer, 2 supervisor |
//! | 1, n | length of the name, name |
//!
//! Integers are little-endian. Nothing follows the name.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    os::unix::fs::MetadataExt,
};

use troupe_proto::{address::check_name, noise::NodeId};

use super::{Member, Role};

const MAGIC: &[u8; 7] = b"troupeN";
const VERSION: u8 = 2;

/// More than the longest record: what is longer is none.
pub(super) const READ_AT_MOST: u64 = 512;

/// What a node's record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) member: Member,
    pub(super) process: u32,
    pub(super) machine: Machine,
}

/// Where a node runs, as far as it decides whether an address of one is good for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Machine {
    boot: [u8; 16],
    network: u64,
}

impl Machine {
    /// Where this process runs. What the system does not tell is zero and passes for equal.
    pub(super) fn here() -> Self {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self {
            boot: identifier(&boot).unwrap_or_default(),
            network: fs::metadata("/proc/self/ns/net").map_or(0, |found| found.ino()),
        }
    }

    /// Why a node there can't be reached from here, as the end of a sentence.
    pub(super) fn foreign_to(&self, here: &Self) -> Option<&'static str> {
        if differ(&self.boot, &here.boot) {
            Some("is of a node on another machine, or from before this one was started")
        } else if differ(&self.network, &here.network) {
            Some(
                "is of a node in another network namespace, as of a container, where its address means another place",
            )
        } else {
            None
        }
    }
}

fn differ<T: PartialEq + Default>(one: &T, other: &T) -> bool {
    let unknown = T::default();
    *one != unknown && *other != unknown && one != other
}

/// The bytes of a UUID's text.
fn identifier(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u8> = text
        .trim()
        .chars()
        .filter(|digit| *digit != '-')
        .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    bytes.try_into().ok()
}

impl Record {
    pub(super) fn encode(&self) -> Vec<u8> {
        let Self { member, process, machine } = self;
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        out.extend_from_slice(&member.id.0);
        out.extend_from_slice(&member.incarnation.to_le_bytes());
        out.extend_from_slice(&member.since_unix_ms.to_le_bytes());
        out.extend_from_slice(&process.to_le_bytes());
        out.extend_from_slice(&machine.boot);
        out.extend_from_slice(&machine.network.to_le_bytes());
        let (family, ip, scope) = match member.address {
            SocketAddr::V4(address) => {
                let mut ip = [0; 16];
                ip[..4].copy_from_slice(&address.ip().octets());
                (4, ip, 0)
            }
            SocketAddr::V6(address) => (6, address.ip().octets(), address.scope_id()),
        };
        out.push(family);
        out.extend_from_slice(&ip);
        out.extend_from_slice(&u32::to_le_bytes(scope));
        out.extend_from_slice(&member.address.port().to_le_bytes());
        out.push(member.role.number());
        out.push(member.name.len() as u8);
        out.extend_from_slice(member.name.as_bytes());
        out
    }

    /// What is wrong with the bytes, as the end of a sentence, when they are no record.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut rest = bytes;
        if take(&mut rest)? != *MAGIC {
            return Err("is no node's record");
        }
        if take(&mut rest)? != [VERSION] {
            return Err("was written by another version");
        }
        let id = NodeId(take(&mut rest)?);
        let incarnation = u64::from_le_bytes(take(&mut rest)?);
        let since_unix_ms = u64::from_le_bytes(take(&mut rest)?);
        let process = u32::from_le_bytes(take(&mut rest)?);
        let boot = take(&mut rest)?;
        let network = u64::from_le_bytes(take(&mut rest)?);
        let [family] = take(&mut rest)?;
        let ip: [u8; 16] = take(&mut rest)?;
        let scope = u32::from_le_bytes(take(&mut rest)?);
        let port = u16::from_le_bytes(take(&mut rest)?);
        let [role] = take(&mut rest)?;
        let [length] = take(&mut rest)?;
        let address = match (family, ip) {
            (4, [a, b, c, d, ..]) => SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port),
            (6, ip) => SocketAddrV6::new(Ipv6Addr::from(ip), port, 0, scope).into(),
            _ => return Err("has an address of an unknown kind"),
        };
        let role = Role::from_number(role).ok_or("has a role that this version does not know")?;
        let name = std::str::from_utf8(rest).unwrap_or_default();
        if rest.len() != usize::from(length) {
            return Err(CUT);
        }
        if check_name(name).is_err() {
            return Err("holds no valid name");
        }
        let member = Member { id, name: name.to_owned(), address, incarnation, since_unix_ms, role };
        Ok(Self { member, process, machine: Machine { boot, network } })
    }
}

const CUT: &str = "is cut off or too long for a record";

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], &'static str> {
    let (taken, after) = rest.split_first_chunk().ok_or(CUT)?;
    *rest = after;
    Ok(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(address: SocketAddr) -> Record {
        Record {
            member: Member {
                id: NodeId([7; 32]),
                name: "runner-1".to_owned(),
                address,
                incarnation: 0x0102_0304_0506_0708,
                since_unix_ms: 1_800_000_000_000,
                role: Role::Observer,
            },
            process: 4711,
            machine: Machine { boot: [9; 16], network: 4_026_531_840 },
        }
    }

    fn local() -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 4242).into()
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        let link_local = SocketAddrV6::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1), 65535, 0, 3);
        for address in [local(), (Ipv6Addr::LOCALHOST, 1).into(), link_local.into()] {
            assert_eq!(Record::decode(&record(address).encode()), Ok(record(address)));
        }
    }

    #[test]
    fn a_record_cut_anywhere_or_with_something_behind_it_is_none() {
        let whole = record(local()).encode();
        for length in 0..whole.len() {
            assert!(Record::decode(&whole[..length]).is_err(), "{length} bytes passed");
        }
        assert!(Record::decode(&[&whole[..], b"x"].concat()).is_err());
    }

    #[test]
    fn a_record_of_another_version_says_so() {
        let mut bytes = record(local()).encode();
        bytes[7] = 1;
        assert_eq!(Record::decode(&bytes), Err("was written by another version"));
    }

    #[test]
    fn what_does_not_begin_as_a_record_is_none() {
        for at in 0..MAGIC.len() {
            let mut bytes = record(local()).encode();
            bytes[at] ^= 1;
            assert_eq!(Record::decode(&bytes), Err("is no node's record"));
        }
    }

    #[test]
    fn an_address_of_an_unknown_kind_is_refused() {
        let at = 7 + 1 + 32 + 8 + 8 + 4 + 16 + 8;
        let mut bytes = record(local()).encode();
        assert_eq!(bytes[at], 4);
        for family in [0, 1, 5, 7, 255] {
            bytes[at] = family;
            assert_eq!(Record::decode(&bytes), Err("has an address of an unknown kind"));
        }
    }

    #[test]
    fn a_record_tells_the_role_and_one_of_an_unknown_role_is_refused() {
        for role in [Role::Node, Role::Observer, Role::Supervisor] {
            let mut written = record(local());
            written.member.role = role;
            assert_eq!(Record::decode(&written.encode()).map(|record| record.member.role), Ok(role));
        }
        let at = 7 + 1 + 32 + 8 + 8 + 4 + 16 + 8 + 1 + 16 + 4 + 2;
        let mut bytes = record(local()).encode();
        assert_eq!(bytes[at], 1);
        for role in [3, 255] {
            bytes[at] = role;
            assert_eq!(Record::decode(&bytes), Err("has a role that this version does not know"));
        }
    }

    #[test]
    fn a_name_that_leads_out_of_the_folder_is_refused() {
        let mut bytes = record(local()).encode();
        let at = bytes.len() - 8;
        bytes[at..].copy_from_slice(b"../../ab");
        assert_eq!(Record::decode(&bytes), Err("holds no valid name"));
    }

    #[test]
    fn a_node_is_foreign_when_boot_or_network_differ_and_both_are_known() {
        let here = Machine { boot: [1; 16], network: 5 };
        assert_eq!(here.foreign_to(&here), None);
        assert!(Machine { boot: [2; 16], network: 5 }.foreign_to(&here).is_some());
        assert!(Machine { boot: [1; 16], network: 6 }.foreign_to(&here).is_some());
        assert_eq!(Machine { boot: [0; 16], network: 0 }.foreign_to(&here), None);
    }

    #[test]
    fn the_boot_identifier_is_the_uuid_in_bytes() {
        let text = "00010203-0405-0607-0809-0a0b0c0d0e0f\n";
        assert_eq!(identifier(text), Some([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]));
        assert_eq!(identifier("nonsense"), None);
    }
}
