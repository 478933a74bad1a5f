//! Which function this process is.

use anyhow::bail;

/// What a function does; its handler has the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Input,
    Http,
    Ws,
    Prioritizer,
    Worker,
    Results,
}

impl Role {
    const ALL: [(&'static str, Self); 6] = [
        ("input", Self::Input),
        ("http", Self::Http),
        ("ws", Self::Ws),
        ("prioritizer", Self::Prioritizer),
        ("worker", Self::Worker),
        ("results", Self::Results),
    ];

    /// The role with the handler's name.
    pub(crate) fn parse(handler: Option<&str>) -> anyhow::Result<Self> {
        let known = Self::ALL.map(|(name, _)| name).join(", ");
        let Some(handler) = handler.filter(|handler| !handler.is_empty()) else {
            bail!(
                "_HANDLER is missing: this binary runs as a Lambda function whose handler is one of {known}"
            );
        };
        match Self::ALL.iter().find(|(name, _)| *name == handler) {
            Some((_, role)) => Ok(*role),
            None => bail!("the handler is {handler:?}; it must be one of {known}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_names_its_role() {
        for (name, role) in Role::ALL {
            assert_eq!(Role::parse(Some(name)).unwrap(), role);
        }
        for (handler, words) in [
            (None, "_HANDLER"),
            (Some(""), "_HANDLER"),
            (Some("main"), "\"main\""),
        ] {
            let said = Role::parse(handler).unwrap_err().to_string();
            assert!(said.contains(words) && said.contains("prioritizer"), "{said}");
        }
    }
}
