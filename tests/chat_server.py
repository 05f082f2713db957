"""A server of chat completions on this machine, which answers as a test tells it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from suffrage.models.endpoint import Endpoint

Reply = tuple[int, dict[str, str], Any]  # status, headers, body


class Server:
    """An HTTP server in a thread that answers as it is told and keeps what it was asked."""

    def __init__(self, answer: Callable[[dict[str, Any], int], Reply]) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.at_once = self.most_at_once = 0
        lock, server = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with lock:
                    server.asked.append({**body, "path": self.path})
                    server.keys.append(self.headers.get("authorization"))
                    count = len(server.asked)
                    server.at_once += 1
                    server.most_at_once = max(server.most_at_once, server.at_once)
                status, headers, said = answer(body, count)
                with lock:
                    server.at_once -= 1
                text = (said if isinstance(said, str) else json.dumps(said)).encode()
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                pass  # a client that lost its patience is no news

        self.http = Quiet(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def endpoint(self, **changes: Any) -> Endpoint:
        url = f"http://127.0.0.1:{self.http.server_port}/v1"
        return Endpoint(url, "tiny", **{"pause": 0.01, **changes})


def choices(*texts: str, reason: str = "stop") -> Reply:
    made = [{"message": {"content": text}, "finish_reason": reason} for text in texts]
    return 200, {}, {"choices": made}
