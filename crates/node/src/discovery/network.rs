//! Which file systems are on a network: there a lock says nothing about the processes of other machines, and the files
//! are in the hands of whoever runs the server.

use std::path::Path;

use rustix::{
    fs::{StatFs, statfs},
    io::Errno,
};

/// The kind of network file system that holds this path; none for a local one.
pub(super) fn kind_of(path: &Path) -> Result<Option<&'static str>, Errno> {
    statfs(path).map(|found| kind(&found))
}

/// The system itself knows which mounts are local.
#[cfg(target_os = "macos")]
fn kind(found: &StatFs) -> Option<&'static str> {
    const MNT_LOCAL: u32 = 0x1000;
    (found.f_flags & MNT_LOCAL == 0).then_some("not local")
}

#[cfg(not(target_os = "macos"))]
fn kind(found: &StatFs) -> Option<&'static str> {
    u32::try_from(found.f_type & 0xffff_ffff).ok().and_then(name)
}

/// By the numbers of statfs(2). FUSE is among them: what is behind it can't be told, and a lock on `sshfs` or on the
/// folders of a virtual machine's host is unknown to the other side.
#[cfg(not(target_os = "macos"))]
fn name(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "nfs",
        0x517b | 0xfe53_4d42 | 0xff53_4d42 => "smb",
        0x6573_5546 => "fuse",
        0x0102_1997 => "9p",
        0x00c3_6400 => "ceph",
        0x0bd0_0bd0 => "lustre",
        0x5346_414f | 0x6b41_4653 => "afs",
        0x7375_7245 => "coda",
        0x0000_564c => "ncp",
        0x0116_1970 => "gfs2",
        0x7461_636f => "ocfs2",
        0x4750_4653 => "gpfs",
        0x2003_0528 => "orangefs",
        0x786f_4256 => "vboxsf",
        0xbacb_acbc => "vmhgfs",
        _ => return None,
    })
}

#[cfg(all(test, not(target_os = "macos")))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_numbers_and_local_ones_pass() {
        for (magic, kind) in [(0x6969, "nfs"), (0xfe53_4d42, "smb"), (0x6573_5546, "fuse")] {
            assert_eq!(name(magic), Some(kind));
        }
        // ext4, btrfs, xfs, tmpfs, overlayfs, zfs
        for magic in [0xef53, 0x9123_683e, 0x5846_5342, 0x0102_1994, 0x794c_7630, 0x2fc1_2fc1] {
            assert_eq!(name(magic), None);
        }
    }
}
