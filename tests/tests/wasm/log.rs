//! What the host's log says of calls that were refused, and what the guest is told.

use std::io;
use std::sync::{Arc, Mutex};

use iommap_tests::scene::on_each_store;
use tracing_subscriber::fmt::MakeWriter;

/// Where a log goes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;

    fn make_writer(&self) -> Log {
        self.clone()
    }
}

/// The lines of the log of what a story does on this thread.
fn logged(story: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_env_filter("iommap=debug")
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, story);
    let bytes = log.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_log_tells_which_calls_were_refused_and_why() {
    on_each_store(|scene| {
        scene.write("f", vec![7; 10_000]);
        let lines = logged(|| {
            let mut guest = scene.guest_with(scene.grant().name("tenant-7"));
            guest.play(
                "
                open x /data/none read              -> err enoent
                open m /data/f read                 -> ok
                pread m 9999 2                      -> err out-of-bounds
                pwrite m 0 text:abc                 -> err eacces
                sync-range m 9000 2000 sync         -> err out-of-bounds
                pread-many m 0+1,10000+1            -> err out-of-bounds
                wasi-open fd /data read,directory   -> ok
                map x fd read                       -> err enotreg
                ",
            );
            scene.cut("f", 0);
            guest.play("pread m 0 1 -> err sigbus");
            guest.play("close m -> ok");
            guest.play("close m -> err closed");
        });
        let told = [
            &["path=\"/data/none\"", "call=\"open\"", "code=\"enoent\"", "errno=2", "No such file"]
                [..],
            &["call=\"pread\"", "offset: 9999, length: 2", "code=\"out-of-bounds\""],
            &["call=\"pwrite\"", "offset: 0, length: 3", "code=\"eacces\""],
            &["call=\"sync-range\"", "offset: 9000, length: 2000", "code=\"out-of-bounds\""],
            &["call=\"pread-many\"", "2", "code=\"out-of-bounds\""],
            &["path=\"descriptor ", "call=\"map-descriptor\"", "code=\"enotreg\""],
            &["path=\"/data/f\"", "call=\"pread\"", "offset: 0, length: 1", "code=\"sigbus\""],
            &["path=\"/data/f\"", "call=\"close\"", "code=\"closed\""],
        ];
        assert_eq!(lines.len(), told.len(), "{lines:#?}");
        for (line, words) in lines.iter().zip(told) {
            for word in ["refused", "store=\"tenant-7\""].iter().chain(words) {
                assert!(line.contains(word), "{word} in {line}");
            }
        }
    });
}

#[test]
fn the_log_tells_stores_without_a_name_apart() {
    on_each_store(|scene| {
        let lines = logged(|| {
            scene.guest().play("open x /data/none read -> err enoent");
            scene.guest().play("open x /data/none read -> err enoent");
        });
        let store = |line: &str| {
            let (_, rest) = line.split_once("store=\"store-").unwrap();
            rest.split_once('"').unwrap().0.parse::<u64>().unwrap()
        };
        assert!(store(&lines[0]) < store(&lines[1]), "{lines:?}");
    });
}
