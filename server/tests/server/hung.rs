//! A file on a file system that stops answering: it costs the requests on it, and nothing else.

use crate::mounted::Mounted;
use crate::scene::{Server, ask};
use rustix::process::Signal;
use std::thread;

/// A server that finds its database on that file system.
fn serve(mounted: &Mounted, options: &[&str]) -> Server {
    let grant = format!("{}::/hangs", mounted.path().display());
    let own = ["--dir", &grant, "--env", "LOOKUP_DATABASE=/hangs/country.mmdb"];
    Server::start(&[&own, options].concat())
}

/// The server itself, and a request that has nothing to do with the file.
fn the_rest_is_fine(server: &Server) {
    for own in ["/healthz", "/metrics", "/history", "/"] {
        assert_eq!(server.get(own).code, 200, "{own}");
    }
    let other = server.get("/lookup");
    assert_eq!(other.code, 400, "{other:?}");
}

fn hung(server: &Server) -> u64 {
    server.metric("iommap_instances_hung")
}

#[test]
fn a_file_that_hangs_costs_the_requests_on_it_and_no_others() {
    let Some(mounted) = Mounted::new() else { return };
    let mut server = serve(&mounted, &["--request-time", "1s", "--max-instances", "1"]);
    assert_eq!(server.get("/lookup?ip=192.0.2.7").code, 200);

    mounted.stop_answering();
    for (count, via) in [(1, "iommap"), (2, "wasi"), (3, "iommap")] {
        let address = server.address;
        let target = format!("/lookup?ip=192.0.2.7&via={via}");
        let asked = thread::spawn(move || ask(address, "GET", &target));
        server.wait_until("it runs", |server| server.metric("iommap_instances") >= count);
        assert_eq!(server.get("/healthz").code, 200);
        let answer = asked.join().unwrap().expect("an answer");
        assert_eq!(answer.code, 504, "{answer:?}");
        server.wait_until("its place is given up", |server| hung(server) == count);
        the_rest_is_fine(&server);
    }

    mounted.answer();
    server.wait_until("nothing hangs", |server| hung(server) == 0);
    assert_eq!(server.get("/lookup?ip=192.0.2.7").code, 200);

    // A server that has answered what it could ends, whatever hangs.
    mounted.stop_answering();
    assert_eq!(server.get("/lookup?ip=192.0.2.7").code, 504);
    server.wait_until("its place is given up", |server| hung(server) == 1);
    server.signal(Signal::TERM);
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn with_no_spare_place_left_what_hangs_keeps_its_own() {
    let Some(mounted) = Mounted::new() else { return };
    let options = ["--request-time", "1s", "--max-instances", "1", "--max-hung", "0"];
    let server = serve(&mounted, &options);
    assert_eq!(server.get("/lookup?ip=192.0.2.7").code, 200);
    mounted.stop_answering();
    assert_eq!(server.get("/lookup?ip=192.0.2.7").code, 504);
    assert_eq!(server.get("/lookup").code, 503, "there is one place");
    assert_eq!(server.get("/healthz").code, 200);
    mounted.answer();
    server.wait_until("its place is free", |server| server.get("/lookup").code == 400);
}

#[test]
fn a_server_whose_file_hangs_is_not_ready() {
    let Some(mounted) = Mounted::new() else { return };
    let server = serve(&mounted, &["--keep-mapped", "/hangs/country.mmdb"]);
    let ready = |server: &Server| server.get("/readyz").code == 200;
    server.wait_until("it is ready", ready);
    mounted.stop_answering();
    server.wait_until("it is not ready", |server| !ready(server));
    let why = server.get("/readyz").body;
    assert!(why.contains("/hangs/country.mmdb: no answer"), "{why}");
    assert_eq!(server.get("/healthz").code, 200);
    mounted.answer();
    server.wait_until("it is ready again", ready);
}
