//! The runtime as an engine calls it, before a program that writes down what it is called with.
//! With runc itself, and containers that run, it is tested by `cargo xtask container`.

#![cfg(target_os = "linux")]

use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// The smallest program that needs no libraries, as far as its headers say.
const STATIC: &[u8] = &{
    let mut header = [0; 64];
    let start = *b"\x7fELF\x02\x01";
    let mut n = 0;
    while n < start.len() {
        header[n] = start[n];
        n += 1;
    }
    header
};

/// A bundle and what is around it.
struct Machine {
    dir: TempDir,
}

impl Machine {
    fn new(config: &Value) -> Machine {
        let machine = Machine { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(machine.at("bundle/rootfs/bin")).unwrap();
        fs::create_dir(machine.at("volume")).unwrap();
        fs::write(machine.at("bundle/rootfs/app.wasm"), COMPONENT).unwrap();
        fs::write(machine.at("bundle/rootfs/bin/sh"), "#!").unwrap();
        fs::write(machine.at("bundle/config.json"), config.to_string()).unwrap();
        fs::write(machine.at("iommap"), STATIC).unwrap();
        fs::set_permissions(machine.at("iommap"), fs::Permissions::from_mode(0o755)).unwrap();
        machine
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Calls the runtime in the bundle.
    fn call(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_iommap-oci"))
            .args(args)
            .current_dir(self.at("bundle"))
            .env("IOMMAP_OCI_RUNTIME", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorder.sh"))
            .env("IOMMAP_OCI_IOMMAP", self.at("iommap"))
            .env("RECORD", self.at("record"))
            .output()
            .unwrap()
    }

    /// What the next runtime was called with, if it was.
    fn record(&self) -> Option<Vec<String>> {
        let text = fs::read_to_string(self.at("record")).ok()?;
        Some(text.lines().map(str::to_owned).collect())
    }

    fn config(&self) -> Value {
        serde_json::from_slice(&fs::read(self.at("bundle/config.json")).unwrap()).unwrap()
    }
}

/// A container with a volume for reading.
fn container(args: &[&str], volume: &str) -> Value {
    json!({
        "ociVersion": "1.0.2",
        "root": { "path": "rootfs" },
        "process": { "args": args, "env": ["NAME=value"], "cwd": "/" },
        "mounts": [
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs" },
            { "destination": volume, "type": "bind", "source": "../volume", "options": ["rbind", "ro"] },
        ],
    })
}

#[test]
fn a_component_is_run_by_iommap_and_created_by_the_next_runtime() {
    for args in [
        &["create", "id"][..],
        &["run", "id"],
        &["--root", "/r", "create", "--bundle", ".", "--pid-file", "/p", "id"],
    ] {
        let machine = Machine::new(&container(&["/app.wasm", "needle"], "/data"));
        let output = machine.call(args);
        assert_eq!(output.status.code(), Some(7), "{output:?}");
        assert_eq!(machine.record().unwrap(), args);
        let config = machine.config();
        let expected = [
            "/dev/iommap",
            "run",
            "--no-cache",
            "--dir=/data::/data::ro",
            "--env=NAME",
            "/app.wasm",
            "needle",
        ];
        assert_eq!(config["process"]["args"], json!(expected));
        assert_eq!(config["mounts"][2]["source"], json!(machine.at("iommap")));
        // A second time there is nothing to do.
        assert_eq!(machine.call(args).status.code(), Some(7));
        assert_eq!(machine.config(), config);
    }
}

#[test]
fn all_else_is_handed_on_as_it_is() {
    let native = container(&["/bin/sh", "/app.wasm"], "/data::x");
    let machine = Machine::new(&native);
    for args in [
        &["create", "id"][..],
        &["--log", "log", "start", "id"],
        &["exec", "--process", "create", "id", "a b", ""],
        &["--version"],
        &[],
    ] {
        let output = machine.call(args);
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(7), &b""[..]));
        // Without arguments printf writes an empty line.
        let record = machine.record().unwrap();
        assert_eq!(record, if args.is_empty() { &[""][..] } else { args });
        assert_eq!(machine.config(), native);
    }
}

#[test]
fn what_cannot_be_granted_is_an_error_in_words() {
    let refused = container(&["/app.wasm"], "/data::/etc");
    let machine = Machine::new(&refused);
    let output = machine.call(&["--log", "log.json", "--log-format", "json", "create", "id"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(machine.record(), None, "the next runtime was called");
    assert_eq!(machine.config(), refused);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("/data::/etc") && said.contains("without `::`"), "{said}");
    let line: Value =
        serde_json::from_slice(&fs::read(machine.at("bundle/log.json")).unwrap()).unwrap();
    assert_eq!((&line["level"], &line["msg"]), (&json!("error"), &json!(said.trim_end())));
}

#[test]
fn without_a_static_iommap_no_component_is_created() {
    let machine = Machine::new(&container(&["/app.wasm"], "/data"));
    // This test is linked as programs are by default.
    fs::copy(std::env::current_exe().unwrap(), machine.at("iommap")).unwrap();
    let said = String::from_utf8(machine.call(&["create", "id"]).stderr).unwrap();
    assert!(said.contains("linked dynamically"), "{said}");
    fs::remove_file(machine.at("iommap")).unwrap();
    let said = String::from_utf8(machine.call(&["create", "id"]).stderr).unwrap();
    assert!(said.contains("install iommap there"), "{said}");
    assert_eq!(machine.record(), None);
    // Other containers don't need it.
    fs::write(machine.at("bundle/config.json"), container(&["sh"], "/data").to_string()).unwrap();
    assert_eq!(machine.call(&["create", "id"]).status.code(), Some(7));
}

#[test]
fn a_configuration_that_cannot_be_read_is_left_to_the_next_runtime() {
    let machine = Machine::new(&json!(null));
    fs::write(machine.at("bundle/config.json"), "{").unwrap();
    let output = machine.call(&["--log", "log", "create", "id"]);
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(7), &b""[..]));
    let log = fs::read_to_string(machine.at("bundle/log")).unwrap();
    assert!(log.contains("level=warning") && log.contains("no JSON"), "{log}");
}

#[test]
fn without_a_next_runtime_it_says_so() {
    let machine = Machine::new(&container(&["sh"], "/data"));
    let output = Command::new(env!("CARGO_BIN_EXE_iommap-oci"))
        .arg("--version")
        .env("PATH", machine.dir.path())
        .env_remove("IOMMAP_OCI_RUNTIME")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("neither runc nor crun"), "{said}");
}
