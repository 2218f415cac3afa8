//! `geoip`, held to the crate `maxminddb` on the same files.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Output;

use iommap_artifacts::guest;
use iommap_geoip::{Reference, random::Random};
use iommap_tests::command_line::{iommap_run, said};
use iommap_tests::{Kind, Scene};
use mmdb::{Value, make::Maker};

/// How many random addresses of each kind are looked up.
const ADDRESSES: usize = 100_000;

/// Runs geoip with the scene's directory as its `/data`.
fn run(scene: &Scene, args: &[&str]) -> Output {
    iommap_run(scene.directory(), &[], guest("geoip"), args).output().unwrap()
}

fn scene() -> Scene {
    Scene::new(Kind::Sync)
}

/// The databases that set-up fetches: of both IP versions, and of either. None if it did not.
pub(super) fn real_databases(test: &str) -> Option<Vec<PathBuf>> {
    let Some(both) = iommap_artifacts::database(iommap_artifacts::SetUp::Forbidden).ok() else {
        println!("skipped: no database: `cargo xtask data` fetches it, with npm: {test}");
        return None;
    };
    let of = |name| both.with_file_name(name);
    Some(vec![both.clone(), of("iptoasn-country-ipv4.mmdb"), of("iptoasn-country-ipv6.mmdb")])
}

/// Has geoip look up addresses in a database of the host, and compares each line with what
/// `maxminddb` says.
#[track_caller]
fn hold_to_maxminddb(database: &Path, addresses: &[IpAddr]) {
    let scene = scene();
    let mut list = String::new();
    for address in addresses {
        writeln!(list, "{address}").unwrap();
    }
    scene.write("addresses", list);
    let name = database.file_name().unwrap().to_str().unwrap();
    let grant = format!("{}::/db::ro", database.parent().unwrap().display());
    let args = [&format!("/db/{name}"), "--file", "/data/addresses"];
    let output =
        iommap_run(scene.directory(), &["--dir", &grant], guest("geoip"), &args).output().unwrap();
    let (code, out, err) = said(&output);
    assert_eq!((code, &*err), (0, ""), "{name}");

    let reference = Reference::open(database).unwrap();
    let mut lines = out.lines();
    let (mut differences, mut records) = (Vec::new(), 0);
    for &address in addresses {
        let (line, expected) = (lines.next(), reference.line(address).unwrap());
        records += usize::from(!expected.ends_with("\t-"));
        if line != Some(&expected) {
            differences.push(format!("{line:?} is not {expected:?}"));
        }
    }
    assert_eq!(lines.next(), None, "{name}: one line for each address");
    assert!(
        differences.is_empty(),
        "{name}: {} differ: {:#?}",
        differences.len(),
        &differences[..8.min(differences.len())]
    );
    assert!(records > 0, "{name}: not one of them has a record");
    println!("{name}: {} addresses, {records} with a record, no difference", addresses.len());
}

#[test]
fn maxminddb_agrees_on_random_addresses_in_real_databases() {
    let test = "maxminddb_agrees_on_random_addresses_in_real_databases";
    let Some(databases) = real_databases(test) else { return };
    let mut random = Random::new(20_260_617);
    for database in &databases {
        let edges = Reference::open(database).unwrap().edges().unwrap();
        let has = |ipv4: bool| edges.iter().any(|(first, _)| first.is_ipv4() == ipv4);
        let mut addresses = Vec::new();
        if has(true) {
            addresses.extend((0..ADDRESSES).map(|_| random.ipv4()));
        }
        if has(false) {
            // Anywhere, which is mostly where there is nothing, and in networks that are there.
            let edges: Vec<_> =
                edges.iter().copied().filter(|(first, _)| first.is_ipv6()).collect();
            addresses.extend((0..ADDRESSES).map(|_| random.ipv6()));
            addresses.extend((0..ADDRESSES).map(|_| random.within(&edges)));
        }
        // Where one network ends and the next one begins.
        let some = edges.iter().step_by((edges.len() / (ADDRESSES / 4)).max(1));
        addresses.extend(some.flat_map(|&(first, last)| [first, last]));
        hold_to_maxminddb(database, &addresses);
    }
}

#[test]
fn bench_prints_lines_for_each_kind_of_address() {
    let test = "bench_prints_lines_for_each_kind_of_address";
    let Some(databases) = real_databases(test) else { return };
    let grant = format!("{}::/db::ro", databases[0].parent().unwrap().display());
    let args = ["/db/iptoasn-country.mmdb", "--bench", "5000", "--seed", "3"];
    let output = iommap_run(scene().directory(), &["--dir", &grant], guest("geoip"), &args)
        .output()
        .unwrap();
    let (code, out, err) = said(&output);
    assert_eq!((code, &*err), (0, ""));
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 5, "{out}");
    for (line, beginning) in lines.iter().zip([
        "IPv4, one at a time: ",
        "IPv4, 256 at a time: ",
        "IPv6, one at a time: ",
        "IPv6, 256 at a time: ",
    ]) {
        assert!(line.starts_with(beginning) && line.contains("(5000 in "), "{out}");
    }
    // Both ways of looking up find the same.
    let countries = |line: &str| line.split(", ").last().map(str::to_owned);
    assert_eq!(countries(lines[0]), countries(lines[1]));
    assert_eq!(countries(lines[2]), countries(lines[3]));
}

fn country(code: &str) -> Value {
    let names = Value::Map(vec![("en".into(), Value::String(format!("Land of {code}")))]);
    let code = Value::String(code.into());
    let country = Value::Map(vec![("iso_code".into(), code), ("names".into(), names)]);
    Value::Map(vec![("country".into(), country)])
}

fn made(ip_version: u16) -> Vec<u8> {
    let mut maker = Maker::new(ip_version, 28).network("192.0.2.0/24", &country("AA"));
    if ip_version == 6 {
        maker = maker.network("2001:db8::/32", &country("BB"));
    }
    maker.make()
}

#[test]
fn each_address_has_its_network_and_record() {
    let scene = scene();
    scene.write("db", made(6));
    let addresses = ["192.0.2.77", "2001:db8:1::", "198.51.100.1"];
    let args = |options: &[&'static str]| [&["/data/db"], options, &addresses].concat();
    let (code, out, err) = said(&run(&scene, &args(&[])));
    assert_eq!((code, &*err), (0, ""));
    assert_eq!(
        out,
        "192.0.2.77\t192.0.2.0/24\tcountry.iso_code=AA country.names.en=\"Land of AA\"\n\
         2001:db8:1::\t2001:db8::/32\tcountry.iso_code=BB country.names.en=\"Land of BB\"\n\
         198.51.100.1\t196.0.0.0/6\t-\n"
    );
    let (code, out, _) = said(&run(&scene, &args(&["--json"])));
    assert_eq!(code, 0);
    let first = out.lines().next().unwrap();
    assert!(first.contains(r#""record":{"country":{"iso_code":"AA","#), "{first}");
    assert!(out.lines().last().unwrap().contains(r#""record":null"#), "{out}");

    let (code, out, _) = said(&run(&scene, &["/data/db", "--info"]));
    assert_eq!(code, 0);
    assert!(out.contains("database_type: Made\n") && out.contains("record_size: 28\n"), "{out}");
}

#[test]
fn lines_that_are_no_addresses_are_named() {
    let scene = scene();
    scene.write("db", made(4));
    scene.write("list", "192.0.2.1\n\nlocalhost\n  192.0.2.2  \r\n::1\n192.0.2.3");
    let (code, out, err) = said(&run(&scene, &["/data/db", "-f", "/data/list"]));
    assert_eq!(code, 1, "{err}");
    assert_eq!(out.lines().count(), 3, "{out}");
    assert_eq!(
        err,
        "geoip: /data/list:3: \"localhost\": not an IP address\n\
         geoip: /data/list:5: \"::1\": the database has IPv4 addresses only\n"
    );
}

#[test]
fn geoip_says_which_files_are_no_databases() {
    let scene = scene();
    scene.write("text", "not at all".repeat(1_000));
    scene.write("empty", "");
    let whole = made(6);
    scene.write("cut", &whole[..whole.len() - 20]);
    // The tree's first node leads to itself, whatever the bits.
    let circle = [&[0; 7], &whole[7..]].concat();
    scene.write("circle", circle);
    for (name, expected) in [
        ("text", "not a MaxMind DB file"),
        ("empty", "not a MaxMind DB file"),
        ("cut", "damaged"),
        ("circle", "damaged: for 192.0.2.1, its tree goes on after the last bit"),
        ("nothing", "there is no such file"),
        ("../db", "not granted"),
        (".", "regular file"),
    ] {
        let (code, out, err) = said(&run(&scene, &[&format!("/data/{name}"), "192.0.2.1"]));
        assert_eq!((code, &*out), (1, ""), "{name}");
        assert!(err.starts_with(&format!("geoip: /data/{name}: ")), "{err}");
        assert!(err.contains(expected), "{name}: {err}");
    }
}
