"""A responder that reads requests and answers 202 without looking: it shows what the load generator can do."""

import asyncio
import re
import sys

ANSWER = b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Responder(asyncio.Protocol):
    """Answers each request once its body is there."""

    def __init__(self) -> None:
        """Nothing was received yet."""
        self._missing = 0  # bytes of the request that is being read
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the connection to answer on."""
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101 - what a server is given
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answers once a request is complete. The generator sends none before it has the answer to the last."""
        if not self._missing:
            head, _, body = data.partition(b"\r\n\r\n")
            found = LENGTH.search(head)
            self._missing = int(found[1]) - len(body) if found else 0
        else:
            self._missing -= len(data)
        if self._missing <= 0:
            self._missing = 0
            self._transport.write(ANSWER)


async def serve(port: int) -> None:
    """Answers on that port of loopback until killed."""
    server = await asyncio.get_running_loop().create_server(Responder, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
