//! Each example prints what its header says it prints.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// A folder of the test's own, removed in the end.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("troupe-example-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        Self(path)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn promised(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(format!("{name}.rs"));
    let source = fs::read_to_string(file).unwrap();
    let header = source.split("//! ```text\n").nth(1).unwrap().split("//! ```").next().unwrap();
    let lines: Vec<_> = header.lines().map(|line| line.strip_prefix("//! ").unwrap()).collect();
    lines.join("\n") + "\n"
}

fn check(name: &str) {
    let home = Home::new(name);
    let run = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--package", "troupe-node", "--example", name])
        .env("TROUPE_HOME", &home.0)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&run.stderr);
    assert_eq!(String::from_utf8_lossy(&run.stdout), promised(name), "{errors}");
    assert!(run.status.success(), "{errors}");
}

#[test]
fn the_local_example_prints_what_it_says() {
    check("local");
}

#[test]
fn two_nodes_of_a_zone_print_what_their_example_says() {
    check("zone");
}
