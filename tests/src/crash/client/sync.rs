//! A call on Bedrock's wire, with the retries of an AWS SDK: one invocation id for all attempts, exponential backoff,
//! another attempt after a broken connection, a throttle or a 5xx, and none once a stream has begun.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};

use super::Desk;
use super::wire::{Answer, NoAnswer, whole};
use crate::crash::plan::{Ask, Way};
use crate::crash::records::What;

/// Attempts of one call. More than an SDK's three: they must bridge a restart.
const ATTEMPTS: u32 = 12;
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

pub(super) async fn call(desk: &Desk, ask: &Ask) -> anyhow::Result<()> {
    let Way::Sync { leaves_after_ms, .. } = ask.way else {
        return Ok(());
    };
    let mut backoff = FIRST_BACKOFF;
    for attempt in 1..=ATTEMPTS {
        let answer = whole(request(desk, ask, attempt));
        let outcome = match leaves_after_ms {
            None => answer.await,
            Some(ms) => match tokio::time::timeout(Duration::from_millis(ms), answer).await {
                Ok(outcome) => outcome,
                Err(_) => return desk.note(ask, What::Left),
            },
        };
        if !again(desk, ask, outcome)? {
            return Ok(());
        }
        tokio::time::sleep(backoff).await;
        backoff = (backoff * 2).min(LONGEST_BACKOFF);
    }
    Ok(())
}

fn request(desk: &Desk, ask: &Ask, attempt: u32) -> RequestBuilder {
    let path = format!("/model/{}/{}", ask.model.id, ask.operation.path());
    let headers = [
        ("x-smoother-priority", ask.priority.map(str::to_owned)),
        ("x-smoother-timeout-ms", ask.timeout_ms.map(|ms| ms.to_string())),
        ("x-smoother-max-wait-ms", ask.max_wait_ms.map(|ms| ms.to_string())),
        (
            "x-smoother-on-disconnect",
            matches!(ask.way, Way::Sync { finish: true, .. }).then(|| "finish".to_owned()),
        ),
    ];
    let request = desk
        .wire
        .request(Method::POST, &path)
        .header("amz-sdk-invocation-id", &ask.mark)
        .header("amz-sdk-request", format!("attempt={attempt}; max={ATTEMPTS}"))
        .json(&ask.body());
    let given = headers
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    given.fold(request, |request, (name, value)| request.header(name, value))
}

/// Writes down what came, and says whether an SDK would try again.
fn again(desk: &Desk, ask: &Ask, outcome: Result<Answer, NoAnswer>) -> anyhow::Result<bool> {
    let (what, again) = match outcome {
        Ok(answer) => of_answer(ask, &answer),
        Err(NoAnswer::Nothing(why)) => (What::Broken { why }, true),
        Err(NoAnswer::HeadOnly(why)) => (What::Broken { why }, !ask.operation.streams()),
    };
    desk.note(ask, what)?;
    Ok(again)
}

fn of_answer(ask: &Ask, answer: &Answer) -> (What, bool) {
    let status = answer.status;
    if status != 200 {
        let again = matches!(status, 429 | 500 | 502 | 503 | 504);
        return (answer.refused(), again);
    }
    // The simulator's words are letters only, so this header's name stands in a stream that failed and in no other.
    if ask.operation.streams() && memmem(&answer.body, b":exception-type") {
        return (answer.refused(), false);
    }
    let job = answer
        .header("x-smoother-job-id")
        .unwrap_or("none named")
        .to_owned();
    let digest = answer.digest();
    (What::Answered { job, digest }, false)
}

fn memmem(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part == word)
}
