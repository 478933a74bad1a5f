//! Installs what a target needs into the benchmark's own folder, `bench/installed`, which git ignores.

use std::path::Path;

use anyhow::{Context, bail};
use tokio::process::Command;

use super::Bench;

/// Written last, with what was installed: an interrupted or outdated install is made again.
const STAMP: &str = ".installed";

impl Bench {
    /// Makes sure that the packages of a target are there; installs them if `self.may_install`.
    ///
    /// # Errors
    /// They are not there and may not or cannot be installed.
    pub async fn install(&self, target: &str) -> anyhow::Result<()> {
        let Some(install) = self.target(target)?.install else {
            return Ok(());
        };
        let folder = self.root.join("bench/installed").join(&install.folder);
        let wanted = format!("{:?} {:?}", install.pip, install.npm);
        let stamp = folder.join(STAMP);
        if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
            return Ok(());
        }
        if !self.may_install {
            let packages = [install.pip, install.npm].concat().join(", ");
            bail!("{packages} is not installed; run with --install");
        }
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        if !install.pip.is_empty() {
            self.pip(&folder, &install.pip).await?;
        }
        if !install.npm.is_empty() {
            npm(&folder, &install.npm).await?;
        }
        Ok(std::fs::write(stamp, wanted)?)
    }

    async fn pip(&self, folder: &Path, packages: &[String]) -> anyhow::Result<()> {
        let list = folder.join("requirements.txt");
        std::fs::write(&list, packages.join("\n"))?;
        let mut make = Command::new(self.root.join("tests/clients/make-venv"));
        make.arg(&list).arg(folder.join("venv"));
        done(make, "Python 3.11 or newer with venv (PYTHON=/path/to/python3)").await
    }
}

/// Scripts of packages are not run: nobody has read them.
async fn npm(folder: &Path, packages: &[String]) -> anyhow::Result<()> {
    let mut install = Command::new("npm");
    install
        .args([
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--loglevel=error",
        ])
        .arg("--prefix")
        .arg(folder)
        .args(packages);
    done(install, "Node.js 20 or newer with npm").await
}

async fn done(mut command: Command, needs: &str) -> anyhow::Result<()> {
    let output = command
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot be installed; missing: {needs}"))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = told.lines().rev().take(3).collect();
        bail!("cannot be installed; it needs {needs}: {}", last.join(" / "));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_target_that_is_not_installed_says_so_unless_its_packages_are_the_ones_there() {
        let root = std::env::temp_dir().join(format!("smoother-bench-install-{}", std::process::id()));
        std::fs::create_dir_all(root.join("bench/targets")).unwrap();
        let target = |packages: &str| {
            let text = format!("title = \"t\"\n[install]\nfolder = \"mine\"\nnpm = [\"{packages}\"]\n");
            std::fs::write(root.join("bench/targets/mine.toml"), text).unwrap();
        };
        let bench = Bench::new(&root, false, None).unwrap();
        target("gateway@1.2.3");
        let refused = bench.install("mine").await.unwrap_err().to_string();
        assert_eq!(refused, "gateway@1.2.3 is not installed; run with --install");

        let folder = root.join("bench/installed/mine");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(STAMP), "[] [\"gateway@1.2.3\"]").unwrap();
        bench.install("mine").await.unwrap();
        target("gateway@1.2.4");
        assert!(bench.install("mine").await.is_err(), "another version is there");
        std::fs::remove_dir_all(root).unwrap();
    }
}
