//! What passes around the SDK's serializers: the caller's bytes on the way in, Bedrock's on the way out.

use crate::errors;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
    BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use smoother_core::model::{ModelError, ModelHead};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// One call's bytes, shared between the caller and the interceptor inside the SDK.
#[derive(Debug)]
pub(crate) struct Exchange {
    body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
    sent: AtomicBool,
    answer: Mutex<Option<RawAnswer>>,
}

/// Bedrock's answer, its body not yet read.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) head: ModelHead,
    pub(crate) body: SdkBody,
}

impl Exchange {
    /// Checks the headers; those that are none of the operation's own stay behind.
    pub(crate) fn new(body: Bytes, headers: &[(String, String)]) -> Result<Arc<Self>, ModelError> {
        let headers = headers
            .iter()
            .filter(|(name, _)| travels(name))
            .map(|(name, value)| header(name, value).ok_or_else(|| errors::bad_header(name)))
            .collect::<Result<_, _>>()?;
        Ok(Arc::new(Self {
            body,
            headers,
            sent: AtomicBool::new(false),
            answer: Mutex::new(None),
        }))
    }

    /// Whether the request went as far as the connector: before that nothing can have left this machine.
    pub(crate) fn was_sent(&self) -> bool {
        self.sent.load(Ordering::Acquire)
    }

    /// The answer, once the SDK is through with the call.
    pub(crate) fn take_answer(&self) -> Option<RawAnswer> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The operations' own headers: guardrail, trace, latency, service tier, and the content's types.
fn travels(name: &str) -> bool {
    name == "accept" || name == "content-type" || name.starts_with("x-amzn-bedrock-")
}

fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, value.parse().ok()?))
}

/// Sits in the SDK's pipeline for one call.
#[derive(Debug)]
pub(crate) struct PassThrough(pub(crate) Arc<Exchange>);

impl Intercept for PassThrough {
    fn name(&self) -> &'static str {
        "PassThrough"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        *request.body_mut() = SdkBody::from(self.0.body.clone());
        let headers = request.headers_mut();
        headers.try_insert(CONTENT_LENGTH, HeaderValue::from(self.0.body.len()))?;
        headers.try_insert(CONTENT_TYPE, HeaderValue::from_static("application/json"))?;
        headers.remove(ACCEPT.as_str());
        for (name, value) in &self.0.headers {
            headers.try_insert(name.clone(), value.clone())?;
        }
        Ok(())
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.sent.store(true, Ordering::Release);
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let answer = RawAnswer {
            status: response.status().as_u16(),
            head: head(response.headers().iter()),
            body: std::mem::replace(response.body_mut(), SdkBody::empty()),
        };
        *self.0.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        Ok(())
    }
}

fn head<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> ModelHead {
    let mut head = ModelHead::default();
    for (name, value) in headers {
        if name == CONTENT_TYPE.as_str() {
            value.clone_into(&mut head.content_type);
        } else if name.starts_with("x-amzn-") {
            head.headers.push((name.to_owned(), value.to_owned()));
        }
    }
    head
}
