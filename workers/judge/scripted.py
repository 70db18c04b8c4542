"""A scripted OpenAI-compatible endpoint: a real HTTP process that rehearses a judge and a generator without any model.

    assay judge scripted --port 9000 --hang 0.05 --fail 0.1 --garbage 0.05 --seed 7
    python -m workers.judge.scripted --scenario FILE --port-file F --counts-file F

It listens on loopback alone, prints `listening on http://127.0.0.1:PORT/v1`, and ends on SIGTERM or SIGINT. What it
does to which share of the samples is a scenario: workers/judge/scenario.py. Its verdicts: scripted_verdicts.py; its
alternative responses: scripted_alternatives.py; its tokens: scripted_replies.py; its own account of what it billed, at
`GET /counts`: scripted_account.py. `GET /requests?last=N` tells of the latest requests, without their text.
"""

import argparse
import asyncio
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from service.core.errors import StartRefusedError
from workers.judge.scenario import Behaviour, Scenario, read_scenario, scenario_of
from workers.judge.scripted_server import HOST, ScriptedServer

START_S = 30.0
STOP_S = 10.0
EXIT_REFUSED = 2
_LISTENING = "listening on "
_FROM_PARENT = "-"
_NUMBERS = ("slow_s", "drip_s", "retry_after_s", "disagree", "waver")
_WHOLE_NUMBERS = ("seed", "recovers_after")
_ALSO = {Behaviour.HANG: ("--never",), Behaviour.SERVER_ERROR: ("--fail",)}


def parser(program: str) -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog=program,
        description="A scripted OpenAI-compatible endpoint on loopback, without any model.",
        allow_abbrev=False,
    )
    options.add_argument("--port", type=int, default=0, help="TCP port; 0, the default: a free one")
    options.add_argument("--port-file", type=Path, help="where to write the port once it listens")
    options.add_argument("--counts-file", type=Path, help="where to write the account at the end")
    options.add_argument("--scenario", help="a TOML file; options change what it says, and shares replace its shares")
    options.add_argument("--per-request", action="store_true", default=None, help="draw for requests, not for samples")
    for name in (*_WHOLE_NUMBERS, *_NUMBERS):
        kind = int if name in _WHOLE_NUMBERS else float
        options.add_argument(f"--{name.replace('_', '-')}", type=kind, help="as in a scenario")
    shares = options.add_argument_group("shares of the samples; the rest is answered well")
    for behaviour in Behaviour:
        names = (f"--{behaviour.replace('_', '-')}", *_ALSO.get(behaviour, ()))
        shares.add_argument(*names, dest=f"share_{behaviour}", type=float, metavar="SHARE")
    return options


def _scenario(given: argparse.Namespace) -> Scenario:
    """The scenario of a file with the options over it. Raises StartRefusedError."""
    told: dict[str, Any] = {}
    if given.scenario == _FROM_PARENT:
        told = json.loads(sys.stdin.buffer.readline())
    elif given.scenario is not None:
        told = read_scenario(Path(given.scenario)).model_dump(exclude_unset=True)
    names = ("per_request", *_WHOLE_NUMBERS, *_NUMBERS)
    told |= {name: value for name in names if (value := getattr(given, name)) is not None}
    shares = {each: value for each in Behaviour if (value := getattr(given, f"share_{each}")) is not None}
    return scenario_of(told | ({"shares": shares} if shares else {}))


def main(arguments: Sequence[str], program: str = "python -m workers.judge.scripted") -> int:
    """Serves until SIGTERM or SIGINT; the exit status."""
    given = parser(program).parse_args(arguments)
    try:
        scenario = _scenario(given)
        return asyncio.run(_run(scenario, given))
    except StartRefusedError as error:
        sys.stderr.write(f"assay: {error.detail}\n  {error.next_step}\n")
        return EXIT_REFUSED


async def _run(scenario: Scenario, given: argparse.Namespace) -> int:
    # A connection that hangs holds a file descriptor; the soft limit is often 1,024.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, ended.set)
    if given.scenario == _FROM_PARENT:  # which is gone when the pipe ends, however it went
        loop.add_reader(sys.stdin.fileno(), ended.set)
    server = ScriptedServer(scenario)
    try:
        await server.start(given.port)
    except OSError as error:
        raise StartRefusedError(f"Port {given.port} cannot be listened on: {error.strerror}.") from None
    if given.port_file is not None:
        _write(given.port_file, f"{server.port}\n")
    sys.stdout.write(f"{_LISTENING}http://{HOST}:{server.port}/v1\n")
    sys.stdout.flush()
    await ended.wait()
    await server.stop()
    if given.counts_file is not None:
        _write(given.counts_file, json.dumps(server.account.counts(), indent=2) + "\n")
    return 0


def _write(path: Path, text: str) -> None:
    # Renamed into place: whoever waits for the file never reads half of it.
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


class ScriptedEndpoint:
    """A scripted endpoint as a child process, which ends with the block, or with its parent.

    `port` 0 is a free one, anew at each start; `url` is what a policy file takes.
    """

    def __init__(self, scenario: Scenario | None = None, *, port: int = 0, counts_file: Path | None = None) -> None:
        """Nothing is started yet."""
        self._scenario = scenario or Scenario()
        self._options = ["--port", str(port), *(("--counts-file", str(counts_file)) if counts_file else ())]
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """Where it listens."""
        return urlsplit(self.url).port or 0

    def start(self) -> None:
        """Starts it and waits until it listens. Raises StartRefusedError."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
        self._process = subprocess.Popen(  # noqa: S603 - our own
            [sys.executable, "-m", "workers.judge.scripted", "--scenario", _FROM_PARENT, *self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=kept,
            start_new_session=True,
        )
        line = self._first_line(self._process)
        if not line.startswith(_LISTENING):
            self.stop()
            raise StartRefusedError("The scripted endpoint did not start.", next_step="Its lines above say why.")
        self.url = line.removeprefix(_LISTENING)

    def _first_line(self, process: "subprocess.Popen[bytes]") -> str:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        with suppress(BrokenPipeError):
            process.stdin.write(self._scenario.model_dump_json().encode() + b"\n")
            process.stdin.flush()
        line = b""
        deadline = time.monotonic() + START_S
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            part = os.read(process.stdout.fileno(), 4_096) if ready else b""
            if not part:
                break
            line += part
        return line.decode().strip()

    def stop(self) -> None:
        """Ends it with SIGTERM, and kills what does not end."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def counts(self) -> dict[str, Any]:
        """Its own account, as scripted_account.py has it. Raises OSError if it does not run."""
        told: dict[str, Any] = self._get("/counts")
        return told

    def requests(self, last: int = 100) -> list[dict[str, Any]]:
        """The latest requests, the oldest of them first, without text. Raises OSError if it does not run."""
        told: list[dict[str, Any]] = self._get(f"/requests?last={last}")
        return told

    def _get(self, path: str) -> Any:
        connection = HTTPConnection(HOST, self.port, timeout=STOP_S)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
