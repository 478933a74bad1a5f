//! SIGTERM and SIGINT, the two ways to ask the server to stop, and SIGHUP, to read its configuration again.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Both signals, caught from now on.
pub(crate) struct Signals {
    /// Held, so that the channel stays open while no signal comes.
    _to: UnboundedSender<&'static str>,
    caught: UnboundedReceiver<&'static str>,
}

impl Signals {
    /// Takes the signals over from the default action, which would end the process at once.
    pub(crate) fn catch() -> io::Result<Self> {
        let (to, caught) = unbounded_channel();
        pass_on(signal(SignalKind::terminate())?, "SIGTERM", to.clone());
        pass_on(signal(SignalKind::interrupt())?, "SIGINT", to.clone());
        Ok(Self { _to: to, caught })
    }

    /// Signals that nobody but a test sends.
    #[cfg(test)]
    pub(crate) fn by_hand() -> (UnboundedSender<&'static str>, Self) {
        let (to, caught) = unbounded_channel();
        let signals = Self {
            _to: to.clone(),
            caught,
        };
        (to, signals)
    }

    /// Waits for the next one and says its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        match self.caught.recv().await {
            Some(name) => name,
            None => std::future::pending().await,
        }
    }
}

/// SIGHUP, caught from now on, one word each.
pub(crate) fn hangups() -> io::Result<UnboundedReceiver<()>> {
    let (to, caught) = unbounded_channel();
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move { while hangup.recv().await.is_some() && to.send(()).is_ok() {} });
    Ok(caught)
}

fn pass_on(mut signal: Signal, name: &'static str, to: UnboundedSender<&'static str>) {
    tokio::spawn(async move { while signal.recv().await.is_some() && to.send(name).is_ok() {} });
}
