//! Where a path of the container's leads, once all is mounted: through links of the image, and of
//! volumes that are mounted on the way. The next runtime follows them when it mounts, and so does the
//! kernel afterwards. So what is mounted where is told by this, and not by the names that were given.

use super::bundle::{Bundle, Mount, below};
use super::look;
use anyhow::{Context, Result, anyhow, bail};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::ffi::OsString;
use std::path::PathBuf;

/// As many links as the kernel follows in one path.
const MOST_LINKS: usize = 40;

/// A container's files, as they will be: the image, and what is mounted over it.
pub(crate) struct Places<'b> {
    bundle: &'b Bundle,
    root: Option<OwnedFd>,
    mounts: Vec<Placed<'b>>,
}

/// A mount, and where it really is.
pub(crate) struct Placed<'b> {
    pub(crate) mount: Mount<'b>,
    /// Without links.
    pub(crate) at: String,
    /// What it shows, if that is a part of this machine's files.
    source: Option<OwnedFd>,
}

impl Placed<'_> {
    /// Is what it shows a directory? None if it shows nothing of this machine's.
    pub(crate) fn is_directory(&self) -> Option<bool> {
        look::kind(self.source.as_ref()?).ok().map(|kind| kind.is_dir())
    }
}

impl<'b> Places<'b> {
    /// Puts the mounts in their places, one after the other.
    pub(crate) fn of(bundle: &'b Bundle) -> Result<Places<'b>> {
        let root = match bundle.rootfs() {
            Some(root) => is_there(look::directory(&root)).context("the image cannot be read")?,
            None => None,
        };
        let mut places = Places { bundle, root, mounts: Vec::new() };
        for mount in bundle.mounts() {
            let at = places
                .leads_to(&mount.destination)
                .with_context(|| format!("nothing can be mounted at {}", mount.destination))?;
            let source = if mount.is_bind() { places.source(&mount)? } else { None };
            places.mounts.push(Placed { mount, at, source });
        }
        Ok(places)
    }

    fn source(&self, mount: &Mount<'_>) -> Result<Option<OwnedFd>> {
        let path = self.source_path(mount);
        is_there(look::file(&path)).with_context(|| format!("{} cannot be read", path.display()))
    }

    fn source_path(&self, mount: &Mount<'_>) -> PathBuf {
        self.bundle.path(mount.source)
    }

    /// The mounts, of which the later covers the earlier.
    pub(crate) fn mounts(&self) -> impl DoubleEndedIterator<Item = &Placed<'b>> {
        self.mounts.iter()
    }

    /// The mount that a path without links is in, and what is left of the path there.
    pub(crate) fn covering<'p>(&self, path: &'p str) -> Option<(&Placed<'b>, &'p str)> {
        self.mounts.iter().rev().find_map(|mount| Some((mount, below(path, &mount.at)?)))
    }

    /// Where a clean path leads. What does not exist leads to itself: it will be made there.
    pub(crate) fn leads_to(&self, path: &str) -> Result<String> {
        let mut at = String::new();
        let mut rest: Vec<String> = names(path);
        let mut links = 0;
        while let Some(name) = rest.pop() {
            if name == ".." {
                at.truncate(at.rfind('/').unwrap_or(0));
                continue;
            }
            let next = format!("{at}/{name}");
            let Some(target) = self.link(&next)? else {
                at = next;
                continue;
            };
            links += 1;
            if links > MOST_LINKS {
                bail!("there are too many links on the way to {path}");
            }
            if target.starts_with('/') {
                at.clear();
            }
            rest.extend(names(&target));
        }
        Ok(if at.is_empty() { "/".into() } else { at })
    }

    /// What is said by a link, if one is at a path that has no other in it.
    fn link(&self, path: &str) -> Result<Option<String>> {
        let Some((base, rest)) = self.shown(path, &self.mounts)? else { return Ok(None) };
        let link = look::link(base, rest);
        let link = link.with_context(|| format!("it is not known whether {path} is a link"))?;
        // Of what is no text nothing can be said, and the kernel follows it all the same.
        let text = link.map(|link| {
            let no_text = |link: OsString| anyhow!("{path} is a link to {}", link.display());
            link.into_string().map_err(|link| no_text(link).context("a link is not UTF-8"))
        });
        text.transpose()
    }

    /// What a path without links shows once these mounts are there, as a directory of this machine's
    /// and the path in it. None where there is no link.
    fn shown<'p>(
        &'p self,
        path: &'p str,
        mounts: &'p [Placed<'b>],
    ) -> Result<Option<(&'p OwnedFd, &'p str)>> {
        let mut mounts = mounts;
        while let Some((last, earlier)) = mounts.split_last() {
            mounts = earlier;
            let Some(rest) = below(path, &last.at) else { continue };
            // What is mounted is no link, whatever was there before.
            if rest.is_empty() || last.mount.is_new() {
                return Ok(None);
            }
            if let Some(source) = &last.source {
                return Ok(Some((source, rest)));
            }
            if !last.mount.copies_up() {
                let Mount { kind, destination, .. } = &last.mount;
                bail!("it is not known what is in the {kind} that is mounted at {destination}");
            }
        }
        Ok(self.root.as_ref().map(|root| (root, path.trim_start_matches('/'))))
    }

    /// A file, not opened yet. The path has no links in it.
    pub(crate) fn file(&self, path: &str) -> Option<OwnedFd> {
        match self.base(path)? {
            (base, "") => base.try_clone().ok(),
            (base, rest) => look::inside(base, rest).ok(),
        }
    }

    /// Of this machine's files, the directory that a path is looked up in, and the path there.
    fn base<'p>(&self, path: &'p str) -> Option<(&OwnedFd, &'p str)> {
        match self.covering(path) {
            Some((mount, rest)) => Some((mount.source.as_ref()?, rest)),
            None => Some((self.root.as_ref()?, path.trim_start_matches('/'))),
        }
    }
}

/// A file of this machine's, or none where there is none: the next runtime will say so.
fn is_there(file: Result<OwnedFd, Errno>) -> Result<Option<OwnedFd>, Errno> {
    match file {
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        file => file.map(Some),
    }
}

/// The names in a path, the first one last.
fn names(path: &str) -> Vec<String> {
    path.split('/').rev().filter(|name| !matches!(*name, "" | ".")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    /// A bundle whose image and whose volume have links and nothing else.
    fn bundle(mounts: Value) -> (TempDir, Bundle) {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("rootfs/run")).unwrap();
        fs::create_dir_all(at("volume/deep")).unwrap();
        for (target, link) in [
            ("/dev", "rootfs/devices"),
            ("../../../dev/./", "rootfs/run/up"),
            ("run/up/iommap", "rootfs/chain"),
            ("/", "rootfs/root"),
            ("loop", "rootfs/loop"),
            ("/dev", "volume/deep/out"),
            ("../..", "volume/deep/up"),
            ("/v/deep", "rootfs/over"),
        ] {
            symlink(target, at(link)).unwrap();
        }
        let config = json!({ "root": { "path": "rootfs" }, "mounts": mounts });
        let bundle = Bundle::at(dir.path(), config);
        (dir, bundle)
    }

    fn volume(at: &str) -> Value {
        json!({ "destination": at, "type": "bind", "source": "volume" })
    }

    #[test]
    fn links_of_the_image_are_followed_and_what_is_missing_is_itself() {
        let (_dir, bundle) = bundle(json!([]));
        let places = Places::of(&bundle).unwrap();
        for (path, expected) in [
            ("/", "/"),
            ("/no/such", "/no/such"),
            ("/run", "/run"),
            ("/devices", "/dev"),
            ("/devices/iommap", "/dev/iommap"),
            ("/run/up/x", "/dev/x"),
            ("/chain", "/dev/iommap"),
            ("/root", "/"),
            ("/root/root/devices", "/dev"),
            ("/v/deep/out", "/v/deep/out"),
        ] {
            assert_eq!(places.leads_to(path).unwrap(), expected, "{path}");
        }
        let error = places.leads_to("/loop/x").unwrap_err();
        assert!(error.to_string().contains("too many links"), "{error}");
    }

    #[test]
    fn links_of_a_volume_lead_out_of_it_and_what_is_mounted_is_no_link() {
        let (_dir, one) = bundle(json!([volume("/v")]));
        let places = Places::of(&one).unwrap();
        assert_eq!(places.leads_to("/v/deep/out/iommap").unwrap(), "/dev/iommap");
        assert_eq!(places.leads_to("/v/deep/up/devices").unwrap(), "/dev");
        let tmpfs = json!({ "destination": "/over", "type": "tmpfs" });
        let (_dir, both) = bundle(json!([volume("/v"), tmpfs]));
        let places = Places::of(&both).unwrap();
        // The tmpfs is where the image's link leads to, and hides what the volume has there.
        assert_eq!(places.mounts().nth(1).unwrap().at, "/v/deep");
        assert_eq!(places.leads_to("/v/deep/out").unwrap(), "/v/deep/out");
        assert_eq!(places.covering("/v/deep/out").unwrap().1, "out");
        assert_eq!(places.covering("/v/x").unwrap().0.mount.destination, "/v");
        assert!(places.covering("/run").is_none());
    }

    #[test]
    fn a_tmpfs_with_a_copy_of_what_it_covers_has_its_links() {
        let tmpfs = |options: &[&str], at: &str| json!({ "destination": at, "type": "tmpfs", "options": options });
        let (_dir, one) = bundle(json!([tmpfs(&["rw", "tmpcopyup"], "/run")]));
        assert_eq!(Places::of(&one).unwrap().leads_to("/run/up/x").unwrap(), "/dev/x");
        let (_dir, plain) = bundle(json!([tmpfs(&["rw"], "/run")]));
        assert_eq!(Places::of(&plain).unwrap().leads_to("/run/up/x").unwrap(), "/run/up/x");
        // What it covers may be a volume, or another tmpfs.
        let mounts = json!([volume("/v"), tmpfs(&["tmpcopyup"], "/v/deep")]);
        let (_dir, two) = bundle(mounts);
        assert_eq!(Places::of(&two).unwrap().leads_to("/v/deep/out").unwrap(), "/dev");
        let mounts = json!([tmpfs(&[], "/run"), tmpfs(&["tmpcopyup"], "/run")]);
        let (_dir, empty) = bundle(mounts);
        assert_eq!(Places::of(&empty).unwrap().leads_to("/run/up").unwrap(), "/run/up");
    }

    #[test]
    fn below_a_mount_whose_files_are_unknown_nothing_is_placed() {
        let known = |kind: &str| {
            let (_dir, bundle) = bundle(json!([
                { "destination": "/m", "type": kind, "source": "none" },
                { "destination": "/m", "type": "tmpfs" },
                { "destination": "/other", "type": kind, "source": "none" },
                volume("/other/x"),
            ]));
            Places::of(&bundle).map(drop)
        };
        for kind in ["tmpfs", "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2"] {
            known(kind).unwrap();
        }
        for kind in ["overlay", "nfs", "", "none", "bind"] {
            let said = format!("{:#}", known(kind).unwrap_err());
            assert!(said.contains("/other/x") && said.contains("not known"), "{said}");
        }
    }

    #[test]
    fn a_link_that_is_no_text_is_no_missing_one() {
        let (dir, bundle) = bundle(json!([volume("/v"), volume("/odd/x")]));
        symlink(OsStr::from_bytes(b"/v/\xff"), dir.path().join("rootfs/odd")).unwrap();
        let said = format!("{:#}", Places::of(&bundle).err().expect("it leads somewhere"));
        assert!(said.contains("/odd/x") && said.contains("not UTF-8"), "{said}");
    }

    #[test]
    fn a_mount_behind_a_circle_of_links_is_refused() {
        let (_dir, bundle) = bundle(json!([volume("/loop/x")]));
        let error = Places::of(&bundle).err().expect("a circle");
        let said = format!("{error:#}");
        assert!(said.contains("/loop/x") && said.contains("too many links"), "{said}");
    }
}
