//! `/readyz` and `--check`: has the server its files?

use crate::scene::Server;
use std::fs::{self, OpenOptions};
use std::process::{Command, Output};

const KEPT: [&str; 2] = ["--keep-mapped", "/data/country.mmdb"];

fn is_ready(server: &Server) -> bool {
    assert_eq!(server.get("/healthz").code, 200, "it lives, whatever it has");
    server.get("/readyz").code == 200
}

/// Waits until the server is not ready, and says why.
fn why_not(server: &Server) -> String {
    server.wait_until("it is not ready", |server| !is_ready(server));
    let answer = server.get("/readyz");
    assert_eq!(answer.code, 503, "{answer:?}");
    answer.body
}

#[test]
fn a_server_is_ready_while_its_file_is_whole() {
    let server = Server::start(&KEPT);
    let wait = |what: &str| server.wait_until(what, is_ready);
    wait("its file is mapped");

    fs::remove_file(server.database()).unwrap();
    let why = why_not(&server);
    assert!(why.starts_with("/data/country.mmdb: "), "{why}");
    server.replace_database("BB");
    wait("its file is there again");

    let file = OpenOptions::new().write(true).open(server.database()).unwrap();
    for length in [file.metadata().unwrap().len() - 1, 1] {
        file.set_len(length).unwrap();
        let why = why_not(&server);
        assert!(why.contains("cut short"), "{why}");
    }
    file.set_len(0).unwrap();
    server.wait_until("it is empty", |server| why_not(server).contains("empty"));
    server.replace_database("CC");
    wait("its file is replaced");

    let log = server.log();
    assert!(log.contains("kept mapped") && log.contains("cut short"), "{log}");
}

#[test]
fn a_server_that_needs_no_file_is_ready() {
    assert_eq!(Server::start(&[]).get("/readyz").body, "ready\n");
}

#[test]
fn every_file_that_is_missing_is_named() {
    let server = Server::start(&["--keep-mapped", "/data/one", "--keep-mapped", "/nowhere/two"]);
    server.wait_until("both are looked for", |server| !why_not(server).contains("not looked"));
    let why = why_not(&server);
    assert!(why.contains("/data/one: ") && why.contains("/nowhere/two: "), "{why}");
}

fn check(listen: &str) -> Output {
    let mut server = Command::new(env!("CARGO_BIN_EXE_iommap-server"));
    server.args(["--check", "--listen", listen]).output().expect("the server")
}

#[test]
fn a_check_ends_with_0_only_if_the_server_is_ready() {
    let server = Server::start(&KEPT);
    server.wait_until("its file is mapped", is_ready);
    let address = server.address.to_string();
    let checked = check(&address);
    assert!(checked.status.success(), "{checked:?}");
    assert_eq!(checked.stdout, b"ready\n");
    // A container's server listens on every address.
    let everywhere = format!("0.0.0.0:{}", server.address.port());
    assert!(check(&everywhere).status.success());

    fs::remove_file(server.database()).unwrap();
    why_not(&server);
    let checked = check(&address);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    assert!(String::from_utf8_lossy(&checked.stdout).contains("/data/country.mmdb"));

    drop(server);
    let checked = check(&address);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    assert!(String::from_utf8_lossy(&checked.stderr).contains("no answer"));
}
