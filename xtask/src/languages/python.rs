//! Python: componentize-py, from PyPI.

use super::pypi::{self, PYTHON};
use super::{SetUp, Source, Tools};
use crate::workspace::{output, root};
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LOCK: &str = "guest-example/records/requirements.txt";

pub(super) struct ComponentizePy {
    packages: PathBuf,
}

impl ComponentizePy {
    pub(super) fn get(set_up: SetUp) -> Result<ComponentizePy> {
        Ok(ComponentizePy { packages: pypi::packages("componentize-py", LOCK, set_up)? })
    }
}

impl Tools for ComponentizePy {
    fn build(&self, source: &Source, work: &Path, component: &Path) -> Result<()> {
        let mut python = Command::new(PYTHON);
        python.arg(self.packages.join("bin/componentize-py")).env("PYTHONPATH", &self.packages);
        // This machine's own packages would become part of the guest.
        let no_packages = work.join("environment");
        fs::create_dir_all(no_packages.join("site-packages"))?;
        python.env("VIRTUAL_ENV", no_packages).current_dir(work);
        python.arg("--quiet").arg("--wit-path").arg(source.wit()).args(["--world", source.world]);
        python.args(["componentize", source.main, "--python-path"]).arg(source.path());
        output(python.arg("--output").arg(component)).map(drop)
    }

    fn inputs(&self) -> Vec<PathBuf> {
        vec![root().join(LOCK)]
    }
}
