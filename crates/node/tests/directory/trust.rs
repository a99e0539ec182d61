//! What others could read, change or replace is refused, by name and with the command that mends it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink},
    path::Path,
    process::Command,
};

use troupe_node::discovery::{Directory, DiscoveryError, Fault, OpenError, Untrusted};

use crate::support::{Home, ZONE, announce, announce_of};

fn refusal(home: &Path) -> Untrusted {
    match Directory::open(home, ZONE) {
        Err(OpenError::Files(DiscoveryError::Untrusted(untrusted))) => untrusted,
        other => panic!("not refused: {other:?}"),
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Does what the refusal says, in a shell.
fn mend(untrusted: &Untrusted) {
    let (_, command) = untrusted.mend.split_once(": ").expect("a command");
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
}

#[test]
fn all_that_is_made_is_closed_to_others() {
    let home = Home::new();
    let directory = home.open();
    let _announcement = announce(&directory, "runner");
    let mut open = vec![home.path()];
    let mut seen = 0;
    while let Some(path) = open.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        let wanted = if found.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(found.mode() & 0o777, wanted, "{}", path.display());
        seen += 1;
        if found.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    // home, zones, default, nodes, drafts, two keys, the lock, one record
    assert_eq!(seen, 9);
}

#[test]
fn each_folder_and_file_open_to_others_is_refused_until_its_mode_is_mended() {
    let home = Home::new();
    drop(home.open());
    let (folders, files) = (["", "zones", "zones/default"], ["authority.key", "access.key", "zone.lock"]);
    let cases = folders
        .map(|folder| (home.path().join(folder), 0o700))
        .into_iter()
        .chain(["nodes", "drafts"].map(|folder| (home.zone().join(folder), 0o700)))
        .chain(files.map(|file| (home.zone().join(file), 0o600)));
    for (path, wanted) in cases {
        for others in [0o040, 0o004, 0o020, 0o001] {
            // The lock is touched only when keys are made.
            if path.ends_with("zone.lock") {
                fs::remove_file(home.zone().join("authority.key")).unwrap();
            }
            mode(&path, wanted | others);
            let untrusted = refusal(&home.path());
            assert_eq!(untrusted.path, path.components().collect::<std::path::PathBuf>());
            assert_eq!(untrusted.fault, Fault::Mode { mode: wanted | others, wanted });
            assert!(untrusted.to_string().contains(&format!("chmod {wanted:o} '")), "{untrusted}");
            mend(&untrusted);
            drop(home.open());
        }
    }
}

#[test]
fn a_folder_above_that_others_can_write_to_is_refused_unless_it_is_sticky() {
    let home = Home::new();
    for open in [0o770, 0o707, 0o777] {
        mode(home.above(), open);
        let untrusted = refusal(&home.path());
        assert_eq!(untrusted.path, home.above());
        assert_eq!(untrusted.fault, Fault::WritableByOthers { mode: open });
        assert!(!home.path().exists());
        mend(&untrusted);
        assert!(Directory::open(&home.path(), ZONE).is_ok());
        fs::remove_dir_all(home.path()).unwrap();
    }
    mode(home.above(), 0o1777);
    drop(home.open());
}

#[test]
fn a_symbolic_link_in_place_of_any_folder_or_file_of_the_zone_is_refused() {
    for name in ["", "zones", "zones/default", "zones/default/nodes", "zones/default/drafts"]
        .into_iter()
        .chain(["zones/default/authority.key", "zones/default/access.key", "zones/default/zone.lock"])
    {
        let home = Home::new();
        drop(home.open());
        let path: std::path::PathBuf = home.path().join(name).components().collect();
        let target = home.above().join("elsewhere");
        fs::rename(&path, &target).unwrap();
        symlink(&target, &path).unwrap();
        if name.ends_with("zone.lock") {
            fs::remove_file(home.zone().join("authority.key")).unwrap();
        }
        let untrusted = refusal(&home.path());
        assert_eq!(
            (untrusted.path.as_path(), untrusted.fault),
            (path.as_path(), Fault::SymbolicLink),
            "{name}"
        );
    }
}

#[test]
fn a_link_in_place_of_the_home_is_answered_with_the_folder_to_name() {
    let home = Home::new();
    let target = home.above().join("it's here");
    fs::create_dir(&target).unwrap();
    mode(&target, 0o700);
    symlink(&target, home.path()).unwrap();
    let untrusted = refusal(&home.path().join("")).to_string();
    let name = target.display().to_string().replace('\'', r"'\''");
    assert!(untrusted.ends_with(&format!("export TROUPE_HOME='{name}'")), "{untrusted}");
    drop(Directory::open(&target, ZONE).unwrap());
}

#[test]
fn links_above_the_home_are_followed_and_what_they_lead_to_is_checked() {
    let home = Home::new();
    let (real, link) = (home.above().join("real"), home.above().join("link"));
    fs::create_dir(&real).unwrap();
    symlink("./real/../real", &link).unwrap();
    mode(&real, 0o755);
    drop(Directory::open(&link.join("home"), ZONE).unwrap());
    assert!(real.join("home/zones/default/access.key").is_file());
    mode(&real, 0o775);
    assert_eq!(refusal(&link.join("home")).path, real);

    symlink("circle", home.above().join("circle")).unwrap();
    let circle = Directory::open(&home.above().join("circle/home"), ZONE);
    assert!(matches!(circle, Err(OpenError::Files(DiscoveryError::System { .. }))), "{circle:?}");
}

#[test]
fn what_belongs_to_somebody_else_is_refused() {
    if !rustix::process::geteuid().is_root() {
        // Only root can give a folder away; one of root's does for everybody else.
        assert!(matches!(refusal(Path::new("/usr")).fault, Fault::Owner { owner: 0, .. }));
        return;
    }
    for name in ["", "zones/default", "zones/default/nodes", "zones/default/access.key"] {
        let home = Home::new();
        drop(home.open());
        let path: std::path::PathBuf = home.path().join(name).components().collect();
        chown(&path, Some(4711), None).unwrap();
        let untrusted = refusal(&home.path());
        assert_eq!(untrusted.path, path);
        assert_eq!(untrusted.fault, Fault::Owner { owner: 4711, user: 0 });
        let command = format!("sudo chown 0 '{}'", path.display());
        assert!(untrusted.mend.ends_with(&command), "{untrusted}");
    }
    let home = Home::new();
    let link = home.above().join("link");
    symlink(home.above(), &link).unwrap();
    lchown(&link, Some(4711), None).unwrap();
    assert_eq!(refusal(&link.join("home")).path, link);
    chown(home.above(), Some(4711), None).unwrap();
    assert_eq!(refusal(&home.path()).path, home.above());
}

#[test]
fn a_file_in_place_of_a_folder_and_a_folder_in_place_of_a_file_are_refused() {
    let home = Home::new();
    fs::write(home.path(), "").unwrap();
    assert_eq!(refusal(&home.path()).fault, Fault::NotAFolder);
    assert_eq!(refusal(&home.path().join("below")).fault, Fault::NotAFolder);
    mend(&refusal(&home.path()));
    let directory = home.open();
    fs::create_dir(home.record("runner")).unwrap();
    let refused = directory.announce(announce_of("runner")).expect_err("announced");
    assert!(refused.to_string().contains("is not a plain file"), "{refused}");
}

#[test]
fn missing_folders_above_the_home_are_made_closed() {
    let home = Home::new();
    let deep = home.above().join("a/b/./c/../home");
    drop(Directory::open(&deep, ZONE).unwrap());
    for made in ["a", "a/b", "a/b/home"] {
        assert_eq!(fs::metadata(home.above().join(made)).unwrap().mode() & 0o777, 0o700);
    }
}
