"""MiniStack as these tests run it: on loopback alone, without two waits of its own, with answers that functions stream,
and gone with whoever started it.

    python tests/aws/cloud/ministack_main.py --port 4566 [--auth]

It prints {"url", "pid"} as its first line once it listens, and ends when its standard input does: whoever started
it holds the other end, so that nothing is left over however that ends.
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

# Seconds that an invocation waits for a log line after its function has answered; MiniStack's own 0.05 are spent on
# every invocation that logs nothing.
LOG_WAIT = 0.002
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


def take_streamed_answers() -> None:
    """Has functions answer a function URL as RESPONSE_STREAM asks them to; MiniStack knows answers of one piece alone.

    The answer still comes when it is whole, but with its status, its headers and its bytes.
    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
    """
    from ministack.core.lambda_runtime import ProvidedWorker

    build = ProvidedWorker._build_handler_class

    def building(self, *arguments):
        api = build(self, *arguments)

        class Streaming(api):
            def _read_body(self) -> bytes:
                body = super()._read_body()
                streamed = self.headers.get("Lambda-Runtime-Function-Response-Mode", "").lower() == "streaming"
                return in_one_piece(body) if streamed and self.path.endswith("/response") else body

        return Streaming

    ProvidedWorker._build_handler_class = building


def in_one_piece(streamed: bytes) -> bytes:
    """A streamed answer as an answer of one piece: after its head (JSON) come eight zeros, then its body."""
    head, zeros, body = streamed.partition(bytes(8))
    if not zeros:
        return streamed
    return json.dumps({**json.loads(head), "body": base64.b64encode(body).decode(), "isBase64Encoded": True}).encode()


def end_with_parent() -> None:
    """Ends this process once standard input is closed."""

    def watch() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def announce(url: str) -> None:
    """Prints where it listens, as soon as it does."""

    def wait() -> None:
        while True:
            try:
                with urllib.request.urlopen(f"{url}/_ministack/health", timeout=1):
                    break
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        print(json.dumps({"url": url, "pid": os.getpid()}), flush=True)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    given = arguments()
    url = configure(given.port, given.auth)
    end_with_parent()
    hasten()
    take_streamed_answers()
    announce(url)
    # MiniStack reads its own command line.
    sys.argv[1:] = []
    from ministack.app import main as serve

    serve()


if __name__ == "__main__":
    main()
