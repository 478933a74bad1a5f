//! The rows of a stream.

use super::{Arrivals, Stream};
use crate::round::whole;
use crate::workload::{ORIGIN, Row};
use rand::Rng;
use rand::rngs::StdRng;
use rand_distr::Exp1;
use smoother_core::{Millis, TenantId};

impl Stream {
    pub(super) fn draw(&self, minutes: f64, dice: &mut StdRng, rows: &mut Vec<Row>) -> Result<(), String> {
        let names = self.names()?;
        for offset in self.offsets(minutes, dice) {
            let tenant = match names.as_slice() {
                [] => None,
                [only] => Some(only.clone()),
                several => several.get(dice.random_range(0..several.len())).cloned(),
            };
            rows.push(Row {
                at: ORIGIN + self.after.unwrap_or(Millis::ZERO) + Millis::new(offset),
                tenant,
                priority: self.priority,
                input: self.input.draw(dice),
                output: self.output.draw(dice),
                max_tokens: self.max_tokens(),
                timeout: self.timeout,
            });
        }
        Ok(())
    }

    /// Milliseconds from the stream's beginning to each arrival.
    fn offsets(&self, minutes: f64, dice: &mut StdRng) -> Vec<u64> {
        let after = self.after.unwrap_or(Millis::ZERO).get() as f64;
        let end = minutes * 60_000.0 - after;
        let mut offsets = Vec::new();
        if let Some(rate) = self.per_minute {
            let mean = 60_000.0 / rate;
            let gap = |dice: &mut StdRng| match self.arrivals {
                Arrivals::Poisson => mean * dice.sample::<f64, _>(Exp1),
                Arrivals::Even => mean,
            };
            let mut at = match self.arrivals {
                Arrivals::Poisson => gap(dice),
                Arrivals::Even => 0.0,
            };
            while at < end {
                offsets.push(whole(at));
                at += gap(dice);
            }
            return offsets;
        }
        let within = self.within.unwrap_or(Millis::ZERO).get();
        let mut begins = 0;
        while (begins as f64) < end {
            let drawn = (0..self.burst.unwrap_or(0)).map(|_| begins + dice.random_range(0..=within));
            offsets.extend(drawn);
            match self.every {
                Some(every) => begins += every.get(),
                None => break,
            }
        }
        offsets
    }

    fn names(&self) -> Result<Vec<TenantId>, String> {
        let many = self.tenants.unwrap_or(1);
        if many <= 1 {
            return Ok(self.tenant.iter().cloned().collect());
        }
        let first = self.tenant.as_ref().map_or("tenant", TenantId::as_str);
        let name = |n| TenantId::new(&format!("{first}-{n}")).map_err(|error| error.to_string());
        (1..=many).map(name).collect()
    }
}
