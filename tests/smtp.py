"""A real SMTP server for tests, on a port of loopback: one conversation at a time, each kept."""

import contextlib
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import Self


@dataclass
class SmtpServer:
    """Takes every message, unless told otherwise."""

    context: ssl.SSLContext | None = None  # with it, STARTTLS is offered
    at_once: bool = False  # TLS from the first byte
    replies: dict[str, str] = field(default_factory=dict)  # by verb, or by a whole line; instead of the usual reply
    drip_s: float = 0.0  # between the bytes of the greeting, which then has no end
    commands: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._closed = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._closed = True
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            pass
        self._thread.join(timeout=5)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._closed:
                connection.close()
                return
            connection.settimeout(5)
            with contextlib.suppress(OSError, ssl.SSLError):
                self._talk(connection)
            connection.close()

    def _talk(self, connection: socket.socket) -> None:
        while self.drip_s:
            connection.sendall(b"2")
            time.sleep(self.drip_s)
        if self.at_once and self.context:
            connection = self.context.wrap_socket(connection, server_side=True)
        with connection:
            self._answer(connection, self.replies.get("greeting", "220 test"))
            while (line := self._line(connection)) is not None:
                verb = line.split(" ", 1)[0].upper()
                line = verb + line[len(verb) :]  # case means nothing in a verb
                self.commands.append(line)
                self._answer(connection, self.replies.get(line, self.replies.get(verb, self._usual(verb))))
                if verb == "STARTTLS" and self.context:
                    connection = self.context.wrap_socket(connection, server_side=True)
                elif verb == "DATA" and verb not in self.replies:
                    self.messages.append(self._message(connection))
                    self._answer(connection, self.replies.get("end of data", "250 taken"))
                elif verb == "QUIT":
                    connection.close()
                    return

    def _usual(self, verb: str) -> str:
        if verb == "EHLO":
            return "250-test\r\n" + "250-STARTTLS\r\n" * (self.context is not None) + "250 AUTH PLAIN"
        return {"STARTTLS": "220 go on", "DATA": "354 go on", "AUTH": "235 welcome", "QUIT": "221 bye"}.get(
            verb, "250 ok"
        )

    def _answer(self, connection: socket.socket, text: str) -> None:
        connection.sendall(text.encode() + b"\r\n")

    def _line(self, connection: socket.socket) -> str | None:
        read = b""
        while not read.endswith(b"\r\n"):
            part = connection.recv(1)
            if not part:
                return None
            read += part
        return read[:-2].decode("latin-1")

    def _message(self, connection: socket.socket) -> bytes:
        read = b""
        while not read.endswith(b"\r\n.\r\n"):
            read += connection.recv(1)
        return read[:-3]
