//! What rows do not say: drawn from a seed, or set, and told in the report.

use super::{BandShares, Job, PerBand, Row, Workload};
use crate::figures::{grouped, span};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::Zipf;
use smoother_core::{IdError, Millis, Priority, TenantId, Tokens};

/// How what a row does not say is assigned.
#[derive(Debug, Clone, PartialEq)]
pub struct Assign {
    /// Of the generator that draws priorities and tenants.
    pub seed: u64,
    /// Bands of rows that name none.
    pub priorities: BandShares,
    /// Tenants among which rows that name none are shared out, the n-th with 1/n of the first's.
    pub tenants: u32,
    /// max_tokens of rows that name none; without it the model's maximum is reserved.
    pub max_tokens: PerBand<Tokens>,
    /// Timeouts of rows that name none; without it they have no deadline.
    pub timeout: PerBand<Millis>,
}

impl Default for Assign {
    fn default() -> Self {
        Self {
            seed: 1,
            priorities: BandShares::default(),
            tenants: 1,
            max_tokens: PerBand::default(),
            timeout: PerBand::default(),
        }
    }
}

/// Rows in which something was missing.
#[derive(Debug, Default)]
struct Missing {
    priority: usize,
    tenant: usize,
    max_tokens: usize,
    timeout: usize,
}

impl Assign {
    /// The workload of these rows.
    ///
    /// # Errors
    /// Never with fewer than 10^50 tenants: their names are made here.
    pub fn to(&self, name: String, rows: Vec<Row>) -> Result<Workload, IdError> {
        let mut dice = StdRng::seed_from_u64(self.seed);
        let names = self.names()?;
        let zipf = Zipf::new(f64::from(self.tenants.max(1)), 1.0).ok();
        let mut missing = Missing::default();
        let all = rows.len();
        let mut jobs = Vec::with_capacity(all);
        for row in rows {
            let priority = row.priority.unwrap_or_else(|| {
                missing.priority += 1;
                self.draw_band(&mut dice)
            });
            let tenant = row.tenant.unwrap_or_else(|| {
                missing.tenant += 1;
                let rank = zipf
                    .filter(|_| names.len() > 1)
                    .map_or(1.0, |zipf| dice.sample(zipf));
                let place = usize::try_from(crate::round::whole(rank).saturating_sub(1)).unwrap_or(0);
                names.get(place).cloned().unwrap_or_default()
            });
            missing.max_tokens += usize::from(row.max_tokens.is_none());
            missing.timeout += usize::from(row.timeout.is_none());
            let timeout = row.timeout.or_else(|| self.timeout.of(priority));
            jobs.push(Job {
                arrived: row.at,
                tenant,
                priority,
                input: row.input,
                output: row.output,
                max_tokens: row.max_tokens.or_else(|| self.max_tokens.of(priority)),
                deadline: timeout.map(|timeout| row.at + timeout),
            });
        }
        Ok(Workload::new(name, self.notes(&missing, all), jobs))
    }

    /// `default` alone, as on a server without keys, or `tenant-1` and so on.
    fn names(&self) -> Result<Vec<TenantId>, IdError> {
        match self.tenants {
            0 | 1 => Ok(vec![TenantId::default()]),
            many => (1..=many)
                .map(|n| TenantId::new(&format!("tenant-{n}")))
                .collect(),
        }
    }

    fn draw_band(&self, dice: &mut StdRng) -> Priority {
        let shares = self.priorities.0;
        let total = self.priorities.total().max(1);
        let mut left = if shares.of(Priority::Normal) == Some(total) {
            0
        } else {
            dice.random_range(0..total)
        };
        for band in Priority::ALL {
            let share = shares.of(band).unwrap_or(0);
            if left < share {
                return band;
            }
            left -= share;
        }
        Priority::default()
    }

    fn notes(&self, missing: &Missing, all: usize) -> Vec<String> {
        let mut notes = Vec::new();
        let seed = self.seed;
        let mut note = |count: usize, what: &str, how: String| {
            if count > 0 {
                let of = if count == all {
                    "no row".to_owned()
                } else {
                    format!("{count} of {all} rows")
                };
                let verb = if count == all { "names a" } else { "name no" };
                notes.push(format!("{of} {verb} {what}: {how}"));
            }
        };
        let shares = self.priorities.0;
        let only = Priority::ALL
            .into_iter()
            .find(|band| shares.of(*band) == Some(self.priorities.total()));
        note(
            missing.priority,
            "priority",
            match only {
                Some(band) => format!("all are {band}"),
                None => format!(
                    "drawn with seed {seed} by shares, {}",
                    shares.shown(|n| n.to_string())
                ),
            },
        );
        note(
            missing.tenant,
            "tenant",
            match self.tenants {
                0 | 1 => "all are of one tenant".to_owned(),
                many => {
                    format!("drawn with seed {seed} among {many}, the n-th with 1/n of the first's requests")
                }
            },
        );
        note(
            missing.max_tokens,
            "max_tokens",
            set_or(
                &self.max_tokens,
                |n| grouped(n.get()),
                "the model's maximum is reserved",
            ),
        );
        note(
            missing.timeout,
            "timeout",
            set_or(&self.timeout, |n| span(n.get()), "there is no deadline"),
        );
        notes
    }
}

/// What was set, by band, or what holds without.
fn set_or<T: Copy + PartialEq>(set: &PerBand<T>, show: impl Fn(T) -> String, without: &str) -> String {
    let values = Priority::ALL.map(|band| set.of(band));
    match values {
        [None, None, None] => without.to_owned(),
        [Some(all), second, third] if second == Some(all) && third == second => {
            format!("set to {}", show(all))
        }
        _ => {
            let rest = if values.contains(&None) {
                format!("; else {without}")
            } else {
                String::new()
            };
            format!("set to {}{rest}", set.shown(show))
        }
    }
}
