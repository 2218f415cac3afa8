//! Components that do harm: each costs its own request, and nobody else's.

use crate::scene::{Server, ask};
use std::path::PathBuf;
use std::thread;
use tempfile::TempDir;

/// A component whose handler has this body.
struct Component {
    _directory: TempDir,
    path: PathBuf,
}

impl Component {
    fn with_handler(body: &str) -> Component {
        let text = format!(
            r#"(component
                 (import "wasi:http/types@0.2.0" (instance $types
                   (export "incoming-request" (type (sub resource)))
                   (export "response-outparam" (type (sub resource)))))
                 (alias export $types "incoming-request" (type $request))
                 (alias export $types "response-outparam" (type $out))
                 (core module $module
                   (memory (export "memory") 1)
                   (func (export "handle") (param i32 i32) {body}))
                 (core instance $instance (instantiate $module))
                 (func $handle
                   (param "request" (own $request)) (param "response-out" (own $out))
                   (canon lift (core func $instance "handle")))
                 (instance $handler (export "handle" (func $handle)))
                 (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"#
        );
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("hostile.wasm");
        std::fs::write(&path, wat::parse_str(text).expect("a component")).expect("a file");
        Component { _directory: directory, path }
    }

    fn serve(&self, options: &[&str]) -> Server {
        Server::start_with(&self.path, options)
    }
}

const FOR_EVER: &str = "(loop $again (br $again))";

#[test]
fn a_guest_that_never_ends_is_interrupted_when_its_time_is_over() {
    let component = Component::with_handler(FOR_EVER);
    let server = component.serve(&["--request-time", "0.2"]);
    for _ in 0..3 {
        let answer = server.get("/");
        assert_eq!(answer.code, 200, "the page is the server's own: {answer:?}");
        let answer = server.get("/anything");
        assert_eq!(answer.code, 504, "{answer:?}");
        assert!(answer.body.contains("out-of-time"), "{answer:?}");
    }
    assert_eq!(server.metric("iommap_guest_failures_total{reason=\"time\"}"), 3);
    server.wait_until("no instance is left", |server| server.metric("iommap_instances") == 0);
}

#[test]
fn with_all_instances_taken_more_is_refused_at_once() {
    let component = Component::with_handler(FOR_EVER);
    let server = component.serve(&[
        "--request-time",
        "1",
        "--max-instances",
        "1",
        "--max-waiting",
        "0",
        "--threads",
        "2",
    ]);
    let address = server.address;
    let running = thread::spawn(move || ask(address, "GET", "/first"));
    server.wait_until("it runs", |server| server.metric("iommap_instances") == 1);
    let refused = server.get("/second");
    assert_eq!(refused.code, 503, "{refused:?}");
    assert!(refused.head.contains("retry-after: 1"), "{refused:?}");
    assert_eq!(running.join().unwrap().unwrap().code, 504);
    assert_eq!(server.get("/third").code, 504, "the slot is free again");
}

#[test]
fn a_guest_that_fails_is_told_of_to_the_client_and_why_to_the_log() {
    for (body, reason, cause) in [
        ("(unreachable)", "trap", "unreachable"),
        ("(drop (memory.grow (i32.const 65535)))", "trap", "memory"),
        ("(nop)", "silent", "no answer"),
    ] {
        let component = Component::with_handler(body);
        let server = component.serve(&["--max-memory", "1M"]);
        for count in 1..=2 {
            let answer = server.get("/anything");
            assert_eq!(answer.code, 502, "{body}: {answer:?}");
            assert!(answer.body.contains("guest-failed"), "{answer:?}");
            let name = format!("iommap_guest_failures_total{{reason=\"{reason}\"}}");
            assert_eq!(server.metric(&name), count, "{body}");
        }
        assert!(server.log().contains(cause), "{body}: {}", server.log());
        assert_eq!(server.metric("iommap_instances"), 0, "{body}");
    }
}

#[test]
fn a_guest_that_wants_more_than_its_limits_says_so() {
    let server = Server::start(&["--limit", "mapped-bytes=64"]);
    let answer = server.get("/lookup?ip=192.0.2.7");
    assert_eq!(answer.code, 503, "{answer:?}");
    assert!(answer.body.contains("limit"), "{answer:?}");
    assert_eq!(server.get("/lookup?ip=192.0.2.7&via=wasi").code, 200);
}
