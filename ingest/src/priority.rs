//! Which band a request goes into: the caller's word, then what its body hints at, then its tenant's default.

use crate::refusal::Refusal;
use smoother_core::config::TenantConfig;
use smoother_core::{Priority, TenantId, quoted};

/// Reads `text`, the value of `name`, as a priority.
pub(crate) fn parse(name: &str, text: &str) -> Result<Priority, Refusal> {
    Priority::parse(text.trim()).ok_or_else(|| {
        Refusal::invalid(format!(
            "{name} is {:?}; it must be one of interactive, normal, batch.",
            quoted(text)
        ))
    })
}

/// The band of a Bedrock service tier; `reserved` is a way to pay and says nothing about haste.
pub(crate) fn of_tier(tier: &str) -> Option<Priority> {
    match tier {
        "priority" => Some(Priority::Interactive),
        "default" => Some(Priority::Normal),
        "flex" => Some(Priority::Batch),
        _ => None,
    }
}

/// Decides. `asked` was meant for the smoother, so asking for too much is a mistake; a `hint` was meant for
/// Bedrock, and is lowered to what the tenant may have.
pub(crate) fn choose(
    asked: Option<Priority>,
    hint: Option<Priority>,
    tenant: &TenantId,
    settings: &TenantConfig,
) -> Result<Priority, Refusal> {
    let highest = settings.highest_priority;
    // Higher priorities order first.
    match asked {
        Some(asked) if asked < highest => Err(Refusal::PriorityTooHigh {
            asked,
            highest,
            tenant: tenant.clone(),
        }),
        Some(asked) => Ok(asked),
        None => Ok(hint.unwrap_or(settings.default_priority).max(highest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Priority::{Batch, Interactive, Normal};

    fn settings(default_priority: Priority, highest_priority: Priority) -> TenantConfig {
        TenantConfig {
            default_priority,
            highest_priority,
            ..TenantConfig::default()
        }
    }

    #[test]
    fn the_callers_word_goes_before_hints_and_hints_before_the_default() {
        let tenant = TenantId::default();
        let choose = |asked, hint| choose(asked, hint, &tenant, &settings(Batch, Interactive));
        assert_eq!(choose(Some(Normal), Some(Interactive)), Ok(Normal));
        assert_eq!(choose(None, Some(Interactive)), Ok(Interactive));
        assert_eq!(choose(None, None), Ok(Batch));
    }

    #[test]
    fn too_much_is_refused_when_asked_for_and_lowered_when_hinted_at() {
        let tenant = TenantId::default();
        let choose = |asked, hint| choose(asked, hint, &tenant, &settings(Normal, Normal));
        assert_eq!(
            choose(Some(Interactive), None).unwrap_err().reason(),
            "priority-too-high"
        );
        assert_eq!(choose(None, Some(Interactive)), Ok(Normal));
        assert_eq!(choose(Some(Batch), None), Ok(Batch));
    }

    #[test]
    fn unknown_words_are_refused_with_the_known_ones() {
        let said = parse("x-smoother-priority", "urgent").unwrap_err().to_string();
        assert!(
            said.contains("urgent") && said.contains("interactive, normal, batch"),
            "{said}"
        );
        assert_eq!(of_tier("flex"), Some(Batch));
        assert_eq!(of_tier("reserved"), None);
    }
}
