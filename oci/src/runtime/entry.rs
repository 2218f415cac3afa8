//! Which word of a container's command may be a component, and where its file is.

use super::bundle::{Bundle, clean};
use super::look;
use super::place::Places;

/// Programs that only start another one, and pass signals on to it. `docker run --init` puts one
/// before the command.
const INITS: &[&str] =
    &["catatonit", "docker-init", "dumb-init", "init", "podman-init", "tini", "tini-static"];

/// Options of theirs that a value follows.
const WITH_VALUE: &[&str] = &["-e", "-p", "-r"];

/// Of `PATH`, which is the image's, no more directories are looked into.
const MOST_DIRECTORIES: usize = 64;

/// A component that a container's command runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Component {
    /// Which word of the command it is.
    pub(crate) word: usize,
    /// Its file, as the container sees it.
    pub(crate) path: String,
}

/// The component that a container runs, if it is one.
pub(crate) fn find(bundle: &Bundle, places: &Places<'_>) -> Option<Component> {
    let words: Vec<&str> = bundle.texts("/process/args").collect();
    let word = command(&words);
    let paths = candidates(bundle, words.get(word)?);
    // As with programs, the first file of the name counts.
    let found = paths.into_iter().find_map(|path| Some((is_component(places, &path)?, path)));
    found.and_then(|(is, path)| is.then_some(Component { word, path }))
}

/// The word that is the program, behind one that only starts it.
fn command(words: &[&str]) -> usize {
    let name = words.first().and_then(|word| word.rsplit('/').next()).unwrap_or_default();
    if !INITS.contains(&name) {
        return 0;
    }
    let mut at = 1;
    while let Some(word) = words.get(at) {
        match *word {
            "--" => return at + 1,
            word if WITH_VALUE.contains(&word) => at += 2,
            word if word.starts_with('-') => at += 1,
            _ => break,
        }
    }
    at
}

/// Where a program of this name is looked for.
fn candidates(bundle: &Bundle, name: &str) -> Vec<String> {
    if name.contains('/') {
        let cwd = bundle.text("/process/cwd").unwrap_or("/");
        let relative_to = if name.starts_with('/') { "" } else { cwd };
        return vec![clean(&format!("{relative_to}/{name}"))];
    }
    let path =
        bundle.texts("/process/env").rev().find_map(|variable| variable.strip_prefix("PATH="));
    path.unwrap_or_default()
        .split(':')
        .filter(|dir| dir.starts_with('/'))
        .take(MOST_DIRECTORIES)
        .map(|dir| clean(&format!("{dir}/{name}")))
        .collect()
}

/// Is a file a component, in the image or in what is mounted over it?
fn is_component(places: &Places<'_>, path: &str) -> Option<bool> {
    let file = places.file(&places.leads_to(path).ok()?)?;
    look::is_component(file).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::fs;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    /// A bundle whose image has a component, a program, and links.
    fn bundle() -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("rootfs/bin")).unwrap();
        fs::create_dir_all(at("volume")).unwrap();
        fs::write(at("rootfs/bin/app.wasm"), COMPONENT).unwrap();
        fs::write(at("rootfs/bin/sh"), "\x7fELF").unwrap();
        fs::write(at("volume/other.wasm"), COMPONENT).unwrap();
        symlink("/bin/app.wasm", at("rootfs/link")).unwrap();
        dir
    }

    fn found(dir: &TempDir, process: Value, mounts: Value) -> Option<(usize, String)> {
        let config = json!({ "root": { "path": "rootfs" }, "process": process, "mounts": mounts });
        let bundle = Bundle::at(dir.path(), config);
        let component = find(&bundle, &Places::of(&bundle).unwrap())?;
        Some((component.word, component.path))
    }

    fn words(dir: &TempDir, words: &[&str]) -> Option<(usize, String)> {
        let env = ["PATH=/no", "A=b", "PATH=relative:/sbin:/bin"];
        found(dir, json!({ "args": words, "env": env, "cwd": "/bin" }), json!([]))
    }

    #[test]
    fn a_component_is_found_wherever_programs_are() {
        let dir = bundle();
        let app = "/bin/app.wasm".to_owned();
        assert_eq!(words(&dir, &["/bin/app.wasm", "x"]), Some((0, app.clone())));
        assert_eq!(words(&dir, &["./app.wasm"]), Some((0, app.clone())));
        assert_eq!(words(&dir, &["app.wasm"]), Some((0, app.clone())));
        assert_eq!(words(&dir, &["/sbin/../bin//app.wasm"]), Some((0, app)));
        assert_eq!(words(&dir, &["/link"]), Some((0, "/link".to_owned())));
    }

    #[test]
    fn links_lead_to_nothing_outside_of_the_container() {
        let dir = bundle();
        let at = |name: &str| dir.path().join(name);
        // Outside there is such a file: what is at its path in the image counts.
        let outside = tempfile::tempdir().unwrap();
        let app = outside.path().join("app");
        fs::write(&app, COMPONENT).unwrap();
        symlink(&app, at("rootfs/absolute")).unwrap();
        symlink("/proc/self/exe", at("rootfs/magic")).unwrap();
        symlink("../../../../../bin/app.wasm", at("rootfs/bin/up")).unwrap();
        for path in ["/absolute", "/magic"] {
            assert_eq!(words(&dir, &[path]), None, "{path}");
        }
        assert_eq!(words(&dir, &["/bin/up"]), Some((0, "/bin/up".to_owned())));
        let inner = at("rootfs").join(app.strip_prefix("/").unwrap());
        fs::create_dir_all(inner.parent().unwrap()).unwrap();
        fs::write(&inner, "native").unwrap();
        assert_eq!(words(&dir, &["/absolute"]), None);
        fs::write(&inner, COMPONENT).unwrap();
        assert_eq!(words(&dir, &["/absolute"]), Some((0, "/absolute".to_owned())));
    }

    #[test]
    fn links_lead_onto_volumes() {
        let dir = bundle();
        symlink("/v/other.wasm", dir.path().join("rootfs/over")).unwrap();
        let volume = json!([{ "destination": "/v", "type": "bind", "source": "volume" }]);
        let process = json!({ "args": ["/over"] });
        assert_eq!(found(&dir, process.clone(), volume), Some((0, "/over".to_owned())));
        assert_eq!(found(&dir, process, json!([])), None);
    }

    #[test]
    fn programs_and_what_is_missing_are_not_ours() {
        let dir = bundle();
        for command in
            [&["/bin/sh", "/bin/app.wasm"][..], &["none"], &["/none"], &["/bin"], &[""], &[]]
        {
            assert_eq!(words(&dir, command), None, "{command:?}");
        }
        assert_eq!(found(&dir, json!(null), json!(null)), None);
        assert_eq!(found(&dir, json!({ "args": "/bin/app.wasm" }), json!({})), None);
    }

    #[test]
    fn an_init_before_the_component_does_not_hide_it() {
        let dir = bundle();
        let app = "/bin/app.wasm";
        for (command, word) in [
            (&["/sbin/docker-init", "--", app, "--", "x"][..], 2),
            (&["tini", "-g", "-p", "SIGTERM", "--", app], 5),
            (&["/usr/bin/tini", app, "-g"], 1),
            (&["dumb-init", "-r", "15:2", app], 3),
        ] {
            assert_eq!(words(&dir, command), Some((word, app.to_owned())), "{command:?}");
        }
        // Here it is what a program is to work on.
        for command in [&["tini", "--", "/bin/sh", app][..], &["tini", "sh", app], &["tini"]] {
            assert_eq!(words(&dir, command), None, "{command:?}");
        }
    }

    #[test]
    fn what_is_mounted_covers_the_image() {
        let dir = bundle();
        let volume = dir.path().join("volume");
        let file = volume.join("other.wasm");
        let process = |path: &str| json!({ "args": [path] });
        let bind = |at: &str, from: &std::path::Path| json!({ "destination": at, "type": "bind", "source": from });
        let seen = |path, mounts| found(&dir, process(path), mounts).is_some();
        assert!(seen("/v/other.wasm", json!([bind("/v", &volume)])));
        assert!(seen("/app", json!([bind("/app", &file)])));
        assert!(seen(
            "/v/other.wasm",
            json!([{
                "destination": "/v", "type": "bind", "source": "volume"
            }])
        ));
        assert!(!seen("/bin/app.wasm", json!([bind("/bin", &volume)])));
        let tmpfs = json!({ "destination": "/bin", "type": "tmpfs" });
        assert!(!seen("/bin/app.wasm", json!([tmpfs])));
        // The later mount covers the earlier one, though that is deeper.
        assert!(!seen("/bin/app", json!([bind("/bin/app", &file), tmpfs])));
        assert!(seen("/bin/app", json!([tmpfs, bind("/bin/app", &file)])));
    }
}
