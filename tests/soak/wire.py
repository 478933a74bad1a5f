"""HTTP/1.1 over a connection of its own, as slim as a load needs it."""

import asyncio
import json
from dataclasses import dataclass


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)


class Wire:
    """One server's address."""

    def __init__(self, host: str, port: int):
        self.host, self.port = host, port

    async def ask(self, method: str, path: str, body=None, headers: dict[str, str] | None = None) -> Answer:
        """Sends a request and reads the whole answer, a stream's to its end."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(self._request(method, path, body, headers))
            await writer.drain()
            return await self._answer(reader)
        finally:
            writer.close()

    async def leave(self, path: str, body, headers: dict[str, str], after: float) -> None:
        """Sends a request and goes away without reading."""
        _, writer = await asyncio.open_connection(self.host, self.port)
        writer.write(self._request("POST", path, body, headers))
        await writer.drain()
        await asyncio.sleep(after)
        writer.transport.abort()

    def _request(self, method: str, path: str, body, headers: dict[str, str] | None) -> bytes:
        content = b"" if body is None else json.dumps(body).encode()
        head = [f"{method} {path} HTTP/1.1", f"host: {self.host}", "connection: close"]
        if body is not None:
            head += ["content-type: application/json", f"content-length: {len(content)}"]
        head += [f"{name}: {value}" for name, value in (headers or {}).items()]
        return "\r\n".join([*head, "", ""]).encode() + content

    async def _answer(self, reader: asyncio.StreamReader) -> Answer:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {}
        for line in filter(None, head[1:]):
            name, value = line.split(":", 1)
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding") == "chunked":
            body = await self._chunks(reader)
        else:
            body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Answer(int(head[0].split()[1]), headers, body)

    async def _chunks(self, reader: asyncio.StreamReader) -> bytes:
        parts = []
        while size := int((await reader.readline()).strip() or b"0", 16):
            parts.append(await reader.readexactly(size))
            await reader.readexactly(2)
        return b"".join(parts)
