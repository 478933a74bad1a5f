//! The environment's variables as settings, over those of the file.

use super::mistake::{Mistake, Source};
use super::settings::{Leads, Path, Setting, Settings, Value, leads, unknown};
use std::collections::BTreeMap;

/// What the names begin with that override a key.
pub(super) const PREFIX: &str = "SMOOTHER__";

/// Puts `SMOOTHER__SECTION__KEY` variables over `settings`. Names count in any case; a lane or tenant of the file
/// is meant by its name in capitals with `_` for the characters that a variable's name cannot hold.
pub(super) fn overlay(
    settings: &mut Settings,
    env: impl IntoIterator<Item = (String, String)>,
) -> Vec<Mistake> {
    // Sorted, so that the same environment gives the same report.
    let ours: BTreeMap<String, String> = env
        .into_iter()
        .filter(|(name, _)| name.to_ascii_uppercase().starts_with(PREFIX))
        .collect();
    let named_by_file: Vec<Path> = settings
        .sections
        .keys()
        .filter(|path| path.len() == 2)
        .cloned()
        .collect();
    let mut mistakes = Vec::new();
    let mut seen: BTreeMap<Path, String> = BTreeMap::new();
    for (name, text) in ours {
        let source = Source::Env(name.clone());
        let path: Path = name[PREFIX.len()..]
            .split("__")
            .map(str::to_ascii_lowercase)
            .collect();
        if leads(&path) != Leads::ToKey {
            mistakes.push(unknown(&path, &source));
            continue;
        }
        let path = match as_in_file(path, &named_by_file) {
            Ok(path) => path,
            Err(ambiguous) => {
                mistakes.push(Mistake::new(&source, "", &ambiguous));
                continue;
            }
        };
        if let Some(other) = seen.insert(path.clone(), name) {
            mistakes.push(Mistake::new(
                &source,
                "",
                &format!("{other} sets the same key; keep one of them"),
            ));
            continue;
        }
        if let [section, key, _] = path.as_slice() {
            let section = vec![section.clone(), key.clone()];
            settings.sections.entry(section).or_insert_with(|| source.clone());
        }
        settings.values.insert(
            path,
            Setting {
                value: Value::Raw(text),
                source,
            },
        );
    }
    mistakes
}

/// The path with the user's name as the file spells it, where the file has that name.
fn as_in_file(mut path: Path, named: &[Path]) -> Result<Path, String> {
    let [section, name, _] = path.as_slice() else {
        return Ok(path);
    };
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '.'], "_");
    let same: Vec<&Path> = named
        .iter()
        .filter(|known| {
            known.first() == Some(section) && known.get(1).is_some_and(|k| plain(k) == plain(name))
        })
        .collect();
    match same.as_slice() {
        [] => Ok(path),
        [one] => {
            if let (Some(name), Some(known)) = (path.get_mut(1), one.get(1)) {
                name.clone_from(known);
            }
            Ok(path)
        }
        more => {
            let names: Vec<String> = more.iter().map(|path| super::settings::dotted(path)).collect();
            Err(format!(
                "may mean any of {}; set it in the file",
                names.join(", ")
            ))
        }
    }
}
