//! `geoip`, held to the crate `maxminddb` on the same files.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use super::WINDOWS;
use fastrand::Rng;
use iommap_artifacts::guest;
use iommap_geoip::{Reference, random};
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
    let mut ways = [&[][..], &WINDOWS].map(|windows| {
        let options = [&["--dir", &*grant], windows].concat();
        let output = iommap_run(scene.directory(), &options, guest("geoip"), &args).output();
        let (code, out, err) = said(&output.unwrap());
        assert_eq!((code, &*err), (0, ""), "{name}");
        out
    });
    assert!(ways[0] == ways[1], "{name}: with windows it answers otherwise");
    let out = std::mem::take(&mut ways[0]);

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
    let mut random = Rng::with_seed(20_260_617);
    for database in &databases {
        let edges = Reference::open(database).unwrap().edges().unwrap();
        let has = |ipv4: bool| edges.iter().any(|(first, _)| first.is_ipv4() == ipv4);
        let mut addresses = Vec::new();
        if has(true) {
            addresses.extend((0..ADDRESSES).map(|_| random::ipv4(&mut random)));
        }
        if has(false) {
            // Anywhere, which is mostly where there is nothing, and in networks that are there.
            let edges: Vec<_> =
                edges.iter().copied().filter(|(first, _)| first.is_ipv6()).collect();
            addresses.extend((0..ADDRESSES).map(|_| random::ipv6(&mut random)));
            addresses.extend((0..ADDRESSES).map(|_| random::within(&mut random, &edges)));
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

/// Has geoip answer an address, then lets something happen to its database, and has it answer another.
/// What it says in the end.
fn disturbed(windows: &[&str], disturb: impl FnOnce(&Path)) -> Output {
    let scene = scene();
    // Longer than a page, and with its records and its end in the last one.
    let mut maker = Maker::new(6, 28).network("192.0.2.0/24", &country("AA"));
    for n in 0..200 {
        maker = maker.network(&format!("10.{n}.0.0/16"), &country(&format!("C{n}")));
    }
    scene.write("db", maker.make());
    let args = ["/data/db", "--file", "-"];
    let mut run = iommap_run(scene.directory(), windows, guest("geoip"), &args);
    run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut run = run.spawn().unwrap();
    let (mut to, mut from) =
        (run.stdin.take().unwrap(), BufReader::new(run.stderr.take().unwrap()));
    // What is none is said at once, and what came before it is answered by then.
    to.write_all(b"192.0.2.1\nnone\n").unwrap();
    let mut said = String::new();
    from.read_line(&mut said).unwrap();
    assert!(said.contains("not an IP address"), "{said}");
    disturb(&scene.path("db"));
    to.write_all(b"10.7.0.1\n").unwrap();
    drop(to);
    let mut stderr = said.into_bytes();
    from.read_to_end(&mut stderr).unwrap();
    Output { stderr, ..run.wait_with_output().unwrap() }
}

#[test]
fn a_database_that_changes_under_geoip_gives_no_wrong_answer() {
    const FIRST: &str =
        "192.0.2.1\t192.0.2.0/24\tcountry.iso_code=AA country.names.en=\"Land of AA\"\n";
    const SECOND: &str =
        "10.7.0.1\t10.7.0.0/16\tcountry.iso_code=C7 country.names.en=\"Land of C7\"\n";
    let length = |path: &Path| fs::metadata(path).unwrap().len();
    let cut = |path: &Path, length| {
        fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap();
    };
    for windows in [&[][..], &WINDOWS] {
        let (_, out, _) = said(&disturbed(windows, |path| {
            assert!(length(path) > 2 * 4096, "{}", length(path));
            // Another takes its place, and this one goes on with what it has.
            let other = path.with_extension("new");
            fs::write(&other, "not a database").unwrap();
            fs::rename(other, path).unwrap();
        }));
        assert_eq!(out, [FIRST, SECOND].concat());
        let cuts: [&dyn Fn(&Path); 3] = [
            &|path| cut(path, 0),
            // In the middle of the last page, which stays, with zeros at its end.
            &|path| cut(path, length(path) - 1),
            &|path| cut(path, 4096),
        ];
        for disturb in cuts {
            let (code, out, err) = said(&disturbed(windows, disturb));
            assert_eq!((code, &*out), (1, FIRST), "{windows:?}: {err}");
            assert!(err.contains("the file was cut short while it was being read"), "{err}");
        }
    }
}
