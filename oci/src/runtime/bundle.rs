//! A container's bundle: the directory with its configuration, which the engine has made.

use anyhow::{Context, Result, ensure};
use rustix::fs::{Mode, OFlags};
use serde_json::Value;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Longer than any that an engine writes: the largest parts are variables and annotations, which
/// the kernel and Kubernetes limit.
const LONGEST: u64 = 16 << 20;

/// File systems that are empty at first, or have what the kernel puts there.
const NEW: [&str; 7] = ["tmpfs", "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2"];

/// A container's configuration, and where it is.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub(crate) config: Value,
    dir: PathBuf,
    permissions: Permissions,
}

impl Bundle {
    pub(crate) fn read(dir: &Path) -> Result<Bundle> {
        let path = dir.join("config.json");
        let shown = path.display();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = rustix::fs::open(&path, flags, Mode::empty());
        let file = File::from(opened.with_context(|| format!("{shown} cannot be opened"))?);
        let metadata = file.metadata()?;
        ensure!(metadata.is_file(), "{shown} is no regular file");
        let mut text = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut text)?;
        ensure!(text.len() as u64 <= LONGEST, "{shown} is longer than {LONGEST} bytes");
        let config =
            serde_json::from_slice(&text).with_context(|| format!("{shown} is no JSON"))?;
        Ok(Bundle { config, dir: dir.to_owned(), permissions: metadata.permissions() })
    }

    /// Puts the configuration in the place of the one that was read, at once.
    pub(crate) fn write(&self) -> Result<()> {
        let path = self.dir.join("config.json");
        let beside = self.dir.join(format!(".config.json.{}", std::process::id()));
        let written = self.write_new(&beside).and_then(|()| std::fs::rename(&beside, &path));
        if written.is_err() {
            _ = std::fs::remove_file(&beside);
        }
        written.with_context(|| format!("{} cannot be written", path.display()))
    }

    fn write_new(&self, path: &Path) -> std::io::Result<()> {
        // It has the container's variables, and it may be for fewer than by default.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.set_permissions(self.permissions.clone())?;
        file.write_all(&serde_json::to_vec(&self.config)?)
    }

    /// A path of the configuration's, which may be relative to the bundle.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.join(path)
    }

    /// Where the image's files are.
    pub(crate) fn rootfs(&self) -> Option<PathBuf> {
        self.text("/root/path").map(|path| self.path(path))
    }

    pub(crate) fn text(&self, pointer: &str) -> Option<&str> {
        self.config.pointer(pointer)?.as_str()
    }

    /// A list of texts. What is none is left out.
    pub(crate) fn texts(&self, pointer: &str) -> impl DoubleEndedIterator<Item = &str> {
        self.list(pointer).iter().filter_map(Value::as_str)
    }

    pub(crate) fn mounts(&self) -> impl DoubleEndedIterator<Item = Mount<'_>> {
        self.list("/mounts").iter().filter_map(Mount::of)
    }

    fn list(&self, pointer: &str) -> &[Value] {
        self.config.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    #[cfg(test)]
    pub(crate) fn at(dir: &Path, config: Value) -> Bundle {
        let path = dir.join("config.json");
        std::fs::write(&path, config.to_string()).unwrap();
        Bundle::read(dir).unwrap()
    }
}

/// A mount, of which the later covers the earlier.
#[derive(Clone, Debug)]
pub(crate) struct Mount<'a> {
    /// Absolute, and without `.` and `..`. Links of the image may lead elsewhere: see `place.rs`.
    pub(crate) destination: String,
    pub(crate) kind: &'a str,
    pub(crate) source: &'a str,
    options: Vec<&'a str>,
}

impl Mount<'_> {
    fn of(mount: &Value) -> Option<Mount<'_>> {
        let text = |name| mount.get(name).and_then(Value::as_str);
        let options = mount.get("options").and_then(Value::as_array);
        Some(Mount {
            destination: clean(text("destination")?),
            kind: text("type").unwrap_or_default(),
            source: text("source").unwrap_or_default(),
            options: options.into_iter().flatten().filter_map(Value::as_str).collect(),
        })
    }

    /// Is it a part of this machine's files?
    pub(crate) fn is_bind(&self) -> bool {
        self.kind == "bind" || self.options.iter().any(|option| matches!(*option, "bind" | "rbind"))
    }

    /// Does the next runtime copy what it covers into it, links and all?
    pub(crate) fn copies_up(&self) -> bool {
        self.kind == "tmpfs" && self.options.contains(&"tmpcopyup")
    }

    /// Is nothing in it at first that an image or somebody else made?
    pub(crate) fn is_new(&self) -> bool {
        !self.is_bind() && !self.copies_up() && NEW.contains(&self.kind)
    }

    /// Does it show what the kernel puts there?
    pub(crate) fn is_kernels(&self) -> bool {
        self.is_new() && self.kind != "tmpfs"
    }

    /// Of `ro` and `rw` the last counts.
    pub(crate) fn is_read_only(&self) -> bool {
        let mode = self.options.iter().rfind(|option| matches!(**option, "ro" | "rro" | "rw"));
        mode.is_some_and(|mode| *mode != "rw")
    }
}

/// A container's path, from its root and without `.`, `..` and empty names.
pub(crate) fn clean(path: &str) -> String {
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => _ = names.pop(),
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

/// What is left of a path below another one, both of them clean.
pub(crate) fn below<'p>(path: &'p str, dir: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(dir.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_configuration_is_written_as_it_was_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        // The largest numbers that are in configurations, and what is unknown here.
        let config = json!({
            "process": { "rlimits": [{ "hard": u64::MAX, "soft": 0 }], "oomScoreAdj": -999 },
            "linux": { "resources": { "memory": { "limit": i64::MIN } }, "new": [null, 1.5, "\u{0}"] },
        });
        let bundle = Bundle::at(dir.path(), config.clone());
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let bundle = Bundle { permissions: path.metadata().unwrap().permissions(), ..bundle };
        bundle.write().unwrap();
        assert_eq!(Bundle::read(dir.path()).unwrap().config, config);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_configuration_is_an_error_and_no_wait() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        let said = || format!("{:#}", Bundle::read(dir.path()).unwrap_err());
        assert!(said().contains("cannot be opened"));
        std::fs::write(&path, "{").unwrap();
        assert!(said().contains("no JSON"), "{}", said());
        std::fs::write(&path, "[".repeat(1 << 20)).unwrap();
        assert!(said().contains("no JSON"), "{}", said());
        File::create(&path).unwrap().set_len(LONGEST + 1).unwrap();
        assert!(said().contains("longer"), "{}", said());
        std::fs::remove_file(&path).unwrap();
        symlink("/dev/zero", &path).unwrap();
        assert!(said().contains("regular"), "{}", said());
    }

    #[test]
    fn of_mounts_it_is_known_what_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let bundle = Bundle::at(
            dir.path(),
            json!({ "mounts": [
                { "destination": "/a/../b/./c/", "type": "bind", "source": "/s", "options": ["ro"] },
                { "destination": "d", "type": "none", "options": ["ro", "rbind", "rw"] },
                { "destination": "/dev", "type": "tmpfs", "options": ["rro"] },
                { "no": "mount" },
                7,
            ] }),
        );
        let seen: Vec<_> = bundle
            .mounts()
            .map(|mount| (mount.is_bind(), mount.is_read_only(), mount.destination))
            .collect();
        let expected = [(true, true, "/b/c"), (true, false, "/d"), (false, true, "/dev")];
        assert_eq!(seen, expected.map(|(bind, ro, at)| (bind, ro, at.to_owned())));
    }

    #[test]
    fn paths_are_compared_name_by_name() {
        assert_eq!(clean("/../../a//./b/../c"), "/a/c");
        assert_eq!((clean(""), clean("/"), clean("a")), ("/".into(), "/".into(), "/a".into()));
        assert_eq!(below("/data/in/f", "/data"), Some("in/f"));
        assert_eq!(below("/data", "/data"), Some(""));
        assert_eq!(below("/datafile", "/data"), None);
        assert_eq!(below("/f", "/"), Some("f"));
    }
}
