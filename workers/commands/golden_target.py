"""The options that say how `assay golden run` reaches an application."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from service.core.errors import StartRefusedError
from workers.golden.target import SCORER, Application, HttpApplication, load_function
from workers.golden.template import Template, chat_template, plain_template, read_template

CHAT = "/chat/completions"
_NAME, _VALUE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"), re.compile(r"[ -~\t]*")  # RFC 9110, but for obsolete bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Http:
    """As given."""

    template: str | None
    response_path: str
    chat: str | None
    temperature: float | None
    headers: tuple[str, ...]
    timeout_s: float
    attempts: int


def application_of(target: str, http: Http) -> Application | None:
    """What is to be asked; None: the scorer is tested. Raises StartRefusedError."""
    if http.temperature is not None and http.chat is None:
        raise StartRefusedError("--temperature is of --chat.", next_step="Put it into the --template, or leave it out.")
    if target.startswith(("http://", "https://")):
        return HttpApplication(
            url=target if http.chat is None else _chat_url(target),
            template=_template(http),
            headers=_headers(http.headers),
            timeout_s=http.timeout_s,
            attempts=http.attempts,
        )
    if http.template or http.chat or http.headers or http.response_path:
        raise StartRefusedError(
            "--template, --chat, --header and --response-path are of a URL.", next_step="Give --target a URL."
        )
    if target == SCORER:
        return None
    if ":" not in target:
        raise StartRefusedError(
            f"{target[:100]!r} is no target.", next_step="Give --target scorer, a URL, or MODULE:FUNCTION."
        )
    return load_function(target, http.timeout_s)


def _chat_url(target: str) -> str:
    """With the path of chat completions, before the query if there is one."""
    place, mark, query = target.partition("?")
    return place.rstrip("/").removesuffix(CHAT) + CHAT + mark + query


def _template(http: Http) -> Template:
    if http.chat is not None:
        if http.template is not None or http.response_path:
            raise StartRefusedError(
                "--chat has its own template.", next_step="Leave out --template and --response-path, or --chat."
            )
        return chat_template(http.chat, http.temperature)
    if http.template is None:
        return plain_template(http.response_path)
    return read_template(_text(http.template), http.response_path)


def _text(template: str) -> str:
    if not template.startswith("@"):
        return template
    try:
        return Path(template[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StartRefusedError(
            f"The template {template[1:]} cannot be read: {error}.", next_step="Check the path."
        ) from None


def _headers(given: tuple[str, ...]) -> Mapping[str, str]:
    """By variables: what stands on a command line is seen by every user of the machine."""
    headers = {}
    for each in given:
        name, sign, variable = each.partition("=")
        if not sign or not name.strip() or not variable:
            raise StartRefusedError(
                f"--header {name[:50]!r} names no variable.", next_step="Give it as Authorization=MY_TOKEN_VARIABLE."
            )
        value = os.environ.get(variable)
        if value is None:
            raise StartRefusedError(
                f"There is no environment variable {variable[:100]}, which --header names.", next_step="Set it."
            )
        # Refused here: the client's own words for it would be those of a connection that was lost.
        if _NAME.fullmatch(name.strip()) is None or _VALUE.fullmatch(value.strip()) is None:
            raise StartRefusedError(
                f"--header {name[:50]!r}: its name or what {variable[:100]} holds cannot stand in a header.",
                next_step="Use visible ASCII characters, on one line.",
            )
        headers[name.strip().lower()] = value.strip()  # so that one of ours is replaced, not sent beside it
    return headers
