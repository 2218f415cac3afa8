//! How the server ends, and how it does not begin.

use crate::scene::{Answer, Server, ask};
use rustix::process::Signal;
use std::net::TcpStream;
use std::process::Command;
use std::thread::{self, JoinHandle};

const SOME_TIME: &str = "/lookup?ip=192.0.2.7&repeat=20000";
const FOR_LONG: &str = "/lookup?ip=192.0.2.7&repeat=1000000";

/// A request that has been sent and runs.
fn running(server: &Server, target: &'static str) -> JoinHandle<std::io::Result<Answer>> {
    let address = server.address;
    let running = thread::spawn(move || ask(address, "GET", target));
    server.wait_until("the request runs", |server| server.metric("iommap_instances") == 1);
    running
}

#[test]
fn a_request_that_runs_is_answered_after_sigterm_and_no_other() {
    let mut server = Server::start(&["--grace-time", "100"]);
    let address = server.address;
    let running = running(&server, SOME_TIME);
    server.signal(Signal::TERM);
    server.wait_until("it stops", |server| server.log().contains("stopping"));
    let answer = running.join().unwrap().expect("an answer");
    assert_eq!(answer.code, 200, "{answer:?}");
    assert_eq!(server.ended().code(), Some(0));
    assert!(TcpStream::connect(address).is_err());
    assert!(server.log().contains("every request was answered"), "{}", server.log());
}

#[test]
fn requests_that_go_on_after_the_grace_time_are_cut_off() {
    let mut server = Server::start(&["--grace-time", "0.1"]);
    let running = running(&server, FOR_LONG);
    server.signal(Signal::INT);
    assert_eq!(server.ended().code(), Some(3));
    assert!(running.join().unwrap().is_err());
    assert!(server.log().contains("cut off"), "{}", server.log());
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let mut server = Server::start(&["--grace-time", "1000"]);
    let running = running(&server, FOR_LONG);
    server.signal(Signal::TERM);
    server.wait_until("it stops", |server| server.log().contains("stopping"));
    server.signal(Signal::TERM);
    assert_eq!(server.ended().code(), Some(3));
    assert!(running.join().unwrap().is_err());
}

#[test]
fn while_it_drains_a_server_answers_and_is_not_ready() {
    let mut server = Server::start(&["--drain-time", "1000s"]);
    assert_eq!(server.get("/readyz").body, "ready\n");
    server.signal(Signal::TERM);
    server.wait_until("it stops", |server| server.log().contains("stopping"));
    assert_eq!(server.get("/readyz").body, "stopping\n");
    assert_eq!(server.get("/healthz").code, 200);
    assert_eq!(server.get(SOME_TIME).code, 200);
    server.signal(Signal::TERM);
    assert!(matches!(server.ended().code(), Some(0 | 3)));
}

#[test]
fn a_server_that_can_not_start_says_what_is_wrong() {
    let directory = tempfile::TempDir::new().unwrap();
    let text = directory.path().join("text.wasm");
    std::fs::write(&text, "no component").unwrap();
    let text = text.to_str().unwrap();
    let driver = iommap_artifacts::guest("driver");
    for (arguments, advice) in [
        (vec!["/no/such/file.wasm"], "/no/such/file.wasm"),
        (vec![text], "not a component"),
        (vec![driver], "wasi:http/proxy"),
        (vec!["--dir", "/no/such/dir::/data", text], "/no/such/dir"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_iommap-server"))
            .args(&arguments)
            .output()
            .expect("the server");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
        assert!(message.contains(advice), "{arguments:?}: {message}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}
