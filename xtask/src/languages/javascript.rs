//! JavaScript: componentize-js, from npm, on Node.js.

use super::{SetUp, Source, Tools, npm};
use crate::workspace::output;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the lock file, and of the script that calls componentize-js.
const FOLDER: &str = "guest-example/logs";

const SCRIPT: &str = "build.mjs";

pub(super) struct ComponentizeJs {
    dir: PathBuf,
}

impl ComponentizeJs {
    pub(super) fn get(set_up: SetUp) -> Result<ComponentizeJs> {
        let dir = npm::packages("componentize-js", FOLDER, &[SCRIPT], set_up)?;
        Ok(ComponentizeJs { dir })
    }
}

impl Tools for ComponentizeJs {
    fn build(&self, source: &Source, work: &Path, component: &Path) -> Result<()> {
        // The script is the copy beside the packages, or it would not find them.
        let mut node = Command::new(npm::NODE);
        node.arg(self.dir.join(SCRIPT)).arg(source.path().join(source.main));
        node.arg(source.wit()).arg(source.world).arg(component);
        output(node.current_dir(work)).map(drop)
    }

    fn inputs(&self) -> Vec<PathBuf> {
        ["package-lock.json", SCRIPT].map(|file| self.dir.join(file)).into()
    }
}
