"""A bare socket that speaks as much HTTP as a test lets it: slow bodies, cut-off bodies, wrong lengths."""

import json
import socket
from typing import Any


class Raw:
    def __init__(self, port: int, receive_buffer: int | None = None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(30)
        self.socket.connect(("127.0.0.1", port))

    def send_head(self, method: str, path: str, headers: dict[str, Any]) -> None:
        lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode())

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_request(self, method: str, path: str, body: Any, headers: dict[str, str]) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_head(
            method, path, {"content-type": "application/json", "content-length": len(data), **headers}
        )
        self.send(data)

    def status(self) -> int | None:
        """The status of the answer that comes, None when the connection ends without one."""
        received = b""
        while b"\r\n" not in received:
            try:
                chunk = self.socket.recv(4096)
            except ConnectionResetError:
                return None
            if not chunk:
                return None
            received += chunk
        return int(received.split(b" ", 2)[1])

    def close(self) -> None:
        self.socket.close()
