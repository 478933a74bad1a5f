//! What breaks, and when.
//!
//! A rule is a line: `FAULT OPERATIONS FILES [skip=N] [times=N] [seed=N]`, lists with commas. The first rule that
//! fits an operation and is not used up breaks it.
//!
//! | fault | |
//! |---|---|
//! | `eio`, `enospc` | the call fails, and does nothing |
//! | `short` | a write takes only half of its bytes, and says so |
//! | `flip` | a bit is flipped in what is written, or in what was read |
//! | `drop` | a sync says it is done and is not |
//!
//! Operations: `open` (of what is there), `create`, `read`, `write`, `sync`, `truncate`, `rename`, `unlink`, `link`,
//! `mkdir`, or `any`. Files: `db`, `wal`, `journal`, `mark`, `lock`, `payload`, `dir`, `other`, or `any`.
//! `skip` lets so many fitting operations pass first, `times` breaks no more than so many. `seed` chooses the bit.

use crate::place::Place;

/// What happens to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Fails(i32),
    Short,
    /// Flips a bit chosen by this number.
    Flip(u64),
    Drop,
}

/// What a program does with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Open,
    Create,
    Read,
    Write,
    Sync,
    Truncate,
    Rename,
    Unlink,
    Link,
    Mkdir,
}

impl Operation {
    pub const ALL: [(&str, Self); 10] = [
        ("open", Self::Open),
        ("create", Self::Create),
        ("read", Self::Read),
        ("write", Self::Write),
        ("sync", Self::Sync),
        ("truncate", Self::Truncate),
        ("rename", Self::Rename),
        ("unlink", Self::Unlink),
        ("link", Self::Link),
        ("mkdir", Self::Mkdir),
    ];

    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, operation)| *operation == self);
        found.map_or("", |(name, _)| name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    fault: Fault,
    operations: Vec<Operation>,
    places: Vec<Place>,
    skip: u64,
    times: u64,
}

/// The rules in force, and how often each has been met.
#[derive(Debug, Default)]
pub struct Rules {
    text: Vec<u8>,
    rules: Vec<Rule>,
}

impl Rules {
    /// Takes the rules of `text`. The same text again changes nothing, so counts go on.
    ///
    /// # Errors
    /// The line that is no rule.
    pub fn take(&mut self, text: &[u8]) -> Result<(), String> {
        if text == self.text {
            return Ok(());
        }
        let lines = String::from_utf8_lossy(text);
        let lines = lines.lines().map(str::trim);
        let rules = lines.filter(|line| !line.is_empty()).map(parse);
        self.rules = rules.collect::<Result<_, _>>()?;
        text.clone_into(&mut self.text);
        Ok(())
    }

    /// What becomes of this operation.
    pub fn meet(&mut self, operation: Operation, place: Place) -> Option<Fault> {
        let fits = |rule: &Rule| rule.operations.contains(&operation) && rule.places.contains(&place);
        for rule in self.rules.iter_mut().filter(|rule| fits(rule)) {
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if rule.times > 0 {
                rule.times -= 1;
                return Some(match rule.fault {
                    Fault::Flip(seed) => Fault::Flip(mixed(seed.wrapping_add(rule.times))),
                    fault => fault,
                });
            }
        }
        None
    }
}

fn parse(line: &str) -> Result<Rule, String> {
    let wrong = || format!("no rule: {line:?}");
    let mut words = line.split_ascii_whitespace();
    let (fault, operations, places) = match (words.next(), words.next(), words.next()) {
        (Some(fault), Some(operations), Some(places)) => (fault, operations, places),
        _ => return Err(wrong()),
    };
    let mut rule = Rule {
        fault: match fault {
            "eio" => Fault::Fails(libc::EIO),
            "enospc" => Fault::Fails(libc::ENOSPC),
            "short" => Fault::Short,
            "flip" => Fault::Flip(0),
            "drop" => Fault::Drop,
            _ => return Err(wrong()),
        },
        operations: named(operations, &Operation::ALL).ok_or_else(wrong)?,
        places: named(places, &Place::ALL).ok_or_else(wrong)?,
        skip: 0,
        times: u64::MAX,
    };
    for word in words {
        let (name, number) = word.split_once('=').ok_or_else(wrong)?;
        let number = number.parse().map_err(|_| wrong())?;
        match (name, &mut rule.fault) {
            ("skip", _) => rule.skip = number,
            ("times", _) => rule.times = number,
            ("seed", Fault::Flip(seed)) => *seed = number,
            _ => return Err(wrong()),
        }
    }
    Ok(rule)
}

/// The values of a list of names.
fn named<T: Copy>(list: &str, all: &[(&str, T)]) -> Option<Vec<T>> {
    if list == "any" {
        return Some(all.iter().map(|(_, value)| *value).collect());
    }
    let find = |word: &str| {
        all.iter()
            .find(|(name, _)| *name == word)
            .map(|(_, value)| *value)
    };
    list.split(',').map(find).collect()
}

/// `SplitMix64`'s mixer (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_breaks_what_it_names_and_as_often() {
        let mut rules = Rules::default();
        rules
            .take(b"eio sync wal,db skip=1 times=2\nenospc any payload\n")
            .unwrap();
        let mut meet = |place| rules.meet(Operation::Sync, place);
        assert_eq!(meet(Place::Mark), None);
        assert_eq!(meet(Place::Wal), None);
        assert_eq!(meet(Place::Db), Some(Fault::Fails(libc::EIO)));
        assert_eq!(meet(Place::Wal), Some(Fault::Fails(libc::EIO)));
        assert_eq!(meet(Place::Wal), None);
        for _ in 0..3 {
            assert_eq!(meet(Place::Payload), Some(Fault::Fails(libc::ENOSPC)));
        }
        assert_eq!(rules.meet(Operation::Write, Place::Wal), None);
    }

    #[test]
    fn the_same_rules_again_go_on_counting_and_others_begin() {
        let mut rules = Rules::default();
        for (text, met) in [
            ("drop sync dir times=1", true),
            ("drop sync dir times=1", false),
            ("", false),
        ] {
            rules.take(text.as_bytes()).unwrap();
            assert_eq!(rules.meet(Operation::Sync, Place::Dir).is_some(), met, "{text}");
        }
        rules.take(b"drop sync dir times=1").unwrap();
        assert_eq!(rules.meet(Operation::Sync, Place::Dir), Some(Fault::Drop));
    }

    #[test]
    fn a_flip_takes_another_bit_each_time() {
        let mut rules = Rules::default();
        rules.take(b"flip read db seed=7").unwrap();
        let one = rules.meet(Operation::Read, Place::Db);
        assert!(matches!(one, Some(Fault::Flip(_))));
        assert_ne!(one, rules.meet(Operation::Read, Place::Db));
    }

    #[test]
    fn what_is_no_rule_is_said() {
        for line in [
            "eio",
            "eio sync",
            "burn sync wal",
            "eio sink wal",
            "eio sync wall",
            "eio sync wal times",
            "eio sync wal times=x",
            "eio sync wal seed=1",
        ] {
            let said = Rules::default().take(line.as_bytes()).unwrap_err();
            assert!(said.contains(line), "{said}");
        }
    }
}
