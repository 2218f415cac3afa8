//! What happens to the database while requests run.

use crate::scene::{Server, ask};
use std::fs::{self, OpenOptions};
use std::process::Command;
use std::thread;

const LOOKUP: &str = "/lookup?ip=192.0.2.7";
/// So often that it goes on until something happens.
const FOR_LONG: &str = "/lookup?ip=192.0.2.7&repeat=1000000";

#[test]
fn given_a_database_replaced_by_rename_when_asked_again_then_the_new_one_answers() {
    let server = Server::start(&["--keep-mapped", "/data/country.mmdb"]);
    for (country, via) in [("BB", "iommap"), ("CC", "wasi"), ("DD", "iommap")] {
        server.replace_database(country);
        let answer = server.get(&format!("{LOOKUP}&via={via}"));
        assert!(answer.body.contains(&format!("\"country\":\"{country}\"")), "{answer:?}");
    }
}

#[test]
fn given_a_database_cut_under_a_request_when_replaced_then_only_that_request_has_an_error() {
    let server = Server::start(&["--keep-mapped", "/data/country.mmdb"]);
    let address = server.address;
    let running = thread::spawn(move || ask(address, "GET", FOR_LONG));
    server.wait_until("the request reads", |server| {
        server.metric("iommap_instances") == 1 && server.metric("iommap_read_bytes_total") > 20_000
    });
    // All of it: what is cut in the middle of a page reads as zeros from there on.
    OpenOptions::new().write(true).open(server.database()).unwrap().set_len(0).unwrap();
    let answer = running.join().unwrap().expect("an answer");
    assert_eq!(answer.code, 503, "{answer:?}");
    assert!(answer.body.contains("database-unavailable"), "{answer:?}");
    assert!(answer.body.contains("cut short"), "{answer:?}");
    assert!(server.metric("iommap_faults_recovered_total") > 0);

    for via in ["iommap", "wasi"] {
        let answer = server.get(&format!("{LOOKUP}&via={via}"));
        assert_eq!(answer.code, 503, "{answer:?}");
        assert!(answer.body.contains("cut short"), "{answer:?}");
    }
    server.replace_database("BB");
    for via in ["iommap", "wasi"] {
        let answer = server.get(&format!("{LOOKUP}&via={via}"));
        assert!(answer.body.contains("\"country\":\"BB\""), "{answer:?}");
    }
    assert_eq!(server.metric("iommap_mappings"), 0);
}

#[test]
fn given_no_database_when_asked_then_the_answer_says_so_until_there_is_one() {
    let server = Server::start(&[]);
    fs::remove_file(server.database()).unwrap();
    for via in ["iommap", "wasi"] {
        let answer = server.get(&format!("{LOOKUP}&via={via}"));
        assert_eq!(answer.code, 503, "{answer:?}");
        assert!(answer.body.contains("no such file"), "{answer:?}");
    }
    server.replace_database("BB");
    assert_eq!(server.get(LOOKUP).code, 200);
}

#[test]
fn given_many_requests_when_the_file_is_replaced_and_cut_then_no_answer_is_wrong_and_nothing_stays()
{
    // A pool that is soon used to its last slot, so that it doesn't grow while it is watched.
    let server = Server::start(&["--keep-mapped", "/data/country.mmdb", "--max-instances", "2"]);
    let load = Command::new(env!("CARGO_BIN_EXE_iommap-load"))
        .args(["run", "--server", &server.address.to_string(), "--pid", &server.pid().to_string()])
        .args(["--requests", "2000", "--connections", "8", "--calm", "50", "--database"])
        .arg(server.database())
        .output()
        .expect("iommap-load");
    let report = String::from_utf8_lossy(&load.stdout);
    let complaint = String::from_utf8_lossy(&load.stderr);
    assert!(load.status.success(), "{report}\n{complaint}");
    assert!(report.contains("| wrong answers | 0 |"), "{report}");
    assert!(report.contains("nothing is left over"), "{report}");
}
