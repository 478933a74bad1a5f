//! A process that stands still for a while: its future is not polled, and everything else goes on.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep, sleep_until};

/// Until when somebody stands still.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<Mutex<Option<Instant>>>);

impl Gate {
    /// From now until then.
    pub fn shut_until(&self, until: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    fn shut(&self) -> Option<Instant> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.filter(|until| *until > Instant::now())
    }
}

/// A future behind a gate.
pub struct Pausable<T> {
    inner: Pin<Box<dyn Future<Output = T> + Send>>,
    gate: Gate,
    asleep: Option<Pin<Box<Sleep>>>,
}

impl<T> Pausable<T> {
    pub fn new(inner: impl Future<Output = T> + Send + 'static, gate: Gate) -> Self {
        Self {
            inner: Box::pin(inner),
            gate,
            asleep: None,
        }
    }
}

impl<T> Future for Pausable<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        while let Some(until) = self.gate.shut() {
            let sleep = self.asleep.get_or_insert_with(|| Box::pin(sleep_until(until)));
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.asleep = None;
        }
        self.asleep = None;
        self.inner.as_mut().poll(context)
    }
}
