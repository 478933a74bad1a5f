//! Settings by band, as they are typed: `5s`, or `interactive=5s,batch=1h`.

use smoother_core::Priority;
use std::str::FromStr;

/// One value for all bands, or some bands' own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerBand<T>([Option<T>; 3]);

impl<T> Default for PerBand<T> {
    fn default() -> Self {
        Self([None, None, None])
    }
}

impl<T: Copy> PerBand<T> {
    /// The same for every band.
    pub const fn all(value: T) -> Self {
        Self([Some(value); 3])
    }

    /// One band's.
    pub const fn of(&self, priority: Priority) -> Option<T> {
        self.0[priority.index()]
    }

    /// Whether no band has any.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Reads `VALUE`, or `BAND=VALUE,…`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, value: impl Fn(&str) -> Result<T, String>) -> Result<Self, String> {
        if !text.contains('=') {
            return value(text).map(Self::all);
        }
        let mut found = Self::default();
        for part in text.split(',') {
            let (band, amount) = part
                .split_once('=')
                .ok_or_else(|| format!("{part:?} names no band; give interactive=…, normal=… or batch=…"))?;
            let band = band_of(band)?;
            if found.0[band.index()].replace(value(amount.trim())?).is_some() {
                return Err(format!("{band} is named twice"));
            }
        }
        Ok(found)
    }

    /// As a sentence has it: `interactive 5, batch 60`.
    pub(crate) fn shown(&self, show: impl Fn(T) -> String) -> String {
        let parts = Priority::ALL.into_iter().filter_map(|band| {
            let value = self.of(band)?;
            Some(format!("{band} {}", show(value)))
        });
        parts.collect::<Vec<_>>().join(", ")
    }
}

fn band_of(text: &str) -> Result<Priority, String> {
    Priority::parse(text.trim())
        .ok_or_else(|| format!("{text:?} is no priority; allowed are interactive, normal and batch"))
}

/// How requests without a priority are shared out: parts, not percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BandShares(pub(crate) PerBand<u32>);

impl Default for BandShares {
    /// All of them normal, as in the server.
    fn default() -> Self {
        Self(PerBand([None, Some(1), None]))
    }
}

impl BandShares {
    pub(crate) fn total(&self) -> u32 {
        let parts = Priority::ALL.into_iter().filter_map(|band| self.0.of(band));
        parts.fold(0, u32::saturating_add)
    }
}

impl FromStr for BandShares {
    type Err = String;

    /// `interactive=20,batch=80`, or a single band's name.
    fn from_str(text: &str) -> Result<Self, String> {
        let shares = match Priority::parse(text) {
            Some(band) => {
                let mut only = PerBand::default();
                only.0[band.index()] = Some(1);
                Self(only)
            }
            None if !text.contains('=') => {
                return Err("give one priority, or shares such as interactive=20,batch=80".to_owned());
            }
            None => Self(PerBand::parse(text, |part| {
                part.parse()
                    .map_err(|_| format!("{part:?} is no whole number of parts"))
            })?),
        };
        if shares.total() == 0 {
            return Err("every share is 0; give at least one band some".to_owned());
        }
        Ok(shares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Result<u64, String> {
        text.parse().map_err(|_| format!("{text:?} is no number"))
    }

    #[test]
    fn one_value_is_for_all_and_named_ones_for_theirs() {
        let all = PerBand::parse("7", number).unwrap();
        assert_eq!(all.of(Priority::Batch), Some(7));
        let some = PerBand::parse("interactive=1, batch=3", number).unwrap();
        assert_eq!(Priority::ALL.map(|band| some.of(band)), [Some(1), None, Some(3)]);
        assert_eq!(some.shown(|n| n.to_string()), "interactive 1, batch 3");
    }

    #[test]
    fn mistakes_are_named() {
        for (text, names) in [
            ("x", "no number"),
            ("urgent=1", "interactive, normal and batch"),
            ("batch=1,2", "names no band"),
            ("batch=1,batch=2", "twice"),
        ] {
            let said = PerBand::parse(text, number).unwrap_err();
            assert!(said.contains(names), "{text}: {said}");
        }
        for text in ["interactive=0,batch=0", "30", "batch=x"] {
            assert!(text.parse::<BandShares>().is_err(), "{text}");
        }
        assert_eq!("batch".parse::<BandShares>().unwrap().total(), 1);
    }
}
