//! Whom the commands speak to: a server by its URL, or a deployment on AWS by its name.

use reqwest::Url;
use std::fmt;
use std::str::FromStr;

/// The name that a deployment has by default.
const DEPLOYMENT: &str = "bedrock-smoother";

/// A smoother, wherever it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// At this URL.
    At(Url),
    /// The deployment of this name in the account and Region of the environment.
    Deployment(String),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORMS: &str = "give it as http://127.0.0.1:8080, as https://…, as aws, or as aws:NAME";
        match text.split_once(':') {
            None if text == "aws" => return Ok(Self::Deployment(DEPLOYMENT.to_owned())),
            Some(("aws", name)) if is_name(name) => return Ok(Self::Deployment(name.to_owned())),
            Some(("aws", name)) => return Err(format!("{name:?} is no deployment's name; {FORMS}")),
            _ => {}
        }
        let url = Url::parse(text).map_err(|e| format!("{e}; {FORMS}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(format!("only http and https are spoken; {FORMS}"));
        }
        Ok(Self::At(url))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(url) => write!(f, "{url}"),
            Self::Deployment(name) => write!(f, "aws:{name}"),
        }
    }
}

fn is_name(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// The Region of a Lambda function's URL, `https://ID.lambda-url.REGION.on.aws/`.
pub(super) fn region_of_function(url: &Url) -> Option<&str> {
    // A signature is good for minutes: it goes over no line on which it can be read.
    let host = url.host_str().filter(|_| url.scheme() == "https")?;
    let (_, rest) = host.split_once(".lambda-url.")?;
    rest.strip_suffix(".on.aws")
        .filter(|region| !region.contains('.'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_server_and_aws_is_a_deployment() {
        for (text, shown) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("https://smoother.example", "https://smoother.example/"),
            ("aws", "aws:bedrock-smoother"),
            ("aws:trial-2", "aws:trial-2"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), shown);
        }
        for wrong in ["", "ftp://x", "aws:", "aws:a/b", "localhost", "sns:topic"] {
            let said = wrong.parse::<Target>().unwrap_err();
            assert!(said.contains("aws:NAME"), "{wrong}: {said}");
        }
    }

    #[test]
    fn a_functions_url_names_its_region() {
        let region = |text: &str| region_of_function(&text.parse().unwrap()).map(str::to_owned);
        assert_eq!(
            region("https://abc.lambda-url.eu-west-1.on.aws/").as_deref(),
            Some("eu-west-1")
        );
        for other in [
            "http://abc.lambda-url.eu-west-1.on.aws/",
            "https://lambda-url.on.aws/",
            "https://a.lambda-url.b.evil.on.aws/",
            "http://127.0.0.1:1",
        ] {
            assert_eq!(region(other), None, "{other}");
        }
    }
}
