//! The command and the mounts that run a component: what changes in a container's configuration.
//! All that keeps the container in its place stays as it is.

use super::bundle::Bundle;
use super::entry::Component;
use super::place::Places;
use super::volumes::Volume;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Where the container has `iommap`. Its `/dev` is made anew for each container, so that nothing is
/// left behind in the image, which may be read-only, and nothing of the image's is in the way.
const IOMMAP: &str = "/dev/iommap";

/// What an annotation is called that is for this runtime.
const ANNOTATION: &str = "dev.iommap.";
const LIMIT: &str = "limit.";

/// Has iommap run the component.
pub(crate) fn rewrite(
    bundle: &mut Bundle,
    component: &Component,
    volumes: &[Volume],
    iommap: &str,
) -> Result<()> {
    // In the container there is no cache: whoever could write to one could have native code run.
    let mut command = vec![IOMMAP.to_owned(), "run".to_owned(), "--no-cache".to_owned()];
    command.extend(volumes.iter().map(|Volume { destination, read_only, .. }| {
        let mode = if *read_only { "ro" } else { "rw" };
        format!("--dir={destination}::{destination}::{mode}")
    }));
    command.extend(limits(bundle)?);
    // The values are not told: a command is seen by everybody on the machine.
    command.extend(variables(bundle).into_iter().map(|name| format!("--env={name}")));
    command.push(component.path.clone());

    let words = array(&mut bundle.config, "/process", "args")?;
    words.splice(component.word..=component.word, command.into_iter().map(Value::from));
    array(&mut bundle.config, "", "mounts")?.push(json!({
        "destination": IOMMAP,
        "type": "bind",
        "source": iommap,
        "options": ["bind", "ro", "nosuid", "nodev", "rprivate"],
    }));
    Ok(())
}

/// Is there a place for `iommap`? Links of the image count: what is mounted at another name may be
/// mounted here.
pub(crate) fn check_dev(places: &Places<'_>) -> Result<()> {
    let leads_to = places.leads_to(IOMMAP)?;
    ensure!(leads_to == IOMMAP, "{IOMMAP} is {leads_to} by a link of the image");
    let dev = places.covering(IOMMAP).map(|(dev, _)| dev);
    ensure!(
        dev.is_some_and(|dev| dev.at == "/dev" && dev.mount.kind == "tmpfs"),
        "iommap is mounted at {IOMMAP}, and this container has no /dev of its own (a tmpfs): \
         mount nothing at /dev, nor at {IOMMAP}{}",
        dev.map(|dev| format!(", where {} is mounted", dev.mount.destination)).unwrap_or_default()
    );
    Ok(())
}

/// The options for the limits that the container's annotations set.
fn limits(bundle: &Bundle) -> Result<Vec<String>> {
    let annotations = bundle.config.get("annotations").and_then(Value::as_object);
    let ours = annotations.into_iter().flatten().filter_map(|(name, value)| {
        Some((name, name.strip_prefix(ANNOTATION)?, value.as_str().unwrap_or_default()))
    });
    ours.map(|(name, ours, value)| {
        // One that is not understood may be a limit that somebody relies on.
        let limit = ours.strip_prefix(LIMIT).with_context(|| {
            format!(
                "there is no annotation {name}: {ANNOTATION}{LIMIT}NAME is one, where NAME is a \
                 limit as `iommap run --help` lists them"
            )
        })?;
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        ensure!(!limit.is_empty() && limit.bytes().all(is_name), "{name} names no limit");
        ensure!(
            value.starts_with(|first: char| first.is_ascii_digit()),
            "the annotation {name} is no number: write one as in 4096, 64M or 2G"
        );
        Ok(format!("--limit={limit}={value}"))
    })
    .collect()
}

/// The names of the container's variables.
fn variables(bundle: &Bundle) -> BTreeSet<String> {
    let pairs = bundle.texts("/process/env").filter_map(|variable| variable.split_once('='));
    pairs.map(|(name, _)| name.to_owned()).filter(|name| !name.is_empty()).collect()
}

/// A list in an object of the configuration's.
fn array<'c>(config: &'c mut Value, object: &str, name: &str) -> Result<&'c mut Vec<Value>> {
    let object = config.pointer_mut(object).and_then(Value::as_object_mut);
    let object = object.context("the container's configuration has no process")?;
    let list = object.entry(name).or_insert_with(|| json!([]));
    list.as_array_mut().with_context(|| format!("`{name}` of the configuration is no list"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    /// A container as engines describe it.
    fn config() -> Value {
        json!({
            "root": { "path": "rootfs", "readonly": true },
            "process": {
                "args": ["tini", "--", "app.wasm", "needle", "--dir=/"],
                "env": ["PATH=/bin", "SECRET=hidden=1", "PATH=/sbin", "=", "nothing"],
                "noNewPrivileges": true,
                "user": { "uid": 65534 },
                "capabilities": { "bounding": [] },
            },
            "mounts": [
                { "destination": "/proc", "type": "proc" },
                { "destination": "/dev", "type": "tmpfs", "options": ["nosuid"] },
                { "destination": "/dev/shm", "type": "tmpfs" },
            ],
            "linux": {
                "namespaces": [{ "type": "user" }],
                "uidMappings": [{ "containerID": 0, "hostID": 100_000, "size": 65536 }],
                "seccomp": { "defaultAction": "SCMP_ACT_ERRNO" },
            },
        })
    }

    fn bundle(config: Value) -> (TempDir, Bundle) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("rootfs")).unwrap();
        let bundle = Bundle::at(dir.path(), config);
        (dir, bundle)
    }

    fn rewritten(config: Value) -> Result<Value> {
        let (_dir, mut bundle) = bundle(config);
        let component = Component { word: 2, path: "/bin/app.wasm".into() };
        let volumes = [("/data", true), ("/out", false)].map(|(at, read_only)| Volume {
            destination: at.into(),
            at: at.into(),
            read_only,
        });
        rewrite(&mut bundle, &component, &volumes, "/opt/iommap")?;
        Ok(bundle.config)
    }

    #[test]
    fn the_command_becomes_one_of_iommap() {
        let mut config = config();
        config["annotations"] = json!({
            "dev.iommap.limit.mapped-bytes": "8G",
            "dev.iommap.limit.mappings": "3",
            "io.kubernetes.cri.container-type": "container",
        });
        let expected = [
            "tini",
            "--",
            "/dev/iommap",
            "run",
            "--no-cache",
            "--dir=/data::/data::ro",
            "--dir=/out::/out::rw",
            "--limit=mapped-bytes=8G",
            "--limit=mappings=3",
            "--env=PATH",
            "--env=SECRET",
            "/bin/app.wasm",
            "needle",
            "--dir=/",
        ];
        assert_eq!(rewritten(config).unwrap()["process"]["args"], json!(expected));
    }

    #[test]
    fn nothing_else_changes_but_that_iommap_is_mounted() {
        let mut after = rewritten(config()).unwrap();
        let mounts = after["mounts"].as_array_mut().unwrap();
        let iommap = mounts.pop().unwrap();
        assert_eq!(
            (&iommap["destination"], &iommap["source"]),
            (&json!(IOMMAP), &json!("/opt/iommap"))
        );
        for option in ["bind", "ro", "nosuid", "nodev"] {
            assert!(iommap["options"].as_array().unwrap().contains(&json!(option)), "{option}");
        }
        let before = config();
        after["process"]["args"] = before["process"]["args"].clone();
        assert_eq!(after, before);
    }

    #[test]
    fn an_annotation_that_sets_nothing_is_refused() {
        for (name, value, words) in [
            ("dev.iommap.limits.mappings", json!("3"), "no annotation"),
            ("dev.iommap.", json!("3"), "no annotation"),
            ("dev.iommap.limit.", json!("3"), "names no limit"),
            ("dev.iommap.limit.a=1 --dir", json!("3"), "names no limit"),
            ("dev.iommap.limit.mappings", json!(""), "no number"),
            ("dev.iommap.limit.mappings", json!("-1"), "no number"),
            ("dev.iommap.limit.mappings", json!(3), "no number"),
        ] {
            let mut config = config();
            config["annotations"] = json!({ name: value });
            let error = format!("{:#}", rewritten(config).unwrap_err());
            assert!(error.contains(words) && error.contains(name), "{name}: {error}");
        }
    }

    /// What is said against a container with such mounts, and such links in its image.
    fn refused(mounts: &Value, links: &[(&str, &str)]) -> Option<String> {
        let mut config = config();
        config["mounts"] = mounts.clone();
        let (dir, bundle) = bundle(config);
        std::fs::create_dir(dir.path().join("volume")).unwrap();
        for (target, link) in links {
            symlink(target, dir.path().join(link)).unwrap();
        }
        let checked = check_dev(&Places::of(&bundle).unwrap());
        checked.err().map(|error| format!("{error:#}"))
    }

    #[test]
    fn iommap_is_mounted_nowhere_but_in_a_new_dev() {
        let dev = json!({ "destination": "/dev/", "type": "tmpfs" });
        for mounts in [
            json!(null),
            json!([]),
            json!([{ "destination": "/dev", "type": "bind", "source": "/dev" }]),
            json!([dev, { "destination": "/dev/iommap", "type": "bind", "source": "/tmp" }]),
            json!([dev, { "destination": "/", "type": "tmpfs" }]),
        ] {
            let said = refused(&mounts, &[]).expect("an error");
            assert!(said.contains("no /dev of its own"), "{mounts}: {said}");
        }
        assert_eq!(refused(&json!([dev]), &[]), None);
    }

    #[test]
    fn a_volume_that_a_link_leads_into_dev_is_refused() {
        let dev = json!({ "destination": "/dev", "type": "tmpfs" });
        let volume = |at: &str| json!({ "destination": at, "type": "bind", "source": "volume" });
        for (at, links) in [
            ("/a", &[("/dev", "rootfs/a")][..]),
            ("/a", &[("b", "rootfs/a"), ("/dev/iommap", "rootfs/b")]),
            ("/a/iommap", &[("../../dev", "rootfs/a")]),
            ("/v/x", &[("/dev", "volume/x")]),
            ("/a", &[("/", "rootfs/a")]),
        ] {
            let said = refused(&json!([dev, volume("/v"), volume(at)]), links).expect("an error");
            assert!(said.contains("no /dev of its own") && said.contains(at), "{at}: {said}");
        }
        // One that leads elsewhere, or beside it, is in nobody's way.
        let elsewhere = [("/srv", "rootfs/a"), ("/dev", "volume/y")];
        assert_eq!(refused(&json!([dev, volume("/v"), volume("/a")]), &elsewhere), None);
    }

    #[test]
    fn a_dev_of_the_image_that_leads_elsewhere_is_refused() {
        let dev = json!([{ "destination": "/dev", "type": "tmpfs" }]);
        for (target, at) in [("/data", "/data/iommap"), ("./a/../b", "/b/iommap")] {
            let said = refused(&dev, &[(target, "rootfs/dev")]).expect("an error");
            assert!(said.contains(&format!("is {at} by a link")), "{said}");
        }
    }
}
