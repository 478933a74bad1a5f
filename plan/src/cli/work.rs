//! The workload that the flags name.

use super::{PlanArgs, PlanError};
use crate::workload::{Assign, Row, Workload};
use crate::{Mix, rows_of};

impl PlanArgs {
    pub(super) fn workload(&self, content: &[u8]) -> Result<Workload, PlanError> {
        let input = |error: String| PlanError::Input(error);
        let name = self
            .source()
            .map_or_else(|| "streams".to_owned(), |path| path.display().to_string());
        let (rows, drawn) = match (&self.trace, &self.mix) {
            (Some(_), _) => (
                rows_of(&name, content).map_err(|error| input(error.to_string()))?,
                false,
            ),
            (None, Some(_)) => {
                let text = std::str::from_utf8(content)
                    .map_err(|error| input(format!("{name}: it is no UTF-8 text: {error}")))?;
                (self.drawn(Mix::parse(&name, text)).map_err(input)?, true)
            }
            (None, None) => {
                let streams = self
                    .streams
                    .iter()
                    .map(|text| Mix::parse_stream(text))
                    .collect::<Result<_, _>>();
                let mix = streams.map(|streams| Mix {
                    minutes: self.minutes,
                    streams,
                });
                (self.drawn(mix).map_err(PlanError::Usage)?, true)
            }
        };
        let assign = Assign {
            seed: self.seed,
            priorities: self.priorities,
            tenants: self.tenants,
            max_tokens: self.max_tokens.unwrap_or_default(),
            timeout: self.timeout.unwrap_or_default(),
        };
        let mut workload = assign.to(name, rows).map_err(|error| input(error.to_string()))?;
        if drawn {
            workload
                .notes
                .insert(0, format!("times and sizes are drawn with seed {}", self.seed));
        }
        Ok(workload)
    }

    fn drawn(&self, mix: Result<Mix, crate::MixError>) -> Result<Vec<Row>, String> {
        mix.and_then(|mix| mix.rows(self.seed))
            .map_err(|error| error.to_string())
    }
}
