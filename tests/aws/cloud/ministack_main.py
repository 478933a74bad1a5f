"""MiniStack as these tests run it: on loopback alone, without two waits of its own, with streamed answers whole,
and gone with whoever started it.

    python tests/aws/cloud/ministack_main.py --port 4566 [--auth]

It prints {"url", "counts", "pid"} as its first line once it listens, and ends when its standard input does: whoever
started it holds the other end, so that nothing is left over however that ends. `counts` is a URL of its own: how often
SDKs for Rust, as our functions have them, made which call so far.
"""

import argparse
import base64
import inspect
import json
import os
import signal
import socketserver
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Seconds that an invocation waits for a log line after its function has answered; MiniStack's own 0.05 are spent on
# every invocation that logs nothing.
LOG_WAIT = 0.002
# Under which an answer's bytes travel inside MiniStack.
STREAMED = "streamed_base64"
# Seconds in which MiniStack ends by itself, its functions' processes included.
GRACE = 10


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--auth", action="store_true", help="enforce IAM")
    return parser.parse_args()


def configure(port: int, auth: bool) -> str:
    """Sets what MiniStack reads when it is imported, and returns its URL."""
    url = f"http://127.0.0.1:{port}"
    os.environ.update(
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=str(port),
        MINISTACK_HOST="localhost",
        # Otherwise it also listens on 0.0.0.0:8883.
        IOT_MTLS_ENABLED="0",
        LAMBDA_ACCOUNT_CONCURRENCY="1000",
        # Handed on to the functions.
        AWS_ENDPOINT_URL=url,
        AUTH="true" if auth else "false",
    )
    return url


def hasten() -> None:
    """Takes two waits away that say nothing about AWS."""
    # The functions' runtime API writes a response's head and body apart: with Nagle's algorithm the second waits for
    # the client's delayed acknowledgement, 40 ms.
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
    from ministack.core.lambda_runtime import Worker

    drain = Worker._drain_stderr_bounded
    if "first_line_wait" not in inspect.signature(drain).parameters:
        raise SystemExit("this MiniStack drains its functions' logs otherwise: adapt hasten() in ministack_main.py")

    def sooner(self, first_line_wait: float = LOG_WAIT, **rest) -> str:
        return drain(self, first_line_wait=first_line_wait, **rest)

    Worker._drain_stderr_bounded = sooner


def keep_streamed_bytes() -> None:
    """Has streamed answers come through byte for byte; MiniStack reads them as text, which an event stream is not.

    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
    """
    from ministack.core.lambda_runtime import ProvidedWorker
    from ministack.services import lambda_svc

    build, shape = ProvidedWorker._build_handler_class, lambda_svc._function_url_stream_response

    def building(self, *arguments):
        api = build(self, *arguments)

        class Streaming(api):
            def _read_body(self) -> bytes:
                body = super()._read_body()
                streamed = self.headers.get("Lambda-Runtime-Function-Response-Mode", "").lower() == "streaming"
                if not streamed or not self.path.endswith("/response"):
                    return body
                return json.dumps({STREAMED: base64.b64encode(body).decode()}).encode()

        return Streaming

    def shaping(result: dict, *arguments):
        body = result.get("body")
        if isinstance(body, dict) and STREAMED in body:
            result = {**result, "body": base64.b64decode(body[STREAMED])}
        return shape(result, *arguments)

    ProvidedWorker._build_handler_class = building
    lambda_svc._function_url_stream_response = shaping


def ask_for_actions_as_aws_does() -> None:
    """Has batches be granted by the action of one: AWS knows no other, and MiniStack asks for `sqs:SendMessageBatch`.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html
    """
    from ministack.core import iam_actions

    extract = iam_actions.extract_iam_action

    def extracting(service: str, *rest):
        action = extract(service, *rest)
        return action.removesuffix("Batch") if service in ("sqs", "sns") and action else action

    iam_actions.extract_iam_action = extracting


def take_loopback_for_tls() -> None:
    """Has policies that demand TLS see it: on AWS everything comes by it, and here loopback stands for that."""
    from ministack.core import iam_evaluator

    resolve = iam_evaluator._resolve_condition_key

    def resolving(key: str, context):
        return "true" if key.lower() == "aws:securetransport" else resolve(key, context)

    iam_evaluator._resolve_condition_key = resolving


def count_calls() -> str:
    """Counts what functions ask of AWS, and returns where the counts are told: JSON, service and operation → number."""
    from ministack import app

    counted: Counter[str] = Counter()
    dispatch = app._dispatch_service_request

    async def counting(method: str, path: str, headers: dict, *rest):
        if headers.get("user-agent", "").startswith("aws-sdk-rust"):
            service = app.detect_service(method, path, headers, {})
            operation = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
            counted[f"{service} {operation or method}"] += 1
        return await dispatch(method, path, headers, *rest)

    app._dispatch_service_request = counting

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps(dict(counted)).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def end_with_parent() -> None:
    """Ends this process once standard input is closed."""

    def watch() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def announce(url: str, counts: str) -> None:
    """Prints where it listens, as soon as it does."""

    def wait() -> None:
        while True:
            try:
                with urllib.request.urlopen(f"{url}/_ministack/health", timeout=1):
                    break
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        print(json.dumps({"url": url, "counts": counts, "pid": os.getpid()}), flush=True)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    given = arguments()
    url = configure(given.port, given.auth)
    end_with_parent()
    hasten()
    keep_streamed_bytes()
    take_loopback_for_tls()
    ask_for_actions_as_aws_does()
    announce(url, count_calls())
    # MiniStack reads its own command line.
    sys.argv[1:] = []
    from ministack.app import main as serve

    serve()


if __name__ == "__main__":
    main()
