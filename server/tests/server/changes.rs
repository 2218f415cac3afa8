//! What happens to the database while requests run.

use crate::scene::{Server, ask, database};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::thread;

const LOOKUP: &str = "/lookup?ip=192.0.2.7";
/// So often that it goes on until something happens.
const FOR_LONG: &str = "/lookup?ip=192.0.2.7&repeat=1000000";

#[test]
fn a_database_replaced_by_rename_answers_at_once() {
    let server = Server::start(&["--keep-mapped", "/data/country.mmdb"]);
    for (country, via) in [("BB", "iommap"), ("CC", "wasi"), ("DD", "iommap")] {
        server.replace_database(country);
        let answer = server.get(&format!("{LOOKUP}&via={via}"));
        assert!(answer.body.contains(&format!("\"country\":\"{country}\"")), "{answer:?}");
    }
}

#[test]
fn a_database_cut_under_a_request_costs_it_an_error_until_replaced() {
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
fn a_link_pointed_elsewhere_is_followed_by_wasi_and_iommap_alike() {
    let releases = tempfile::TempDir::new().expect("a directory");
    let link = releases.path().join("current");
    let point = |country: &str| {
        let release = releases.path().join(country);
        fs::create_dir(&release).expect("a release");
        fs::write(release.join("country.mmdb"), database(country)).expect("its database");
        let new = releases.path().join("new");
        symlink(release, &new).expect("a link");
        fs::rename(new, &link).expect("the link pointed elsewhere");
    };
    point("BB");
    let grant = format!("{}::/current", link.display());
    let server = Server::start(&[
        "--dir",
        &grant,
        "--env",
        "LOOKUP_DATABASE=/current/country.mmdb",
        "--keep-mapped",
        "/current/country.mmdb",
    ]);
    for country in ["BB", "CC", "DD"] {
        if country != "BB" {
            point(country);
        }
        for via in ["iommap", "wasi"] {
            let answer = server.get(&format!("{LOOKUP}&via={via}"));
            assert!(answer.body.contains(&format!("\"country\":\"{country}\"")), "{answer:?}");
        }
    }
    // What was there before may go.
    fs::remove_dir_all(releases.path().join("BB")).expect("a release removed");
    fs::remove_dir_all(releases.path().join("CC")).expect("a release removed");
    server.wait_until("it is ready", |server| server.get("/readyz").code == 200);
    assert_eq!(server.get(LOOKUP).code, 200);
}

#[test]
fn without_a_database_the_answer_says_so_until_there_is_one() {
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
fn under_load_no_answer_is_wrong_and_nothing_is_left_over() {
    // A pool that is soon used to its last slot, so that it doesn't grow while it is watched.
    let server = Server::start(&["--keep-mapped", "/data/country.mmdb", "--max-instances", "2"]);
    let load = Command::new(env!("CARGO_BIN_EXE_iommap-load"))
        .args(["--server", &server.address.to_string(), "--pid", &server.pid().to_string()])
        .args(["--time", "4s", "--connections", "8", "--calm", "50ms", "--database"])
        .arg(server.database())
        .output()
        .expect("iommap-load");
    let report = String::from_utf8_lossy(&load.stdout);
    let complaint = String::from_utf8_lossy(&load.stderr);
    assert!(load.status.success(), "{report}\n{complaint}");
    assert!(report.contains("| wrong answers | 0 |"), "{report}");
    assert!(report.contains("nothing is left over"), "{report}");
    assert!(report.contains(" p99.9 "), "{report}");
}
