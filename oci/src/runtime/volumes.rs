//! Which mounts are granted to a component: the directories of this machine that somebody mounted
//! for the container, and not those that engines mount into every one.

use super::bundle::{Bundle, Mount, below};
use anyhow::{Result, bail};

/// Below these an engine mounts what programs expect. A component needs none of it.
const ENGINES: &[&str] =
    &["/dev", "/proc", "/sys", "/etc", "/run/.containerenv", "/run/secrets", "/sbin/docker-init"];

/// What Kubernetes mounts unless it is told not to: a key to its API.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A directory to be granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) destination: String,
    pub(crate) read_only: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Volumes {
    pub(crate) directories: Vec<Volume>,
    /// Only directories can be granted: these are not.
    pub(crate) files: Vec<String>,
}

/// What is mounted for the component.
pub(crate) fn granted(bundle: &Bundle) -> Result<Volumes> {
    let mut volumes = Volumes::default();
    for mount in bundle.mounts().filter(|mount| is_volume(mount)) {
        let Mount { destination, .. } = &mount;
        // A later mount covers earlier ones.
        volumes.directories.retain(|volume| below(&volume.destination, destination).is_none());
        volumes.files.retain(|file| below(file, destination).is_none());
        match bundle.path(mount.source).metadata() {
            Ok(metadata) if metadata.is_dir() => {
                check(destination)?;
                let read_only = mount.is_read_only();
                volumes.directories.push(Volume { destination: destination.clone(), read_only });
            }
            Ok(_) => volumes.files.push(destination.clone()),
            // The next runtime will say so.
            Err(_) => {}
        }
    }
    leave_out_nested(&mut volumes.directories);
    check_token(bundle, &volumes.directories)?;
    Ok(volumes)
}

fn is_volume(mount: &Mount<'_>) -> bool {
    let at = &mount.destination;
    mount.is_bind() && at != TOKEN && !ENGINES.iter().any(|dir| below(at, dir).is_some())
}

/// A volume that the token is mounted in would grant that as well.
fn check_token(bundle: &Bundle, volumes: &[Volume]) -> Result<()> {
    let names = [TOKEN, TOKEN.strip_prefix("/var").unwrap_or(TOKEN)];
    let mounted = bundle.mounts().any(|mount| names.contains(&&*mount.destination));
    let covers = |volume: &&Volume| names.iter().any(|at| below(at, &volume.destination).is_some());
    match volumes.iter().find(covers) {
        Some(volume) if mounted => bail!(
            "the volume at {} has Kubernetes's token for its API in it: set \
             automountServiceAccountToken to false, or mount the volume at another place",
            volume.destination
        ),
        _ => Ok(()),
    }
}

fn check(destination: &str) -> Result<()> {
    if destination == "/" {
        bail!("a volume at / would cover the component: mount it at another place");
    }
    if destination.contains("::") || destination.ends_with(':') {
        bail!(
            "a volume is to be at {destination}, which cannot be granted: `::` separates the parts \
             of a grant. Mount it at a place without `::`"
        );
    }
    Ok(())
}

/// A volume for reading only in one for writing is reached through that one, where the mount itself
/// keeps it from being changed. `iommap` refuses such a pair of grants, since it would not know.
fn leave_out_nested(volumes: &mut Vec<Volume>) {
    let writable: Vec<Volume> = volumes.iter().filter(|outer| !outer.read_only).cloned().collect();
    volumes.retain(|inner| {
        let covers = |outer: &Volume| below(&inner.destination, &outer.destination).is_some();
        !(inner.read_only && writable.iter().any(covers))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(mounts: Value) -> Result<Volumes> {
        let dir = tempfile::tempdir()?;
        std::fs::create_dir(dir.path().join("dir"))?;
        std::fs::write(dir.path().join("file"), "")?;
        granted(&Bundle::at(dir.path(), json!({ "mounts": mounts })))
    }

    fn bind(at: &str, source: &str, mode: &str) -> Value {
        json!({ "destination": at, "type": "bind", "source": source, "options": ["rbind", mode] })
    }

    fn directories(mounts: Value) -> Vec<(String, bool)> {
        let directories = of(mounts).unwrap().directories;
        directories.into_iter().map(|volume| (volume.destination, volume.read_only)).collect()
    }

    #[test]
    fn each_mounted_directory_is_granted_as_it_is_mounted() {
        let seen = directories(json!([
            bind("/data", "dir", "ro"),
            bind("/out/", "dir", "rw"),
            bind("w", "dir", "")
        ]));
        assert_eq!(seen, [("/data".into(), true), ("/out".into(), false), ("/w".into(), false)]);
    }

    #[test]
    fn a_volume_around_the_token_is_refused() {
        for volume in ["/var/run", "/run", "/var/run/secrets"] {
            let mounts = |at| json!([bind(volume, "dir", "rw"), bind(at, "dir", "ro")]);
            let error = of(mounts(TOKEN)).unwrap_err().to_string();
            assert!(error.contains("automountServiceAccountToken"), "{error}");
            assert_eq!(directories(mounts("/data")).len(), 2);
        }
    }

    #[test]
    fn what_engines_mount_is_no_volume() {
        let seen = of(json!([
            bind("/dev/shm", "dir", "rw"),
            bind("/etc/hosts", "file", "rw"),
            bind("/sys/fs/cgroup", "dir", "ro"),
            bind("/run/.containerenv", "file", "rw"),
            bind("/sbin/docker-init", "file", "ro"),
            bind("/run/secrets", "dir", "ro"),
            bind(TOKEN, "dir", "ro"),
            { "destination": "/proc", "type": "proc" },
            { "destination": "/tmp", "type": "tmpfs" },
        ]));
        assert_eq!(seen.unwrap(), Volumes::default());
        assert_eq!(directories(json!([bind("/devices", "dir", "ro")])).len(), 1);
    }

    #[test]
    fn files_are_told_and_what_is_missing_is_left_to_runc() {
        let seen = of(json!([bind("/data/f", "file", "ro"), bind("/none", "none", "ro")])).unwrap();
        assert_eq!(seen, Volumes { directories: Vec::new(), files: vec!["/data/f".into()] });
    }

    #[test]
    fn a_destination_that_no_grant_can_have_is_refused_in_words() {
        let said = |at| format!("{:#}", of(json!([bind(at, "dir", "ro")])).unwrap_err());
        assert!(said("/data::/etc::rw").contains("without `::`"), "{}", said("/data::/etc::rw"));
        assert!(said("/a/..").contains("cover the component"));
    }

    #[test]
    fn of_nested_volumes_no_pair_is_one_that_iommap_refuses() {
        let nested = |outer, inner| {
            directories(json!([bind("/data", "dir", outer), bind("/data/in", "dir", inner)]))
        };
        assert_eq!(nested("rw", "ro"), [("/data".into(), false)]);
        assert_eq!(nested("ro", "rw"), [("/data".into(), true), ("/data/in".into(), false)]);
        assert_eq!(nested("ro", "ro").len(), 2);
        assert_eq!(
            directories(json!([bind("/data", "dir", "rw"), bind("/data2", "dir", "ro")])).len(),
            2
        );
    }

    #[test]
    fn a_later_mount_covers_what_is_below() {
        let covered =
            json!([bind("/a/b", "dir", "rw"), bind("/a/f", "file", "rw"), bind("/a", "dir", "ro")]);
        assert_eq!(of(covered.clone()).unwrap().files, [""; 0]);
        assert_eq!(directories(covered), [("/a".into(), true)]);
    }
}
