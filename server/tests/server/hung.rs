//! A file on a file system that stops answering: it costs the requests on it, and nothing else.

use crate::scene::{Server, ask};
use iommap_tests::child::in_namespace;
use iommap_tests::fuse::{Fuse, Request};
use rustix::process::Signal;
use std::thread;

/// Of the file, which is no database: a request that can read it is told so.
const LENGTH: usize = 64 << 10;

const ON_IT: &str = "/lookup?ip=192.0.2.7";
const ANSWERED: u16 = 503;
const OUT_OF_TIME: u16 = 504;

/// The file system, if it can be had here.
fn mount() -> Option<Fuse> {
    Fuse::mount(LENGTH).map_err(|why| eprintln!("skipped: {why}")).ok()
}

/// A server whose database is on that file system.
fn serve(fuse: &Fuse, options: &[&str]) -> Server {
    let grant = format!("{}::/hangs", fuse.directory().display());
    let own = ["--dir", &grant, "--env", "LOOKUP_DATABASE=/hangs/f", "--request-time", "1s"];
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
    in_namespace(|| {
        let Some(mut fuse) = mount() else { return };
        let server = serve(&fuse, &["--max-instances", "1"]);
        assert_eq!(server.get(ON_IT).code, ANSWERED);

        fuse.hold(Request::Read);
        for (count, via) in [(1, "iommap"), (2, "wasi"), (3, "iommap")] {
            let address = server.address;
            let target = format!("{ON_IT}&via={via}");
            let asked = thread::spawn(move || ask(address, "GET", &target));
            server.wait_until("it runs", |server| server.metric("iommap_instances") >= count);
            assert_eq!(server.get("/healthz").code, 200);
            let answer = asked.join().unwrap().expect("an answer");
            assert_eq!(answer.code, OUT_OF_TIME, "{answer:?}");
            server.wait_until("its place is given up", |server| hung(server) == count);
            the_rest_is_fine(&server);
        }

        fuse.release();
        server.wait_until("nothing hangs", |server| hung(server) == 0);
        assert_eq!(server.get(ON_IT).code, ANSWERED);
    });
}

#[test]
fn a_server_ends_whatever_hangs() {
    in_namespace(|| {
        let Some(mut fuse) = mount() else { return };
        let mut server = serve(&fuse, &["--max-instances", "1"]);
        fuse.hold(Request::Read);
        assert_eq!(server.get(ON_IT).code, OUT_OF_TIME);
        server.wait_until("its place is given up", |server| hung(server) == 1);
        server.signal(Signal::TERM);
        assert_eq!(server.ended().code(), Some(0), "what could be answered was");
    });
}

#[test]
fn with_no_spare_place_left_what_hangs_keeps_its_own() {
    in_namespace(|| {
        let Some(mut fuse) = mount() else { return };
        let server = serve(&fuse, &["--max-instances", "1", "--max-hung", "0"]);
        fuse.hold(Request::Read);
        assert_eq!(server.get(ON_IT).code, OUT_OF_TIME);
        assert_eq!(server.get("/lookup").code, 503, "there is one place");
        assert_eq!(server.get("/healthz").code, 200);
        fuse.release();
        server.wait_until("its place is free", |server| server.get("/lookup").code == 400);
    });
}

#[test]
fn a_server_whose_file_hangs_is_not_ready() {
    in_namespace(|| {
        let Some(mut fuse) = mount() else { return };
        let server = serve(&fuse, &["--keep-mapped", "/hangs/f"]);
        let ready = |server: &Server| server.get("/readyz").code == 200;
        server.wait_until("it is ready", ready);
        fuse.hold(Request::Open);
        server.wait_until("it is not ready", |server| !ready(server));
        let why = server.get("/readyz").body;
        assert!(why.contains("/hangs/f: no answer"), "{why}");
        assert_eq!(server.get("/healthz").code, 200);
        fuse.release();
        server.wait_until("it is ready again", ready);
    });
}
