//! How long answers usually are.
//!
//! Callers ask for far more output than they get (a p99 of 590 tokens under a max_tokens of 40,000 is reported),
//! and at a burndown of 5 the difference decides how much of the quota is reserved for nothing.

use super::average::Average;
use crate::ids::{ModelId, TenantId};
use crate::units::Tokens;
use std::collections::HashMap;

/// Averages are kept in thousandths of a token.
const SCALE: u64 = 1_000;
/// Answers after which a tenant's own average is trusted.
const ENOUGH: u64 = 8;
/// Tenants' averages kept; beyond it the model's own serves new tenants.
const MOST_TENANTS: usize = 16_384;

/// Average output tokens of past answers by model and tenant, apart for each magnitude of `max_tokens`: a caller
/// that allows 256 tokens and one that allows 4,096 want different things even where they are one tenant.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    models: HashMap<(ModelId, u32), Average>,
    tenants: HashMap<(TenantId, ModelId, u32), Average>,
}

/// Requests whose max_tokens have the same number of binary digits are alike.
const fn magnitude(max_output: Tokens) -> u32 {
    u64::BITS - max_output.get().leading_zeros()
}

impl Outputs {
    /// Output tokens to expect of a request; never above `max_output`.
    ///
    /// The tenant's own average, or the model's while the tenant has had fewer than eight answers. Where nothing
    /// was learned, a fifth of `max_output`: at a burndown of 5 the reserve is then what Bedrock deducts itself.
    pub fn expected(&self, model: &ModelId, tenant: &TenantId, max_output: Tokens) -> Tokens {
        let class = magnitude(max_output);
        let own = self.tenants.get(&(tenant.clone(), model.clone(), class));
        let learned = own
            .filter(|average| average.samples() >= ENOUGH)
            .or_else(|| self.models.get(&(model.clone(), class)))
            .and_then(Average::mean);
        let expected = learned.map_or_else(|| max_output.get().div_ceil(5), |mean| mean.div_ceil(SCALE));
        Tokens::new(expected).min(max_output)
    }

    /// Learns from a whole answer of `output` tokens to a request that allowed `max_output`.
    pub fn observe(&mut self, model: &ModelId, tenant: &TenantId, max_output: Tokens, output: Tokens) {
        let sample = output.get().saturating_mul(SCALE);
        let class = magnitude(max_output);
        let average = self.models.entry((model.clone(), class)).or_default();
        *average = average.updated(sample);
        let key = (tenant.clone(), model.clone(), class);
        if self.tenants.len() < MOST_TENANTS || self.tenants.contains_key(&key) {
            let average = self.tenants.entry(key).or_default();
            *average = average.updated(sample);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names() -> (ModelId, TenantId, TenantId) {
        (
            ModelId::new("m").unwrap(),
            TenantId::new("a").unwrap(),
            TenantId::new("b").unwrap(),
        )
    }

    #[test]
    fn a_tenant_is_judged_by_its_own_answers_once_there_are_enough() {
        let (model, a, b) = names();
        let mut outputs = Outputs::default();
        let max = Tokens::new(4_096);
        assert_eq!(outputs.expected(&model, &a, max), Tokens::new(820));
        for _ in 0..7 {
            outputs.observe(&model, &a, max, Tokens::new(300));
        }
        assert_eq!(
            outputs.expected(&model, &b, max),
            Tokens::new(300),
            "the model's average"
        );
        for _ in 0..8 {
            outputs.observe(&model, &b, max, Tokens::new(1_000));
        }
        assert_eq!(outputs.expected(&model, &b, max), Tokens::new(1_000), "its own");
    }

    #[test]
    fn small_and_large_requests_are_learned_apart() {
        let (model, a, _) = names();
        let mut outputs = Outputs::default();
        for _ in 0..20 {
            outputs.observe(&model, &a, Tokens::new(256), Tokens::new(60));
            outputs.observe(&model, &a, Tokens::new(4_096), Tokens::new(300));
        }
        assert_eq!(outputs.expected(&model, &a, Tokens::new(256)), Tokens::new(60));
        assert_eq!(outputs.expected(&model, &a, Tokens::new(4_096)), Tokens::new(300));
    }

    proptest! {
        #[test]
        fn no_more_is_expected_than_is_allowed(
            answers in proptest::collection::vec((any::<u64>(), any::<u64>()), 0..40), max: u64,
        ) {
            let (model, a, _) = names();
            let mut outputs = Outputs::default();
            for (allowed, output) in answers {
                outputs.observe(&model, &a, Tokens::new(allowed), Tokens::new(output));
            }
            prop_assert!(outputs.expected(&model, &a, Tokens::new(max)) <= Tokens::new(max));
        }
    }
}
