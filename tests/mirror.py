"""A mirror of the Hugging Face hub with one model, as far as a download needs it."""

import hashlib
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

COMMIT = "a" * 40


class Mirror:
    """Serves the files of a folder as `tests/tiny`; keeps what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self._folder = folder
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> tuple[bytes, dict[str, str]] | None:
        """Body and headers for a path, None for one that does not exist."""
        self.asked.append(path)
        repository = "/api/models/tests/tiny"
        if path.startswith(f"{repository}/tree/{COMMIT}"):
            return json.dumps([self._entry(file) for file in self._folder.iterdir()]).encode(), {}
        if path.startswith(f"{repository}/revision/"):
            return json.dumps({"id": "tests/tiny", "sha": COMMIT, "siblings": []}).encode(), {}
        if path.startswith(f"/tests/tiny/resolve/{COMMIT}/"):
            content = (self._folder / path.rsplit("/", 1)[1]).read_bytes()
            return content, {"ETag": f'"{_digest(content)}"', "X-Repo-Commit": COMMIT}
        return None

    def _entry(self, file: Path) -> dict[str, Any]:
        content = file.read_bytes()
        return {"type": "file", "path": file.name, "size": len(content), "oid": _digest(content)}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(mirror.answer(urlsplit(self.path).path))

            def do_HEAD(self) -> None:
                self.do_GET()

            def _send(self, answer: tuple[bytes, Mapping[str, str]] | None) -> None:
                body, headers = answer or (b"", {})
                self.send_response(200 if answer else 404)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing is logged."""

        return Handler


def _digest(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
