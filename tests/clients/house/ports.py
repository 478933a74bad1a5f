"""Free loopback ports, each handed out once.

Below the range from which systems take ports for outgoing connections, and a stretch of its own for every
worker of pytest-xdist: two tests never race for one.
"""

import itertools
import os
import socket

_FIRST = 15_000
_STRETCH = 500
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw") or 0)
_candidates = itertools.count(_FIRST + _STRETCH * _worker)


def free_port() -> int:
    for port in itertools.islice(_candidates, _STRETCH):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port is left in this worker's stretch")
