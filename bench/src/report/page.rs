//! The report as files: a page, and beside it a folder of the same name with each workload's figures, as JSON, and its
//! pictures. The page can be made anew from the figures alone.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::section::Section;

/// Begins the paragraph that an older report has of its machine.
const MACHINE: &str = "Machine: ";

/// Where a report lies.
#[derive(Debug)]
pub struct Report {
    page: PathBuf,
    folder: PathBuf,
}

/// What is known of a workload.
#[derive(Debug)]
pub enum Kept {
    /// Its figures.
    Figures(Box<Section>),
    /// Not its figures, but maybe what the page says under this title.
    Text {
        /// The title.
        title: String,
    },
}

impl Report {
    /// Of this page.
    ///
    /// # Errors
    /// Its folder cannot be made.
    pub fn at(page: PathBuf) -> anyhow::Result<Self> {
        let folder = page.with_extension("");
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(Self { page, folder })
    }

    /// The page.
    pub fn page(&self) -> &Path {
        &self.page
    }

    /// The figures that are kept of a workload; none where there are none.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn section(&self, name: &str) -> anyhow::Result<Option<Section>> {
        let file = self.file(name);
        if !file.exists() {
            return Ok(None);
        }
        let text = std::fs::read(&file).with_context(|| file.display().to_string())?;
        let section = serde_json::from_slice(&text);
        Ok(Some(section.with_context(|| {
            format!(
                "{} holds no figures that this version reads; measure again without it",
                file.display()
            )
        })?))
    }

    /// Keeps the figures of a workload, in place of what was kept of it.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn keep(&self, section: &Section) -> anyhow::Result<()> {
        let file = self.file(section.name());
        let mut text = serde_json::to_string_pretty(section)?;
        text.push('\n');
        std::fs::write(&file, text).with_context(|| file.display().to_string())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    /// Writes the page and its pictures.
    ///
    /// # Errors
    /// One of them cannot be written.
    pub fn write(&self, kept: &[Kept]) -> anyhow::Result<()> {
        let pictures = self
            .folder
            .file_name()
            .and_then(|name| name.to_str())
            .context("the report needs a name")?;
        // There may be no page yet.
        let before = std::fs::read_to_string(&self.page).unwrap_or_default();
        for each in kept {
            if let Kept::Figures(section) = each {
                for (file, picture) in section.pictures() {
                    std::fs::write(self.folder.join(file), picture)?;
                }
            }
        }
        std::fs::write(&self.page, page(kept, pictures, &before))
            .with_context(|| self.page.display().to_string())
    }
}

/// The whole page; its pictures lie in the folder `pictures` beside it. What has no figures stays as it was `before`.
fn page(kept: &[Kept], pictures: &str, before: &str) -> String {
    let mut machine = None;
    let mut sections = String::new();
    for each in kept {
        match each {
            Kept::Figures(section) => {
                sections.push('\n');
                sections += &section.markdown(pictures);
            }
            Kept::Text { title } => {
                if let Some(text) = under(before, title) {
                    machine = before.lines().find(|line| line.starts_with(MACHINE));
                    sections.push('\n');
                    sections += text;
                }
            }
        }
    }
    let mut text = "# Benchmarks\n\n\
         Written by `make bench` (`make bench QUICK=1` for a short run); do not edit. Workloads are \
         `bench/workloads/*.toml`, targets `bench/targets/*.toml`: [how to add one](../bench/README.md). The figures \
         lie as JSON beside the pictures.\n\n\
         Client processes, the targets and the simulator share a machine's cores: in the closed loop they \
         take them from each other, so a machine of its own for each would show higher rates. Where syncs are told, \
         they are writes of 4 KB with fdatasync: what one durable commit must wait for. The simulator stands for \
         Bedrock; nothing here was measured against Bedrock itself.\n"
        .to_owned();
    if let Some(machine) = machine {
        text += &format!("\n{machine}\n");
    }
    text + &sections
}

/// A page's section of this title, from its heading to before the next, without the empty lines at its end.
fn under<'a>(page: &'a str, title: &str) -> Option<&'a str> {
    let heading = format!("\n## {title}\n");
    let begin = page.find(&heading)? + 1;
    let section = &page[begin..];
    let end = section.find("\n## ").unwrap_or(section.len());
    let section = section[..end].trim_end_matches('\n');
    // The line's end belongs to it.
    Some(&page[begin..(begin + section.len() + 1).min(page.len())])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::section::testing::section;
    use super::*;

    const BEFORE: &str = "# Benchmarks\n\nMachine: an old one.\n\n## Bursts\n\nAs it was.\n\n2020-01-01\n\n\
                          ## Bursts of another kind\n\nNot asked for.\n";

    #[test]
    fn a_section_without_figures_stays_as_it_was() {
        let kept = [
            Kept::Text {
                title: "Bursts".to_owned(),
            },
            Kept::Figures(Box::new(section("traces", "Traces", &["a"]))),
        ];
        let first = page(&kept, "benchmarks", BEFORE);
        assert!(first.contains("\nMachine: an old one.\n"));
        assert!(first.contains("\n## Bursts\n\nAs it was.\n\n2020-01-01\n\n## Traces\n"));
        assert!(!first.contains("another kind"));
        assert_eq!(page(&kept, "benchmarks", &first), first, "written again");
    }

    #[test]
    fn figures_that_are_kept_make_the_page_anew() {
        let folder = std::env::temp_dir().join(format!("smoother-bench-page-{}", std::process::id()));
        let report = Report::at(folder.join("figures.md")).unwrap();
        report.keep(&section("traces", "Traces", &["a"])).unwrap();
        assert!(report.section("bursts").unwrap().is_none());
        let kept = report.section("traces").unwrap().unwrap();
        report.write(&[Kept::Figures(Box::new(kept))]).unwrap();
        let page = std::fs::read_to_string(report.page()).unwrap();
        assert!(page.contains("\n## Traces\n") && page.contains("figures/traces.svg"));
        assert!(folder.join("figures/traces.svg").is_file());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
