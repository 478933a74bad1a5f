"""The door of a deployment on AWS: says where it is, as Lambda's API does, and asks for a signature."""

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
        door = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                door.answer(self)

            do_GET = do_POST = do_DELETE = answer

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
        if self.auth == "AWS_IAM" and not self.is_signed(asked, content):
            return send(asked, 403, {"content-type": "application/json"}, b'{"Message":"Forbidden"}')
        self.passed.append(f"{asked.command} {asked.path}")
        kept = {name: value for name, value in asked.headers.items() if name.lower() not in ("host", "connection")}
        answer = request(asked.command, self.behind + asked.path, content or None, kept)
        hop = ("transfer-encoding", "connection", "content-length")
        headers = {name: value for name, value in answer.headers.items() if name not in hop}
        send(asked, answer.status, headers, answer.body)

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
