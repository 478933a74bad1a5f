//! Whose a message is.

use super::{Arriving, form};
use crate::refusal::Refusal;
use smoother_core::{TenantId, quoted};
use std::collections::BTreeMap;

/// By what the tenant of a message is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Senders {
    /// The tenant of each sender that the queue proves. A role's sender is `ID:session`; the id alone serves, too.
    pub tenants: BTreeMap<String, TenantId>,
    /// Whether the message's own word is believed.
    pub trust_attribute: bool,
}

impl Senders {
    /// The tenant of a message. Where nobody is named, all messages are the tenant `default`'s.
    pub(super) fn tenant(&self, message: &Arriving) -> Result<TenantId, Refusal> {
        let said = message.attributes.get(form::TENANT);
        let said = said
            .map(|name| TenantId::new(name))
            .transpose()
            .map_err(|error| Refusal::invalid(format!("The attribute {}: {error}", form::TENANT)))?;
        if let Some(tenant) = said.as_ref().filter(|_| self.trust_attribute) {
            return Ok(tenant.clone());
        }
        let proved = match self.proved(message.sender.as_deref()) {
            Some(tenant) => tenant.clone(),
            None if self.tenants.is_empty() => TenantId::default(),
            None => {
                let sender = quoted(message.sender.as_deref().unwrap_or("nobody"));
                return Err(Refusal::invalid(format!(
                    "The sender {sender:?} belongs to no tenant; name it in the deployment's senders."
                )));
            }
        };
        match said {
            Some(said) if said != proved => Err(Refusal::invalid(format!(
                "The attribute {} says {said}, but the message is {proved}'s by its sender, and the attribute is not \
                 believed; leave it out, or have the deployment trust it.",
                form::TENANT
            ))),
            _ => Ok(proved),
        }
    }

    fn proved(&self, sender: Option<&str>) -> Option<&TenantId> {
        let sender = sender?;
        let role = sender.split(':').next().unwrap_or(sender);
        self.tenants.get(sender).or_else(|| self.tenants.get(role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sender: Option<&str>, tenant: Option<&str>) -> Arriving {
        let attribute = tenant.map(|name| (form::TENANT.to_owned(), name.to_owned()));
        Arriving {
            id: "m1".to_owned(),
            body: String::new(),
            attributes: attribute.into_iter().collect(),
            sender: sender.map(str::to_owned),
        }
    }

    fn senders(trust_attribute: bool) -> Senders {
        Senders {
            tenants: [("AROA1".to_owned(), TenantId::new("acme").unwrap())].into(),
            trust_attribute,
        }
    }

    fn found(senders: &Senders, sender: Option<&str>, tenant: Option<&str>) -> Result<String, String> {
        let found = senders.tenant(&message(sender, tenant));
        found.map(|t| t.to_string()).map_err(|r| r.to_string())
    }

    #[test]
    fn the_sender_says_whose_it_is() {
        let senders = senders(false);
        assert_eq!(found(&senders, Some("AROA1:session-7"), None).unwrap(), "acme");
        assert_eq!(found(&senders, Some("AROA1"), Some("acme")).unwrap(), "acme");
        assert_eq!(found(&Senders::default(), None, None).unwrap(), "default");
        assert!(
            found(&senders, Some("AROA2:x"), None)
                .unwrap_err()
                .contains("AROA2:x")
        );
        assert!(found(&senders, None, None).unwrap_err().contains("nobody"));
    }

    #[test]
    fn the_attribute_counts_only_where_it_is_trusted() {
        let said = found(&senders(false), Some("AROA1"), Some("other")).unwrap_err();
        assert!(said.contains("other") && said.contains("acme"), "{said}");
        assert!(found(&Senders::default(), None, Some("acme")).is_err());
        assert_eq!(
            found(&senders(true), Some("AROA1"), Some("other")).unwrap(),
            "other"
        );
        assert_eq!(found(&senders(true), Some("AROA1"), None).unwrap(), "acme");
        assert!(
            found(&senders(true), None, Some("a/b"))
                .unwrap_err()
                .contains("a/b")
        );
    }
}
