"""A small OpenAI-compatible server with scripted answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
Reply = str | Json | int
"""The text of an answer, a complete message, or the status code of an error."""


class Script:
    """The replies of a server, and the requests it received."""

    def __init__(self, reply: Callable[[Json], Reply]) -> None:
        self.reply = reply
        self.asked: list[Json] = []
        self.base_url = ""
        self.finish_reason = "stop"
        self._lock = threading.Lock()

    def answer(self, body: Json) -> tuple[int, Json]:
        with self._lock:
            self.asked.append(body)
        reply = self.reply(body)
        if isinstance(reply, int):
            return reply, {"error": {"message": "scripted"}}
        message = {"role": "assistant", "content": reply} if isinstance(reply, str) else reply
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        return 200, {"id": "x", "object": "chat.completion", "created": 0, "choices": [choice], "usage": usage}


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # a connection for which there is no room in the queue is tried again after a second


@contextmanager
def serve(reply: Callable[[Json], Reply]) -> Iterator[Script]:
    """A server on a free local port; `reply` maps the body of a request to the answer."""
    script = Script(reply)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else a body waits 40 ms for the client to acknowledge its headers

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = script.answer(body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    script.base_url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
