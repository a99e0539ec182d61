//! A zone's keys are made on first use, once, and never half.

use std::{fs, path::Path};

use troupe_node::discovery::{Directory, OpenError};

use crate::support::{Home, Other, ZONE, files, say, wait_for_word};

/// The part of a process that uses the zone for the first time together with others.
pub(crate) fn open_when_told(home: &Path) {
    say("ready");
    wait_for_word();
    say(&keys(&Directory::open(home, ZONE).unwrap()));
}

fn keys(directory: &Directory) -> String {
    format!("{:?} {:?}", directory.authority().public_key(), directory.access_key().secret())
}

fn error(home: &Home) -> OpenError {
    Directory::open(&home.path(), ZONE).expect_err("opened")
}

#[test]
fn processes_that_create_a_zone_at_once_get_the_same_keys() {
    let home = Home::new();
    let mut others: Vec<Other> = (0..6).map(|_| Other::plays("open", &home)).collect();
    for other in &mut others {
        assert_eq!(other.hears(), "ready");
    }
    for other in &mut others {
        other.tell();
    }
    let made: Vec<String> = others.iter_mut().map(Other::hears).collect();
    for keys in &made {
        assert_eq!(*keys, made[0]);
    }
    assert_eq!(keys(&home.open()), made[0]);
    assert_eq!(files(&home.zone()), ["access.key", "authority.key", "drafts", "nodes", "zone.lock"]);
}

#[test]
fn zones_have_keys_of_their_own() {
    let home = Home::new();
    let other = Directory::open(&home.path(), "other").unwrap();
    assert_ne!(keys(&home.open()), keys(&other));
}

#[test]
fn a_creation_that_was_cut_off_is_finished() {
    let home = Home::new();
    let access = *home.open().access_key().secret();
    fs::remove_file(home.zone().join("authority.key")).unwrap();
    fs::write(home.zone().join("authority.key.new"), b"troupeA\x01half a ke").unwrap();
    let directory = home.open();
    assert_eq!(*directory.access_key().secret(), access);
    assert_eq!(keys(&directory), keys(&home.open()));
    assert!(!home.zone().join("authority.key.new").exists());
}

#[test]
fn a_key_file_is_its_magic_its_version_and_the_secret() {
    let home = Home::new();
    let directory = home.open();
    let access = fs::read(home.zone().join("access.key")).unwrap();
    assert_eq!(access, [b"troupeK\x01", &directory.access_key().secret()[..]].concat());
    let authority = fs::read(home.zone().join("authority.key")).unwrap();
    assert_eq!(authority, [b"troupeA\x01", &directory.authority().secret()[..]].concat());
}

type Damage = fn(&mut Vec<u8>);

#[test]
fn a_damaged_key_is_named_and_never_replaced() {
    let cases: [(&str, Damage, &str); 5] = [
        ("authority.key", |key| key.truncate(39), "has not the length of a key"),
        ("authority.key", |key| key.push(0), "has not the length of a key"),
        ("authority.key", |key| key.truncate(3), "is cut off"),
        ("access.key", |key| key[6] = b'A', "is not such a key"),
        ("access.key", |key| key[7] = 2, "was written by another version"),
    ];
    for (file, damage, what) in cases {
        let home = Home::new();
        drop(home.open());
        let path = home.zone().join(file);
        let mut key = fs::read(&path).unwrap();
        damage(&mut key);
        fs::write(&path, &key).unwrap();

        let error = error(&home).to_string();
        assert!(error.starts_with(&format!("{} {what}", path.display())), "{error}");
        assert!(error.ends_with(&format!("rm -r '{}'", home.zone().display())), "{error}");
        assert_eq!(fs::read(&path).unwrap(), key);
    }
}

#[test]
fn an_access_key_that_is_gone_is_not_made_anew_behind_the_members_backs() {
    let home = Home::new();
    drop(home.open());
    fs::remove_file(home.zone().join("access.key")).unwrap();
    assert!(matches!(error(&home), OpenError::Damaged { what: "is missing", .. }));
}

#[test]
fn a_zone_whose_name_would_lead_elsewhere_is_refused() {
    let home = Home::new();
    for name in ["", "..", "a/b", "a b", &"x".repeat(129)] {
        let error = Directory::open(&home.path(), name).expect_err(name);
        assert!(matches!(error, OpenError::BadName { .. }), "{error}");
    }
    assert!(!home.path().exists());
}

#[test]
fn no_secret_shows_when_a_directory_is_printed() {
    let home = Home::new();
    let directory = home.open();
    let printed = format!("{directory:?}");
    let bytes = format!("{:?}", directory.access_key().secret());
    assert!(!printed.contains(&bytes[1..20]), "{printed}");
}
