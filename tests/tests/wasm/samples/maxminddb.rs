//! The crate `maxminddb`, unmodified, in a component: `mmap-geoip` maps its database by our `memmap2`.
//! It is held to `geoip`, which is held to the native crate on the same files.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Output, Stdio};

use super::WINDOWS;
use super::geoip::real_databases;
use fastrand::Rng;
use iommap_artifacts::guest;
use iommap_geoip::random;
use iommap_tests::command_line::{iommap_run, said};
use iommap_tests::{Kind, Scene};
use mmdb::{Value, make::Maker};

/// So many addresses of each kind are looked up.
const ADDRESSES: usize = 20_000;

fn lookups(scene: &Scene, options: &[&str], database: &Path, addresses: &str) -> Output {
    scene.write("addresses", addresses);
    let grant = format!("{}::/db::ro", database.parent().unwrap().display());
    let name = format!("/db/{}", database.file_name().unwrap().to_str().unwrap());
    let options = [options, &["--dir", &grant]].concat();
    let mut run = iommap_run(scene.directory(), &options, guest("mmap-geoip"), &[&name]);
    run.stdin(std::fs::File::open(scene.path("addresses")).unwrap());
    run.output().unwrap()
}

/// What `geoip` answers, in the words of `mmap-geoip`.
fn expected(scene: &Scene, database: &Path) -> Vec<String> {
    let grant = format!("{}::/db::ro", database.parent().unwrap().display());
    let name = format!("/db/{}", database.file_name().unwrap().to_str().unwrap());
    let args = [&*name, "--json", "--file", "/data/addresses"];
    let options = ["--dir", &*grant];
    let output = iommap_run(scene.directory(), &options, guest("geoip"), &args).output().unwrap();
    let (code, out, err) = said(&output);
    assert_eq!((code, &*err), (0, ""));
    let words = |line: &str| {
        let rest = line.strip_prefix("{\"address\":\"")?.strip_suffix('}')?;
        let (address, rest) = rest.split_once("\",\"network\":\"")?;
        let (network, record) = rest.split_once("\",\"record\":")?;
        let record = if record == "null" { "-" } else { record };
        Some(format!("{address}\t{network}\t{record}"))
    };
    let words = |line| words(line).unwrap_or_else(|| panic!("{line}"));
    out.lines().map(words).collect()
}

#[test]
fn maxminddb_unmodified_answers_as_geoip_does() {
    let test = "maxminddb_unmodified_answers_as_geoip_does";
    let Some(databases) = real_databases(test) else { return };
    let mut random = Rng::with_seed(20_261_126);
    let scene = Scene::new(Kind::Sync);
    for database in databases {
        let name = database.to_str().unwrap();
        let mut list = String::new();
        for _ in 0..ADDRESSES {
            if !name.ends_with("ipv6.mmdb") {
                writeln!(list, "{}", random::ipv4(&mut random)).unwrap();
            }
            if !name.ends_with("ipv4.mmdb") {
                writeln!(list, "{}", random::ipv6(&mut random)).unwrap();
            }
        }
        let (code, out, err) = said(&lookups(&scene, &WINDOWS, &database, &list));
        assert_eq!((code, &*err), (0, ""), "{name}");
        let expected = expected(&scene, &database);
        let wrong = out.lines().zip(&expected).find(|(line, expected)| line != expected);
        assert_eq!(wrong, None, "{name}");
        assert_eq!(out.lines().count(), expected.len(), "{name}");
        // Of random IPv6 addresses hardly one has a record.
        let found = expected.iter().any(|line| !line.ends_with("\t-"));
        assert!(found || name.ends_with("ipv6.mmdb"), "{name}");
    }
}

fn made(scene: &Scene) -> std::path::PathBuf {
    let country = Value::Map(vec![("iso".into(), Value::String("AA".into()))]);
    scene.write("db", Maker::new(6, 28).network("192.0.2.0/24", &country).make());
    scene.path("db")
}

#[test]
fn a_made_database_is_mapped_if_its_file_is_trusted() {
    let scene = Scene::new(Kind::Sync);
    let database = made(&scene);
    let line = "192.0.2.7\t192.0.2.0/24\t{\"iso\":\"AA\"}\n";
    let (code, out, err) = said(&lookups(&scene, &WINDOWS, &database, "192.0.2.7\n"));
    assert_eq!((code, &*out, &*err), (0, line, ""));
    // Where nothing may change, nothing has to be trusted; but this file may.
    let frozen_only = &WINDOWS[..4];
    let (code, out, err) = said(&lookups(&scene, frozen_only, &database, "192.0.2.7\n"));
    assert_eq!((code, &*out), (1, ""));
    assert!(err.contains("--windows-on-changing-files"), "{err}");
}

#[test]
fn without_windows_memmap2_says_what_is_missing() {
    let scene = Scene::new(Kind::Sync);
    let database = made(&scene);
    let (code, out, err) = said(&lookups(&scene, &[], &database, "192.0.2.7\n"));
    assert_eq!((code, &*out), (1, ""));
    assert!(err.starts_with("mmap-geoip: memory map error: the host shows no window"), "{err}");
    assert!(err.contains("--limit windows=N"), "{err}");
}

#[test]
fn a_database_cut_under_maxminddb_is_an_error_and_no_answer() {
    let scene = Scene::new(Kind::Sync);
    let database = made(&scene);
    let args = ["/data/db"];
    let mut run = iommap_run(scene.directory(), &WINDOWS, guest("mmap-geoip"), &args);
    run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut run = run.spawn().unwrap();
    let (mut to, mut from) =
        (run.stdin.take().unwrap(), BufReader::new(run.stdout.take().unwrap()));
    to.write_all(b"192.0.2.7\n").unwrap();
    let mut first = String::new();
    from.read_line(&mut first).unwrap();
    assert!(first.starts_with("192.0.2.7\t192.0.2.0/24\t"), "{first}");
    std::fs::File::options().write(true).open(database).unwrap().set_len(0).unwrap();
    to.write_all(b"192.0.2.8\n").unwrap();
    drop(to);
    let mut stdout = Vec::new();
    from.read_to_end(&mut stdout).unwrap();
    let (code, out, err) = said(&Output { stdout, ..run.wait_with_output().unwrap() });
    assert_eq!((code, &*out), (1, ""), "{err}");
    assert!(err.contains("the database was cut short"), "{err}");
}
