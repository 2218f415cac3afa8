//! Tells the cases in `tests/conformance/cases.txt` to a guest, whatever language it is written
//! in, and compares what it answers.
//!
//! Between the commands, lines that begin with `$` say what the host does. DATA is as in commands,
//! or `pattern:LENGTH` for [`pattern`]'s bytes.
//!
//! ```text
//! $ grant read-only|nothing|DIRECTORY    before the first command: instead of the case's own
//!                                        directory for reading and writing
//! $ limit NAME N                         before the first command
//! $ file NAME DATA      makes a file     $ cut NAME LENGTH     cuts or lengthens it
//! $ sparse NAME LENGTH  with a hole      $ remove NAME         $ rename NAME NAME
//! $ directory NAME                       $ link NAME TARGET
//! $ modified NAME SECONDS  since 1970, when it was last modified
//! $ descriptors none|again               whether the host may open files
//! $ file-size N|again                    how long the host may make files
//! $ holds NAME DATA     what is in it    $ absent NAME         that there is none
//! $ length NAME N       how long it is     $ names NAME...       what is in the directory
//! $ counted WHAT N      that the store counts so many `mappings`, `refused` calls, and so on
//! ```

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use iommap::{FsPerms, IommapCtx, IommapCtxBuilder, Limits};
use iommap_commands::{Bad, Words};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::scene::{DATA, Driver, Guest, Scene, pattern, shown};

/// The cases.
pub const CASES: &str = include_str!("../conformance/cases.txt");

/// What came of the cases.
#[derive(Debug, Default)]
pub struct Verdict {
    /// How many there are.
    pub cases: usize,
    /// How many answers were compared.
    pub answers: usize,
    /// Each answer, and each thing found on the host's side, that was not as expected.
    pub differences: Vec<String>,
}

/// Tells all cases to a driver.
pub fn conform(driver: &Driver) -> Verdict {
    let mut verdict = Verdict::default();
    for case in CASES.split("\n== ").skip(1) {
        verdict.cases += 1;
        Case::new(driver, case, &mut verdict).play(case);
    }
    verdict
}

/// A case that is being told.
struct Case<'a> {
    name: &'a str,
    scene: Scene,
    driver: &'a Driver,
    /// What the store will be given.
    context: IommapCtxBuilder,
    limits: Limits,
    /// From the first command on.
    guest: Option<Guest>,
    verdict: &'a mut Verdict,
}

impl<'a> Case<'a> {
    fn new(driver: &'a Driver, case: &'a str, verdict: &'a mut Verdict) -> Case<'a> {
        let scene = Scene::new(driver.kind());
        let context = scene.grant();
        let name = case.lines().next().unwrap_or_default();
        Case { name, scene, driver, context, limits: Limits::default(), guest: None, verdict }
    }

    fn play(mut self, case: &str) {
        for line in case.lines().skip(1).map(str::trim) {
            match line.split_once(' ') {
                Some(("$", deed)) => self.host(deed),
                _ if line.is_empty() || line.starts_with('#') => {}
                _ => self.guest(line),
            }
        }
    }

    fn guest(&mut self, line: &str) {
        let (command, expected) = line.split_once("->").expect("an answer is expected");
        let (command, expected) = (command.trim(), self.expected(expected.trim()));
        let (scene, driver) = (&self.scene, self.driver);
        let context = self.context.limits(self.limits.clone());
        let guest = self.guest.get_or_insert_with(|| scene.guest_of(driver, context));
        let answer = match guest.try_step(command) {
            Ok(answer) => answer,
            Err(trap) => format!("a trap: {trap:#}"),
        };
        // Why a command makes no sense, each says in its own words.
        let same = answer == expected || (expected == "bad" && answer.starts_with("bad "));
        self.verdict.answers += 1;
        self.check(same, || format!("{command}: expected `{expected}`, answered `{answer}`"));
    }

    /// An expected answer, with what is in a file where it says so.
    fn expected(&self, text: &str) -> String {
        let Some(of) = text.strip_prefix("ok bytes ") else { return text.to_owned() };
        let words = words(of);
        let [name, offset, length] = &words[..] else { panic!("{text}") };
        let (offset, length) = (number(offset) as usize, number(length) as usize);
        let content = self.scene.read(name);
        match content.get(offset..offset + length) {
            Some(bytes) => format!("ok {}", shown(bytes)),
            None => format!("ok, but {name} has only {} bytes", content.len()),
        }
    }

    fn host(&mut self, deed: &str) {
        let words = words(deed);
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["grant", "read-only"] => self.context = self.scene.grant_as(FsPerms::ReadOnly),
            ["grant", "nothing"] => self.context = IommapCtx::builder(),
            ["grant", directory] => {
                let mut context = IommapCtx::builder();
                context.preopened_dir(directory, DATA, FsPerms::ReadOnly).expect("a grant");
                self.context = context;
            }
            ["limit", name, value] => {
                assert!(self.guest.is_none(), "limits come before the first command");
                let limit = match name {
                    "mappings" => &mut self.limits.mappings,
                    "mapped-bytes" => &mut self.limits.mapped_bytes,
                    "file-bytes" => &mut self.limits.file_bytes,
                    "call-bytes" => &mut self.limits.call_bytes,
                    "locked-bytes" => &mut self.limits.locked_bytes,
                    "locks" => &mut self.limits.locks,
                    "watches" => &mut self.limits.watches,
                    "waiters" => &mut self.limits.waiters,
                    _ => panic!("there is no limit {name}"),
                };
                *limit = number(value);
            }
            ["file", name, data] => self.scene.write(name, bytes(data)),
            ["sparse", name, length] => {
                self.scene.write(name, "");
                self.scene.cut(name, number(length));
            }
            ["cut", name, length] => self.scene.cut(name, number(length)),
            ["remove", name] => fs::remove_file(self.scene.path(name)).expect("a file"),
            ["rename", from, to] => {
                fs::rename(self.scene.path(from), self.scene.path(to)).expect("a file");
            }
            ["modified", name, seconds] => {
                let file = File::options().write(true).open(self.scene.path(name));
                let at = SystemTime::UNIX_EPOCH + Duration::from_secs(number(seconds));
                file.and_then(|file| file.set_modified(at)).expect("a file");
            }
            ["directory", name] => fs::create_dir(self.scene.path(name)).expect("a directory"),
            ["link", name, target] => symlink(target, self.scene.path(name)).expect("a link"),
            ["descriptors", "none"] => limit_process(Resource::Nofile, 0),
            ["descriptors", "again"] => limit_process(Resource::Nofile, u64::MAX),
            ["file-size", "again"] => limit_process(Resource::Fsize, u64::MAX),
            ["file-size", length] => limit_process(Resource::Fsize, number(length)),
            ["holds", name, data] => {
                let (found, expected) = (self.scene.read(name), bytes(data));
                let say = || format!("{name} holds {}", shown(&found));
                self.check(found == expected, say);
            }
            ["absent", name] => {
                let absent = !self.scene.path(name).exists();
                self.check(absent, || format!("{name} exists"));
            }
            ["length", name, length] => {
                let found = fs::metadata(self.scene.path(name)).expect("a file").len();
                self.check(found == number(length), || format!("{name} has {found} bytes"));
            }
            ["names", ref names @ ..] => {
                let found = self.scene.names();
                self.check(found == names, || format!("there are {found:?}"));
            }
            ["counted", what, count] => {
                let guest = self.guest.as_ref().expect("a guest that was told something");
                let counters = guest.counters();
                let found = match what {
                    "mappings" => counters.mappings,
                    "mapped-bytes" => counters.mapped_bytes,
                    "locked-bytes" => counters.locked_bytes,
                    "locks" => counters.locks,
                    "watches" => counters.watches,
                    "waiters" => counters.waiters,
                    "opened" => counters.opened,
                    "reads" => counters.reads,
                    "writes" => counters.writes,
                    "bytes-read" => counters.bytes_read,
                    "bytes-written" => counters.bytes_written,
                    "faults" => counters.faults_recovered,
                    "refused" => counters.refused,
                    _ => panic!("nobody counts {what}"),
                };
                self.check(found == number(count), || format!("{what}: {found}, not {count}"));
            }
            _ => panic!("what is `{deed}`?"),
        }
    }

    fn check(&mut self, good: bool, say: impl FnOnce() -> String) {
        if !good {
            self.verdict.differences.push(format!("{}: {}", self.name, say()));
        }
    }
}

/// The words of a line of the cases.
fn words(line: &str) -> Vec<String> {
    Words::split(line).and_then(Words::texts).unwrap_or_else(|Bad(why)| panic!("{line}: {why}"))
}

fn number(text: &str) -> u64 {
    iommap_commands::number(text).unwrap_or_else(|Bad(why)| panic!("{why}"))
}

fn bytes(text: &str) -> Vec<u8> {
    if let Some(length) = text.strip_prefix("pattern:") {
        return pattern(number(length) as usize);
    }
    iommap_commands::data(text.as_bytes()).unwrap_or_else(|Bad(why)| panic!("{why}"))
}

/// Sets a limit of this process, or lifts it as far as may be.
fn limit_process(resource: Resource, to: u64) {
    // SAFETY: no memory is involved. The signal that comes with a file that gets too long would end
    // us.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let maximum = getrlimit(resource).maximum;
    let current = Some(to.min(maximum.unwrap_or(u64::MAX)));
    setrlimit(resource, Rlimit { current, maximum }).expect("a limit");
}
