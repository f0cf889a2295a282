"""A server on loopback that answers what a test tells it to: bytes, silence, or a closed door."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Answer = bytes | None
"""Raw bytes to write back; none means: say nothing and keep the connection open."""


def http(body: bytes | object, status: str = "200 OK") -> bytes:
    """Return a whole HTTP answer; what is not bytes is written as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


@contextmanager
def server(answer: Callable[[dict], Answer]) -> Iterator[str]:
    """Serve ``answer(request)`` on a port of loopback; a closed connection after an empty answer."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_sockets: list[socket.socket] = [listener]

    def talk(client: socket.socket) -> None:
        with suppress(OSError, ValueError), client.makefile("rb") as stream:
            while line := stream.readline():
                length = 0
                while line.strip():
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                    line = stream.readline()
                found = answer(json.loads(stream.read(length)))
                if found is None:
                    continue
                if not found:
                    break
                client.sendall(found)
        client.close()

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                open_sockets.append(client)
                threading.Thread(target=talk, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/?key=SECRET"
    finally:
        for item in open_sockets:
            with suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)
            item.close()
