//! The crate `maxminddb`, unmodified, in a component: `mmap-geoip` maps its database by our `memmap2`.
//! It is held to `geoip`, which is held to the native crate on the same files.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Output;

use super::geoip::real_databases;
use super::program::Program;
use fastrand::Rng;
use iommap_artifacts::guest;
use iommap_geoip::random;
use iommap_tests::command_line::{iommap_run, said};
use iommap_tests::{Kind, Scene};
use mmdb::{Value, make::Maker};

const PROGRAM: Program = Program { name: "mmap-geoip", folder: "guest-example/maxminddb" };

/// So many addresses of each kind are looked up.
const ADDRESSES: usize = 20_000;

fn lookups(scene: &Scene, database: &Path, addresses: &str) -> Output {
    scene.write("addresses", addresses);
    let name = database.file_name().unwrap().to_str().unwrap();
    let mut run = PROGRAM.guest(database.parent().unwrap(), name, &[]);
    run.stdin(std::fs::File::open(scene.path("addresses")).unwrap()).output().unwrap()
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
        let (code, out, err) = said(&lookups(&scene, &database, &list));
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
    let (code, out, err) = said(&lookups(&scene, &database, "192.0.2.7\n"));
    assert_eq!((code, &*out, &*err), (0, line, ""));
}

#[test]
fn a_database_that_is_cut_or_not_shown_is_an_error() {
    let scene = Scene::new(Kind::Sync);
    made(&scene);
    PROGRAM.without(&scene, "db", "192.0.2.7");
    let questions = ["192.0.2.7", "192.0.2.8"];
    PROGRAM.cut(&scene, "db", questions, "mmap-geoip: the database was cut short");
}
