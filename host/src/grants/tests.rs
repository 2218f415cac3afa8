//! Which grant a path belongs to, and which grants don't go together.

use super::*;

fn grants(names: &[&str]) -> Grants {
    let mut grants = Grants::default();
    for name in names {
        grants.preopened_dir(".", name, FsPerms::ReadOnly).unwrap();
    }
    grants
}

fn resolve(names: &[&str], path: &str) -> Result<(String, String), Error> {
    let grants = grants(names);
    let (grant, rest) = grants.resolve(path)?;
    Ok((grant.guest_path.to_string(), rest.to_owned()))
}

fn found(name: &str, rest: &str) -> Result<(String, String), Error> {
    Ok((name.to_owned(), rest.to_owned()))
}

#[test]
fn a_path_belongs_to_the_longest_name() {
    let names = ["/data", "/data/in", "."];
    assert_eq!(resolve(&names, "/data/in/f"), found("/data/in", "f"));
    assert_eq!(resolve(&names, "data/./in//f"), found("/data/in", "f"));
    assert_eq!(resolve(&names, "/data/inner/f"), found("/data", "inner/f"));
    assert_eq!(resolve(&names, "/datafile"), found(".", "datafile"));
    assert_eq!(resolve(&names, "/data/in"), found("/data/in", "."));
    assert_eq!(resolve(&names, "/data/in/"), found("/data/in", "."));
}

#[test]
fn dots_in_a_path_are_left_to_the_file_system() {
    assert_eq!(resolve(&["/data"], "/data/../etc/f"), found("/data", "../etc/f"));
    assert_eq!(resolve(&["/data"], "/x/../data/f"), Err(ErrorKind::Eacces.into()));
    assert_eq!(resolve(&["/data"], "data/f/"), found("/data", "f/"));
}

#[test]
fn a_path_without_a_grant_says_why() {
    assert_eq!(resolve(&[], "f"), Err(ErrorKind::Eacces.into()));
    assert_eq!(resolve(&["/data"], "f"), Err(ErrorKind::Eacces.into()));
    assert_eq!(resolve(&[], "a\0b"), Err(ErrorKind::Badarg.into()));
    assert_eq!(resolve(&["."], ""), Err(ErrorKind::Enoent.into()));
}

#[test]
fn a_refusal_names_the_grants_for_the_log() {
    let reason = |names: &[&str]| {
        let grants = grants(names);
        let error = grants.resolve("/elsewhere/f").unwrap_err();
        error.reason().unwrap().to_owned()
    };
    assert_eq!(reason(&[]), "nothing is granted");
    assert_eq!(reason(&["/data", "/tmp"]), "no grant covers it; granted: /data, /tmp");
}

#[test]
fn a_read_only_directory_inside_a_writable_one_is_refused() {
    use FsPerms::{ReadOnly, ReadWrite};
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("a/ro");
    std::fs::create_dir_all(&inner).unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&inner, &link).unwrap();
    for inner in [&inner, &link] {
        let mut grants = Grants::default();
        grants.preopened_dir(dir.path(), "/data", ReadWrite).unwrap();
        let refused = grants.preopened_dir(inner, "/data/ro", ReadOnly).unwrap_err();
        assert!(refused.to_string().contains("/data/ro and /data overlap"), "{refused}");
        // Of one name the later counts, and the earlier is no outer one any more.
        grants.preopened_dir(inner, "/data", ReadOnly).unwrap();

        let mut grants = Grants::default();
        grants.preopened_dir(inner, "/ro", ReadOnly).unwrap();
        assert!(grants.preopened_dir(dir.path(), "/all", ReadWrite).is_err(), "either way round");
        grants.preopened_dir(dir.path(), "/all", ReadOnly).unwrap();
        grants.preopened_dir(inner, "/rw", ReadWrite).unwrap();
    }
}
