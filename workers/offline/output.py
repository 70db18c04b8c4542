"""The output: rows are appended whole, and an interrupted run is taken up where its last whole row ended.

Beside OUT lies `OUT.resume` until the run is complete. It says what the rows were made of; a run that is made of
something else must not append to them.
"""

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from service.core.errors import StartRefusedError

STDOUT = "-"
RESUME = ".resume"  # after the output's name: what its rows were made of
OTHERWISE = "Give another -o, or --restart to score all rows anew and overwrite the file."


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What the rows of an output are made of; each of them changes rows."""

    input_sha256: str
    fingerprint: str  # of the scorer
    options: str  # fields, format and limits


CHANGED = {"input_sha256": "the input", "fingerprint": "the scorer", "options": "the options or limits"}


class Output:
    """Where rows go; a whole row is never half of two."""

    def __init__(self, stream: FileIO, state: Path | None = None) -> None:
        """`stream` holds nothing back; `state`: the file beside the output, removed when it is complete."""
        self._stream = stream
        self._state = state

    def write(self, lines: list[bytes]) -> None:
        """Appends rows and hands them to the operating system. Raises StartRefusedError if it takes no more."""
        left = memoryview(b"".join(line + b"\n" for line in lines))
        try:
            while left:
                left = left[self._stream.write(left) :]
        except BrokenPipeError:
            raise  # who read standard output has enough
        except OSError as error:
            raise StartRefusedError(
                f"Cannot write the output: {error.strerror}.",
                next_step="Whole rows are kept. Make room, then run the same command again.",
            ) from None

    def complete(self) -> None:
        """Says that no row is missing."""
        if self._state is not None:
            os.fsync(self._stream.fileno())
            self._state.unlink(missing_ok=True)


@contextlib.contextmanager
def open_output(
    path: str, made: Made | None, *, restart: bool, keep: Callable[[bytes], None], otherwise: str = OTHERWISE
) -> Iterator[Output]:
    """The output at `path`; `keep` is told each row that an interrupted run of the same wrote.

    `made` is None where a run cannot be taken up; `otherwise` says what a person can do then. Raises StartRefusedError.
    """
    if path == STDOUT:
        with FileIO(sys.stdout.fileno(), "w", closefd=False) as stream:
            yield Output(stream)
        return
    target = Path(path)
    if target.exists() and not target.is_file():  # a pipe or a device: there is nothing to resume
        with FileIO(target, "w") as stream:
            yield Output(stream)
        return
    state = target.with_name(target.name + RESUME)
    with _locked(target) as stream:
        if restart:
            stream.truncate(0)
        elif stream.seek(0, os.SEEK_END):
            _require_same(state, made, otherwise)
            stream.truncate(_whole_rows(target, keep))
        stream.seek(0, os.SEEK_END)
        if made is None:
            state.unlink(missing_ok=True)
        else:
            _write_state(state, made)
        yield Output(stream, state)


@contextlib.contextmanager
def _locked(target: Path) -> Iterator[FileIO]:
    try:
        stream = FileIO(target, "r+" if target.exists() else "x+")
    except OSError as error:
        raise StartRefusedError(f"Cannot write {target}: {error.strerror}.", next_step="Give another -o.") from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartRefusedError(f"Another run is writing {target}.", next_step="Wait for it, or stop it.") from None
        yield stream


def _require_same(state: Path, made: Made | None, otherwise: str) -> None:
    if made is None:
        raise StartRefusedError(
            f"{state.with_suffix('')} exists, and standard input cannot be taken up again.", next_step=otherwise
        )
    try:
        before: Any = json.loads(state.read_bytes())
    except FileNotFoundError:
        raise StartRefusedError(
            f"{state.with_suffix('')} exists and is not the output of an interrupted run.", next_step=otherwise
        ) from None
    except (OSError, ValueError) as error:
        raise StartRefusedError(f"Cannot read {state}: {error}.", next_step=otherwise) from None
    held = before if isinstance(before, dict) else {}
    changed = [what for name, what in CHANGED.items() if held.get(name) != getattr(made, name)]
    if changed:
        raise StartRefusedError(
            f"The interrupted run cannot go on. Since then changed: {', '.join(changed)}.", next_step=otherwise
        )


def _whole_rows(target: Path, keep: Callable[[bytes], None]) -> int:
    """Where the last whole row ends; what follows was torn by the interruption."""
    end = 0
    with target.open("rb") as lines:
        for line in lines:
            try:
                if not line.endswith(b"\n"):
                    break
                keep(line)
            except ValueError:
                break
            end += len(line)
    return end


def _write_state(state: Path, made: Made) -> None:
    whole = state.with_name(state.name + ".new")
    whole.write_text(json.dumps(asdict(made), indent=1) + "\n", encoding="utf-8")
    whole.replace(state)
