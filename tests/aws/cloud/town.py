"""The deployment with its users: producers, callers, subscribers, and a reader of everything that is told."""

import json
import time
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from house.http import Answer, request
from house.process import AWS_ENV
from websockets.sync.client import ClientConnection, connect

from .deployment import REGION, Deployment
from .told import Told

# Nothing here takes as long, but for a machine that has more to do than this.
PATIENCE = 300
TERMINAL = ("COMPLETED", "FAILED", "CANCELLED", "EXPIRED")


def signed(
    service: str, method: str, url: str, content: bytes = b"", headers: dict[str, str] | None = None
) -> dict[str, str]:
    """The headers of a request, with its SigV4 signature for a service."""
    who = Credentials(AWS_ENV["AWS_ACCESS_KEY_ID"], AWS_ENV["AWS_SECRET_ACCESS_KEY"])
    asked = AWSRequest(method, url, data=content, headers=headers or {})
    SigV4Auth(who, service, REGION).add_auth(asked)
    return dict(asked.headers)


class Town:
    def __init__(self, deployment: Deployment):
        self.deployment = deployment
        self.outputs = deployment.outputs
        self.sqs = deployment.client("sqs")
        self.results = Told(deployment, self.outputs["ResultsQueueUrl"])
        self.topic = Told(deployment, self._subscribe(), wrapped=True)
        self.http_url = self._http_url()

    def _subscribe(self) -> str:
        """A queue of the user's own that hears the topic."""
        url = self.sqs.create_queue(QueueName="subscriber")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": self.outputs["TopicArn"]}},
                }
            ],
        }
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        self.deployment.client("sns").subscribe(TopicArn=self.outputs["TopicArn"], Protocol="sqs", Endpoint=arn)
        return url

    def _http_url(self) -> str:
        """The function URL, where the emulator serves it."""
        name = urlsplit(self.outputs["HttpUrl"]).hostname.split(".")[0]
        return f"{self.deployment.emulator.url}/_aws/lambda-url/{name}"

    def send(self, messages: Iterable[tuple[dict | str, dict[str, str]]]) -> list[str]:
        """Sends jobs by the input queue, each with its attributes; the messages' ids."""
        entries = []
        for number, (job, attributes) in enumerate(messages):
            body = job if isinstance(job, str) else json.dumps(job)
            named = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
            entries.append({"Id": str(number), "MessageBody": body, "MessageAttributes": named})
        ids = []
        for start in range(0, len(entries), 10):
            sent = self.sqs.send_message_batch(
                QueueUrl=self.outputs["InputQueueUrl"], Entries=entries[start : start + 10]
            )
            assert not sent.get("Failed"), sent["Failed"]
            ids += [one["MessageId"] for one in sent["Successful"]]
        return ids

    def bedrock(self, attempts: int = 1):
        """boto3's client, as a user points it at the function URL."""
        options = Config(retries={"total_max_attempts": attempts}, read_timeout=300, max_pool_connections=64)
        return boto3.client("bedrock-runtime", endpoint_url=self.http_url, config=options)

    def connect(self) -> ClientConnection:
        """A WebSocket, opened with a signature as API Gateway wants it."""
        url = self.outputs["WebSocketUrl"]
        headers = signed("execute-api", "GET", url.replace("ws", "http", 1))
        # The emulator under load answers pings late; a connection that is lost shows in what it does not bring.
        return connect(url, additional_headers=headers, open_timeout=30, ping_interval=None)

    def ask(self, method: str, path: str, body=None, headers: dict[str, str] | None = None) -> Answer:
        """A request with a signature as function URLs want it."""
        content = b"" if body is None else json.dumps(body).encode()
        named = {"content-type": "application/json"} if body is not None else {}
        headers = signed("lambda", method, self.http_url + path, content, {**named, **(headers or {})})
        return request(method, self.http_url + path, content, headers, timeout=60)

    def job(self, job_id: str) -> dict:
        answer = self.ask("GET", f"/v1/jobs/{job_id}")
        assert answer.status == 200, answer
        return answer.json()

    def submit(self, model: str, prompt: str, headers: dict[str, str] | None = None, **fields) -> str:
        """`POST /v1/jobs`; the job's id."""
        answer = self.ask("POST", "/v1/jobs", {"model": model, "prompt": prompt, "max_tokens": 64, **fields}, headers)
        # 200 says that a job with this key has ended already.
        assert answer.status in (200, 202), answer
        return answer.json()["id"]

    def hold(self, lane: str, state: str = "open") -> None:
        """Holds a lane's circuit breaker: while it is open, nothing of the lane is called."""
        answer = self.ask("POST", f"/v1/lanes/{lane}/breaker", {"state": state})
        assert answer.status == 200, answer

    def lane(self, name: str) -> dict:
        """A lane, as its holder last told."""
        lanes = {lane["lane"]: lane for lane in self.ask("GET", "/v1/lanes").json()["lanes"]}
        return lanes[name]

    def until_is(self, status: str, job_id: str, seconds: float = PATIENCE) -> dict:
        """The job, once it has this status."""

        def is_so() -> dict | None:
            job = self.job(job_id)
            return job if job["status"] == status else None

        return self.until(is_so, f"{job_id} to be {status}", seconds)

    def until(self, condition: Callable, what: str, seconds: float = PATIENCE):
        """Polls `condition` until it gives something true, and returns that."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := condition():
                return found
            time.sleep(0.1)
        raise TimeoutError(f"waited {seconds} s for {what}\n{self.deployment.emulator.output()[-6000:]}")

    def until_told(self, ids: Iterable[str], seconds: float = PATIENCE) -> dict[str, dict]:
        """The ends of these jobs, as the results queue tells them."""
        wanted = set(ids)
        self.until(
            lambda: wanted <= self.results.jobs().keys(),
            f"the ends of {len(wanted)} jobs",
            seconds,
        )
        told = self.results.jobs()
        return {job: told[job] for job in wanted}

    def letters(self) -> list[dict]:
        """Takes what stands in the input queue's dead letters: body and attributes."""
        found = []
        while True:
            url = self.outputs["InputDeadLetterQueueUrl"]
            some = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
            if not some.get("Messages"):
                return found
            for message in some["Messages"]:
                attributes = {name: one["StringValue"] for name, one in message.get("MessageAttributes", {}).items()}
                found.append({"body": message["Body"], **attributes})
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def close(self) -> None:
        self.results.close()
        self.topic.close()
