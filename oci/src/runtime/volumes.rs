//! Which mounts are granted to a component: the directories of this machine that somebody mounted
//! for the container, and not those that engines mount into every one.

use super::bundle::below;
use super::engines;
use super::place::{Placed, Places};
use anyhow::{Result, bail, ensure};

/// A directory to be granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) destination: String,
    /// Where that is, without links.
    pub(crate) at: String,
    pub(crate) read_only: bool,
}

/// What is mounted and not granted, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) destination: String,
    at: String,
    pub(crate) why: &'static str,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Volumes {
    pub(crate) directories: Vec<Volume>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// What is mounted for the component.
pub(crate) fn granted(places: &Places<'_>) -> Result<Volumes> {
    let mut volumes = Volumes::default();
    for placed in places.mounts().filter(|placed| is_volume(placed)) {
        let at = placed.at.clone();
        let destination = placed.mount.destination.clone();
        // A later mount covers earlier ones.
        volumes.directories.retain(|volume| below(&volume.at, &at).is_none());
        volumes.left_out.retain(|volume| below(&volume.at, &at).is_none());
        let why = match placed.is_directory() {
            Some(true) if engines::is_engines(&at) || engines::is_kernels(places, &at) => {
                "leads by a link of the image to where engines mount what is theirs, and is not \
                 granted to the component: mount it at another place"
            }
            Some(true) => {
                check(&destination, &at)?;
                let read_only = placed.mount.is_read_only();
                volumes.directories.push(Volume { destination, at, read_only });
                continue;
            }
            Some(false) => {
                "is no directory, and not granted to the component: mount the one it is in"
            }
            // The next runtime will say so.
            None => continue,
        };
        volumes.left_out.push(LeftOut { destination, at, why });
    }
    leave_out_nested(&mut volumes.directories);
    engines::check(places, &volumes.directories)?;
    check_names(places, &volumes.directories)?;
    Ok(volumes)
}

/// Did somebody mount it for the container?
fn is_volume(placed: &Placed<'_>) -> bool {
    placed.mount.is_bind() && !engines::is_engines(&placed.mount.destination)
}

/// A grant goes by a name, which has to lead to the volume still when all is mounted: what is mounted
/// later may hide a link that led there, and have another.
fn check_names(places: &Places<'_>, volumes: &[Volume]) -> Result<()> {
    for Volume { destination, at, .. } in volumes {
        let leads_to = places.leads_to(destination)?;
        ensure!(
            leads_to == *at,
            "the volume at {destination} is mounted at {at}, and its name leads to {leads_to} once all \
             is mounted: mount it at another place"
        );
    }
    Ok(())
}

fn check(destination: &str, at: &str) -> Result<()> {
    if at == "/" {
        bail!("a volume at {destination} would cover the component: mount it at another place");
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
        let covers = |outer: &Volume| below(&inner.at, &outer.at).is_some();
        !(inner.read_only && writable.iter().any(covers))
    });
}

#[cfg(test)]
mod tests {
    use super::super::bundle::Bundle;
    use super::super::engines::TOKEN;
    use super::*;
    use serde_json::{Value, json};
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    fn of(mounts: Value) -> Result<Volumes> {
        with_links(mounts, &[])
    }

    /// With links in the image.
    fn with_links(mounts: Value, links: &[(&str, &str)]) -> Result<Volumes> {
        let dir = tempfile::tempdir()?;
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("dir"))?;
        std::fs::write(at("file"), "")?;
        std::fs::create_dir_all(at("rootfs/var"))?;
        if links.iter().any(|(_, link)| link.starts_with("run/")) {
            std::fs::create_dir(at("rootfs/run"))?;
        }
        for (target, link) in links {
            symlink(target, at("rootfs").join(link))?;
        }
        let config = json!({ "root": { "path": "rootfs" }, "mounts": mounts });
        let bundle = Bundle::at(dir.path(), config);
        granted(&Places::of(&bundle)?)
    }

    fn left_out(volumes: &Volumes) -> Vec<&str> {
        volumes.left_out.iter().map(|volume| &*volume.destination).collect()
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
        for volume in ["/var/run", "/run"] {
            let mounts = |at| json!([bind(volume, "dir", "rw"), bind(at, "dir", "ro")]);
            let error = of(mounts(TOKEN[0])).unwrap_err().to_string();
            assert!(error.contains("automountServiceAccountToken"), "{error}");
            assert_eq!(directories(mounts("/data")).len(), 2);
        }
        // Where nothing but secrets is, nothing is granted in the first place.
        let secrets = json!([bind("/var/run/secrets", "dir", "rw"), bind(TOKEN[0], "dir", "ro")]);
        assert_eq!(of(secrets).unwrap(), Volumes::default());
        // The image may have it lie in a volume that is elsewhere.
        let mounts = json!([bind("/data", "dir", "ro"), bind(TOKEN[0], "dir", "ro")]);
        let error = with_links(mounts.clone(), &[("/data", "var/run")]).unwrap_err().to_string();
        assert!(error.contains("the volume at /data has Kubernetes's token"), "{error}");
        let granted = with_links(mounts, &[("/run", "var/run")]).unwrap();
        assert_eq!((granted.directories.len(), granted.left_out.len()), (1, 0));
    }

    #[test]
    fn a_link_that_is_no_text_hides_no_token_in_a_volume() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("rootfs/var")).unwrap();
        let link = dir.path().join("rootfs/var/run");
        symlink(OsStr::from_bytes(b"/data/\xff"), link).unwrap();
        let mounts = json!([bind("/data", "rootfs", "ro"), bind(TOKEN[0], "rootfs", "ro")]);
        let config = json!({ "root": { "path": "rootfs" }, "mounts": mounts });
        let bundle = Bundle::at(dir.path(), config);
        assert!(Places::of(&bundle).is_err());
    }

    #[test]
    fn a_volume_around_a_secret_is_refused() {
        let secret = "/run/secrets/db";
        let said = |volume, at, links: &[(&str, &str)]| {
            let mounts = json!([bind(volume, "dir", "rw"), bind(at, "dir", "ro")]);
            with_links(mounts, links).map(|seen| seen.directories.len()).map_err(|e| e.to_string())
        };
        // One of the user's, and one that the image leads it into.
        for (volume, at, links) in [
            ("/run", secret, &[][..]),
            ("/data", secret, &[("/data", "run")]),
            ("/data", "/run/secrets", &[("data", "run")]),
            ("/data", "/etc/hosts", &[("/data", "etc")]),
            // Mounted over the volume, once the image has led both below one place.
            ("/data", "/run/secrets", &[("/x/db", "data"), ("/x", "run/secrets")]),
        ] {
            let error = said(volume, at, links).unwrap_err();
            assert!(error.contains(volume) && error.contains(at), "{error}");
        }
        assert_eq!(said("/run/app", secret, &[]), Ok(1));
        assert_eq!(said("/data", secret, &[("/srv", "run")]), Ok(1));
    }

    #[test]
    fn a_volume_around_a_file_of_the_engines_without_secrets_is_granted() {
        let file = "/run/.containerenv";
        let said = |volume, at, mode, links: &[(&str, &str)]| {
            let mounts = json!([bind(volume, "dir", mode), bind(at, "file", "rw")]);
            let seen = with_links(mounts, links).map_err(|e| e.to_string())?;
            assert_eq!(left_out(&seen), [""; 0]);
            Ok(seen.directories.into_iter().map(|it| (it.destination, it.read_only)).collect())
        };
        let one = |at: &str, read_only| Ok::<_, String>(vec![(at.to_owned(), read_only)]);
        assert_eq!(said("/run", file, "rw", &[]), one("/run", false));
        assert_eq!(said("/run", file, "ro", &[]), one("/run", true));
        assert_eq!(said("/sbin", "/sbin/docker-init", "rw", &[]), one("/sbin", false));
        // The image put one into the other; and what lies beside it may be secret.
        for (volume, at, links) in [
            ("/data", file, &[("/data", "run")][..]),
            ("/data", file, &[("/run", "data")]),
            ("/run", "/run/.containerenv/x", &[]),
            ("/run", "/run/secrets", &[]),
            ("/run", "/run/secrets/rhsm", &[]),
            ("/var/run", "/var/run/secrets/tokens", &[]),
        ] {
            let error = said(volume, at, "rw", links).unwrap_err();
            assert!(error.contains(volume) && error.contains(at), "{error}");
        }
        // Both at once: the one is no excuse for the other.
        let mounts = [
            bind("/run", "dir", "rw"),
            bind(file, "file", "rw"),
            bind("/run/secrets", "dir", "ro"),
        ];
        assert!(of(json!(mounts)).unwrap_err().to_string().contains("/run/secrets"));
    }

    #[test]
    fn a_volume_in_what_the_kernel_shows_is_not_granted() {
        for kind in ["proc", "sysfs", "cgroup2", "mqueue", "devpts"] {
            let kernels = json!({ "destination": "/proc", "type": kind });
            let mounts = json!([kernels, bind("/v", "dir", "rw"), bind("/w", "dir", "rw")]);
            // In there `self/root` is the container's own root, and no link that could be read here.
            let links = [("/p", "proc"), ("/p/self/root", "v")];
            let seen = with_links(mounts, &links).unwrap();
            assert_eq!((left_out(&seen), seen.directories.len()), (vec!["/v"], 1), "{kind}");
        }
        let tmpfs = json!({ "destination": "/t", "type": "tmpfs" });
        assert_eq!(directories(json!([tmpfs, bind("/t/v", "dir", "rw")])).len(), 1);
    }

    #[test]
    fn a_volume_whose_name_leads_elsewhere_in_the_end_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["rootfs/x", "rootfs/t", "volume", "dir"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        symlink("/t", at("rootfs/x/link")).unwrap();
        // What is mounted over the image's link has one of its own.
        symlink("/run/secrets", at("volume/link")).unwrap();
        let granted = |mounts: Value| {
            let config = json!({ "root": { "path": "rootfs" }, "mounts": mounts });
            let bundle = Bundle::at(dir.path(), config);
            granted(&Places::of(&bundle)?)
        };
        let (inner, outer) = (bind("/x/link/d", "dir", "rw"), bind("/x", "volume", "ro"));
        assert_eq!(granted(json!([inner])).unwrap().directories[0].at, "/t/d");
        let said = granted(json!([inner, outer])).unwrap_err().to_string();
        assert!(said.contains("/t/d") && said.contains("/run/secrets/d"), "{said}");
        // In the order in which engines mount, the inner one is where the volume's link leads.
        let seen = granted(json!([outer, inner])).unwrap();
        assert_eq!((left_out(&seen), seen.directories.len()), (vec!["/x/link/d"], 1));
    }

    #[test]
    fn a_link_of_the_image_makes_no_volume_of_what_is_the_engines() {
        let mounts = json!([
            bind("/run/secrets", "dir", "ro"),
            bind("/proc-too", "dir", "ro"),
            bind("/a", "dir", "rw"),
            bind("/b", "dir", "ro"),
        ]);
        let links = [("/data", "run"), ("/proc/self", "proc-too"), ("srv/x", "a"), ("/srv", "b")];
        let seen = with_links(mounts.clone(), &links[..3]).unwrap();
        assert_eq!(left_out(&seen), ["/proc-too"]);
        let at = |volume: &Volume| (volume.destination.clone(), volume.at.clone());
        let expected = [("/a", "/srv/x"), ("/b", "/b")];
        let expected = expected.map(|(destination, at)| (destination.to_owned(), at.to_owned()));
        assert_eq!(seen.directories.iter().map(at).collect::<Vec<_>>(), expected);
        // What is mounted last covers what a link has put below it.
        let seen = with_links(mounts, &links).unwrap();
        assert_eq!(
            seen.directories.iter().map(at).collect::<Vec<_>>(),
            [("/b".to_owned(), "/srv".to_owned())]
        );
        let error = with_links(json!([bind("/a", "dir", "ro")]), &[(".", "a")]).unwrap_err();
        assert!(error.to_string().contains("cover the component"), "{error}");
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
            bind("/var/run/secrets/tokens", "dir", "ro"),
            bind(TOKEN[0], "dir", "ro"),
            { "destination": "/proc", "type": "proc" },
            { "destination": "/tmp", "type": "tmpfs" },
        ]));
        assert_eq!(seen.unwrap(), Volumes::default());
        assert_eq!(directories(json!([bind("/devices", "dir", "ro")])).len(), 1);
    }

    #[test]
    fn files_are_told_and_what_is_missing_is_left_to_runc() {
        let seen = of(json!([bind("/data/f", "file", "ro"), bind("/none", "none", "ro")])).unwrap();
        assert_eq!((left_out(&seen), seen.directories.len()), (vec!["/data/f"], 0));
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
        assert_eq!(left_out(&of(covered.clone()).unwrap()), [""; 0]);
        assert_eq!(directories(covered), [("/a".into(), true)]);
    }
}
