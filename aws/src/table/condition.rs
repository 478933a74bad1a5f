//! Conditions and changes of single items, as DynamoDB spells them.

use super::item::Item;
use super::keys::Key;
use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::HashMap;

/// An expression with its values. Names in it are written `#name` and stand for themselves.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Expression {
    pub(crate) text: String,
    pub(crate) values: HashMap<String, AttributeValue>,
}

impl Expression {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            values: HashMap::new(),
        }
    }

    /// With a text for `:name`.
    pub(crate) fn text(mut self, name: &str, value: impl Into<String>) -> Self {
        self.values
            .insert(name.to_owned(), AttributeValue::S(value.into()));
        self
    }

    /// With a number for `:name`.
    pub(crate) fn number(mut self, name: &str, value: u64) -> Self {
        self.values
            .insert(name.to_owned(), AttributeValue::N(value.to_string()));
        self
    }
}

/// The names that these expressions use, each for itself; `None` where there are none.
pub(crate) fn names(texts: &[&str]) -> Option<HashMap<String, String>> {
    let mut names = HashMap::new();
    for text in texts {
        for part in text.split('#').skip(1) {
            let end = part
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(part.len());
            names.insert(format!("#{}", &part[..end]), part[..end].to_owned());
        }
    }
    Some(names).filter(|names| !names.is_empty())
}

/// The values of these expressions; `None` where there are none.
pub(crate) fn values(expressions: &[&Expression]) -> Option<HashMap<String, AttributeValue>> {
    let values: HashMap<_, _> = expressions.iter().flat_map(|e| e.values.clone()).collect();
    Some(values).filter(|values| !values.is_empty())
}

/// One write of one item.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Write {
    /// The whole item.
    Put {
        item: Item,
        condition: Option<Expression>,
    },
    /// Some attributes.
    Update {
        key: Key,
        change: Expression,
        condition: Expression,
    },
}

impl Write {
    pub(crate) fn put(item: Item) -> Self {
        Self::Put {
            item,
            condition: None,
        }
    }

    /// Only where the condition holds.
    pub(crate) fn put_if(item: Item, condition: Expression) -> Self {
        Self::Put {
            item,
            condition: Some(condition),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_themselves() {
        let found = names(&[
            "SET #end = :end, #ttl=:t",
            "attribute_not_exists(#end) AND #rev_2 < :r",
        ])
        .unwrap();
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort();
        let expected = ["end", "rev_2", "ttl"].map(|name| (format!("#{name}"), name.to_owned()));
        assert_eq!(found, expected);
        assert_eq!(names(&["REMOVE ttl"]), None);
    }
}
