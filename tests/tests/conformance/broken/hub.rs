//! Hubs that do not tell.

use super::{assert_bites, failed};
use smoother_core::ports::{BoxFuture, Live, Reader, Update};
use smoother_core::{RequestId, Rev};
use smoother_tests::conformance::live;
use smoother_tests::memory::{Options, World};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// What a hub does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deaf {
    Abort,
    Past,
    End,
    Again,
}

struct BrokenHub(Arc<dyn Live>, Deaf);

impl Live for BrokenHub {
    fn publish(&self, id: RequestId, update: Update) {
        self.0.publish(id, update);
    }

    fn subscribe(&self, id: RequestId) -> Box<dyn Reader> {
        let mut reader = self.0.subscribe(id);
        if self.1 == Deaf::Past {
            let mut context = Context::from_waker(Waker::noop());
            while matches!(reader.next().as_mut().poll(&mut context), Poll::Ready(Some(_))) {}
        }
        reader
    }

    fn reopen(&self, id: RequestId, rev: Rev) {
        if self.1 != Deaf::Again {
            self.0.reopen(id, rev);
        }
    }

    fn readers(&self, id: RequestId) -> usize {
        self.0.readers(id)
    }

    fn abort(&self, id: RequestId) {
        if self.1 != Deaf::Abort {
            self.0.abort(id);
        }
    }

    fn aborted(&self, id: RequestId) -> BoxFuture<'static, ()> {
        if self.1 == Deaf::End {
            return Box::pin(std::future::pending());
        }
        self.0.aborted(id)
    }
}

#[tokio::test(start_paused = true)]
async fn hubs_that_are_deaf_fail() {
    let table = [
        (
            Deaf::Abort,
            "an_abort_reaches_the_runner_before_and_while_it_listens",
        ),
        (Deaf::Past, "early_and_late_readers_read_the_same_to_the_end"),
        (Deaf::End, "the_end_frees_the_runner"),
        (
            Deaf::Again,
            "a_request_on_its_way_again_is_not_ended_by_its_former_end",
        ),
    ];
    for (deaf, made_for_it) in table {
        let failed = failed(live::CASES, || {
            let live = World::new(Options::default()).boot().live();
            Arc::new(BrokenHub(Arc::new(live), deaf)) as Arc<dyn Live>
        })
        .await;
        assert_bites(&deaf, &failed, made_for_it, live::CASES.len());
    }
}
