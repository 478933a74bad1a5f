"""The door of a deployment on AWS and its bucket: says where it is, as Lambda's API does, and asks for a signature."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .http import request
from .process import AWS_ENV

REGION = AWS_ENV["AWS_REGION"]
SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<who>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, ?"
    r"SignedHeaders=(?P<names>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


class Door:
    """Passes on to a smoother what is rightly signed for `lambda`, and nothing else. `elsewhere`: it only says that the
    door is there."""

    def __init__(self, name: str, smoother_url: str, auth: str = "AWS_IAM", elsewhere: str | None = None):
        self.name, self.behind, self.auth = name, smoother_url, auth
        self.passed: list[str] = []
        # What its bucket answers to the next jobs that are put there, and then 200; what lies there; what was told whom.
        self.bucket_answers: list[int] = []
        self.places: dict[str, bytes] = {}
        self.put_with: list[dict[str, str]] = []
        # So often whoever hands in a place is to come again.
        self.busy = 0
        door = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                door.answer(self)

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._told = elsewhere or self.url
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, asked: BaseHTTPRequestHandler) -> None:
        content = asked.rfile.read(int(asked.headers.get("content-length", 0)))
        if asked.path == f"/2021-10-31/functions/{self.name}-http/url":
            told = {"FunctionUrl": self._told, "FunctionArn": "arn:f", "AuthType": self.auth, "CreationTime": "now"}
            return send(asked, 200, {"content-type": "application/json"}, json.dumps(told).encode())
        if asked.path.startswith("/2021-10-31/"):
            kind = {"x-amzn-errortype": "ResourceNotFoundException", "content-type": "application/json"}
            return send(asked, 404, kind, b'{"Message":"The resource you requested does not exist."}')
        if asked.path.startswith("/bucket/"):
            return self.put(asked, content)
        if self.auth == "AWS_IAM" and not self.is_signed(asked, content):
            return send(asked, 403, {"content-type": "application/json"}, b'{"Message":"Forbidden"}')
        self.passed.append(f"{asked.command} {asked.path}")
        if asked.path == "/v1/uploads":
            return self.give(asked, json.loads(content)["bytes"])
        if asked.path == "/v1/jobs" and content.startswith(b'{"s3"'):
            if self.busy:
                self.busy -= 1
                return send(asked, 503, {"content-type": "application/problem+json"}, b'{"detail": "Busy."}')
            content = self.places[json.loads(content)["s3"]["key"]]
        hop = ("host", "connection", "content-length")
        kept = {name: value for name, value in asked.headers.items() if name.lower() not in hop}
        answer = request(asked.command, self.behind + asked.path, content or None, kept)
        hop = ("transfer-encoding", "connection", "content-length")
        headers = {name: value for name, value in answer.headers.items() if name not in hop}
        send(asked, answer.status, headers, answer.body)

    def give(self, asked: BaseHTTPRequestHandler, size: int) -> None:
        key = f"place-{len(self.put_with)}"
        put = {"url": f"{self.url}/bucket/{key}?signature=secret", "headers": {"content-length": str(size)}}
        told = {"s3": {"bucket": "calls", "key": key}, "put": put, "expires_at": "2100-01-01T00:00:00.000Z"}
        send(asked, 201, {"content-type": "application/json"}, json.dumps(told).encode())

    def put(self, asked: BaseHTTPRequestHandler, content: bytes) -> None:
        self.put_with.append({name.lower(): value for name, value in asked.headers.items()})
        status = self.bucket_answers.pop(0) if self.bucket_answers else 200
        if status == 200:
            self.places[asked.path.removeprefix("/bucket/").split("?")[0]] = content
        send(asked, status, {}, b"")

    def is_signed(self, asked: BaseHTTPRequestHandler, content: bytes) -> bool:
        """Whether botocore would have signed it the same way."""
        said = SIGNED.fullmatch(asked.headers.get("authorization", ""))
        if said is None or (said["region"], said["service"]) != (REGION, "lambda"):
            return False
        named = {name: asked.headers[name] for name in said["names"].split(";")}
        again = AWSRequest(asked.command, self.url + asked.path, data=content, headers=named)
        again.context["timestamp"] = asked.headers["x-amz-date"]
        auth = SigV4Auth(
            Credentials(AWS_ENV["AWS_ACCESS_KEY_ID"], AWS_ENV["AWS_SECRET_ACCESS_KEY"]), "lambda", REGION
        )
        to_sign = auth.string_to_sign(again, auth.canonical_request(again))
        return auth.signature(to_sign, again) == said["signature"]


def send(asked: BaseHTTPRequestHandler, status: int, headers: dict[str, str], content: bytes) -> None:
    asked.send_response(status)
    for name, value in headers.items():
        asked.send_header(name, value)
    asked.send_header("content-length", str(len(content)))
    asked.end_headers()
    asked.wfile.write(content)
