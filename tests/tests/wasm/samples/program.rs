//! A program on our `memmap2` as a guest, and the same program as it runs natively.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use iommap_artifacts::{SLOW, guest, native, unoptimised};
use iommap_tests::Scene;
use iommap_tests::command_line::{iommap_run, said};
use iommap_tests::conversation::Conversation;

/// Windows for what programs map, a real model included.
const WINDOWS: [&str; 5] =
    ["--limit", "windows=16", "--limit", "window-bytes=256M", "--windows-on-changing-files"];

/// A program that takes a file, and then what is asked of it: as arguments, or as lines of its standard
/// input, of which it answers each with a line.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Its workspace.
    pub(crate) folder: &'static str,
}

/// A program as a component and natively.
#[derive(Clone)]
struct Built {
    guest: String,
    native: PathBuf,
}

impl Program {
    /// The guest, with windows, and a directory as its `/data`, of which it reads `file`.
    pub(crate) fn guest(self, dir: &Path, file: &str, args: &[&str]) -> Command {
        self.guest_with(dir, &WINDOWS, file, args)
    }

    fn guest_with(self, dir: &Path, options: &[&str], file: &str, args: &[&str]) -> Command {
        let file = format!("/data/{file}");
        let args = [&[&*file], args].concat();
        iommap_run(dir, options, &self.built().guest, &args)
    }

    fn built(self) -> Built {
        static BUILT: Mutex<BTreeMap<&str, Built>> = Mutex::new(BTreeMap::new());
        let build = || {
            let [guest, native] = if self.folder == SLOW {
                unoptimised(self.folder, self.name)
            } else {
                native(self.folder, self.name).map(|native| [guest(self.name).into(), native])
            }
            .unwrap_or_else(|why| panic!("{why:#}"));
            Built { guest: guest.display().to_string(), native }
        };
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        built.entry(self.name).or_insert_with(build).clone()
    }

    /// The native program, likewise.
    pub(crate) fn native(self, dir: &Path, file: &str, args: &[&str]) -> Command {
        let mut command = Command::new(self.built().native);
        command.stdin(Stdio::null()).arg(dir.join(file)).args(args);
        command
    }

    /// The answers to a file of questions, which the guest and the native program have in common.
    #[track_caller]
    pub(crate) fn answers(self, dir: &Path, file: &str, questions: &Path) -> String {
        let [guest, native] =
            [self.guest(dir, file, &[]), self.native(dir, file, &[])].map(|mut run| {
                let questions = File::open(questions).unwrap();
                said(&run.stdin(questions).output().unwrap())
            });
        assert_eq!((guest.0, &*guest.2), (0, ""), "{}", self.name);
        assert_eq!((native.0, &*native.2), (0, ""), "{}", self.name);
        let wrong = guest.1.lines().zip(native.1.lines()).find(|(guest, native)| guest != native);
        assert_eq!(wrong, None, "{}", self.name);
        assert!(guest.1 == native.1, "{}: one has answered more", self.name);
        native.1
    }

    /// Asks, has the file cut to nothing, and asks again: the second question has no answer, and the
    /// program says why. Nobody has to tell the host that pages may be lost.
    #[track_caller]
    pub(crate) fn cut(self, scene: &Scene, file: &str, questions: [&str; 2], why: &str) {
        let run = self.guest(scene.directory(), file, &[]);
        let mut run = Conversation::start(run);
        let first = run.ask(questions[0]);
        assert!(first.starts_with(&format!("{}\t", questions[0])), "{first}");
        scene.cut(file, 0);
        assert_eq!(run.ask(questions[1]), "");
        let (code, out, err) = run.finish();
        assert_eq!((code, &*out), (1, ""), "{err}");
        assert!(err.contains(why) && err.contains("iommap: lost pages in windows: "), "{err}");
    }

    /// Where this guest may have no windows, or none of any length, and where the host was not told to trust the
    /// file, it can't map, and says what is missing, and only that.
    #[track_caller]
    pub(crate) fn without(self, scene: &Scene, file: &str, question: &str) {
        let no_bytes = [&WINDOWS[..2], &WINDOWS[4..]].concat();
        let (limits, word) = ("--limit windows=N", "--windows-on-changing-files");
        for (options, missing, other) in [
            (&[][..], limits, word),
            (&WINDOWS[4..], limits, word),
            (&no_bytes, limits, word),
            (&WINDOWS[..4], word, limits),
        ] {
            let mut run = self.guest_with(scene.directory(), options, file, &[question]);
            let (code, out, err) = said(&run.output().unwrap());
            assert_eq!((code, &*out), (1, ""), "{err}");
            assert!(err.contains("the host shows no window"), "{options:?}: {err}");
            assert!(err.contains(missing) && !err.contains(other), "{options:?}: {err}");
        }
    }
}
