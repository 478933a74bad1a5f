"""A consumer of a queue on which ends are told."""

import json
import threading

from .deployment import Deployment


class Told:
    """Reads a queue until it is closed, and keeps every event. `wrapped`: they come by way of a topic."""

    def __init__(self, deployment: Deployment, queue: str, wrapped: bool = False):
        self._sqs = deployment.client("sqs")
        self._queue = queue
        self._wrapped = wrapped
        self._events: list[dict] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._closed.is_set():
            some = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            messages = some.get("Messages", [])
            if not messages:
                continue
            events = [json.loads(message["Body"]) for message in messages]
            if self._wrapped:
                events = [json.loads(event["Message"]) for event in events]
            with self._lock:
                self._events += events
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ]
            self._sqs.delete_message_batch(QueueUrl=self._queue, Entries=entries)

    def events(self) -> list[dict]:
        """Every event that was read, in the order in which they came."""
        with self._lock:
            return list(self._events)

    def jobs(self) -> dict[str, dict]:
        """The last event of each job."""
        return {event["job"]["id"]: event for event in self.events()}

    def close(self) -> None:
        self._closed.set()
        self._thread.join(timeout=10)
