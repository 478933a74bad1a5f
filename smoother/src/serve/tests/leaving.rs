//! Callers that go away at any moment of their submission.

use super::{SONNET, Town, converse};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const CALLERS: u32 = 150;
const SOON: Duration = Duration::from_secs(30);

impl Town {
    /// Sends a request and breaks the connection off a moment later, without reading.
    async fn send_and_leave(&self, path: &str, header: &str, body: &Value, moment: Duration) {
        let address = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let body = body.to_string();
        let text = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{header}\r\n\
             \r\n{body}",
            body.len()
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        sleep(moment).await;
    }

    /// Waits until every request that was stored has ended; how many there are.
    async fn until_all_have_ended(&self) -> usize {
        let ended = async {
            loop {
                let url = format!("{}/v1/jobs?limit=1000", self.url);
                let list = self.http.get(url).send().await.unwrap();
                let list: Value = serde_json::from_slice(&list.bytes().await.unwrap()).unwrap();
                let jobs = list["jobs"].as_array().unwrap();
                if jobs.iter().all(|job| job["status"] == "COMPLETED") {
                    return jobs.len();
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(SOON, ended)
            .await
            .expect("a request is stored and in nobody's queue")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_served_though_its_caller_left_before_the_answer() {
    let town = Town::open().await;
    for n in 0..CALLERS {
        // From before the request is read to after it is stored.
        let moment = Duration::from_micros(u64::from(n) * 40);
        let body = converse(&format!("{n} [[sim out=1]]"));
        let job = json!({ "model": SONNET, "body": body });
        town.send_and_leave("/v1/jobs", &format!("idempotency-key: job-{n}"), &job, moment)
            .await;
        let finish = format!("idempotency-key: call-{n}\r\nx-smoother-on-disconnect: finish");
        let path = format!("/model/{SONNET}/converse");
        town.send_and_leave(&path, &finish, &body, moment).await;
    }
    // Those that left early may still be on their way in; what comes in later is served as well.
    let stored = town.until_all_have_ended().await;
    assert!(
        stored > 50,
        "{stored}: they left too early for anything to be tested"
    );
    town.close().await;
}
