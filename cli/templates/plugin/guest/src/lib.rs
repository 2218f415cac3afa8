//! The plugin: counts words in a file that it maps.

use iommap_guest::{Mapping, Reader};
use std::io::{self, BufRead};

wit_bindgen::generate!({ path: "../wit" });

struct Plugin;

export!(Plugin);

impl Guest for Plugin {
    fn count(path: String, word: String) -> Result<u64, String> {
        // The error has its words and the path: "cannot open /data/x: no such file".
        count(&path, &word).map_err(|error| error.to_string())
    }
}

fn count(path: &str, word: &str) -> io::Result<u64> {
    let mut count = 0;
    for line in Reader::new(Mapping::open(path)?).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        count += line.split_whitespace().filter(|other| *other == word).count() as u64;
    }
    Ok(count)
}
