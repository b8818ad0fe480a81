"""An MLflow tracking server: its address, what it answers, and what that means when it fails.

What a server says is not trusted: answers have a largest size, must be JSON, and lead nowhere else
(redirections are not followed).
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote, unquote, urlsplit

from suite.errors import CadpSuiteError, InputError, StoredDataError
from suite.memory import is_out_of_memory
from suite.records.database import BusyError, root_cause
from suite.text import redacted

if TYPE_CHECKING:
    import requests

_ADDRESS_CURE = "give it as http://HOST:PORT or https://HOST, as MLFLOW_TRACKING_URI has it"
_AWAY_CURE = "nothing is lost: see to the server and the network, or try again later"
_CHUNK_BYTES = 1 << 20
_LARGEST_ANSWER = 1 << 28
_CONNECT_SECONDS, _ANSWER_SECONDS = 5.0, 60.0
# Answers after which the same question may be answered: too slow, too many, server errors.
_PASSING = frozenset({408, 425, 429, *range(500, 600)})
_LONGEST_REASON = 300


@dataclass(frozen=True)
class TrackingServer:
    """Where a tracking server is, and who asks.

    address: without credentials, for people too. Those come from the address that a user gave, else
    from MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, as
    MLflow's own client takes them.
    """

    address: str
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str, *, where: str = "--tracking") -> TrackingServer:
        """The server of an address. Raises InputError, which does not show its password."""
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port = "", None
        is_plain = text.isascii() and text.isprintable() and " " not in text
        if not is_plain or not host or parts.scheme not in ("http", "https"):
            raise _no_address(text, where)
        is_whole = re.fullmatch(r"[A-Za-z0-9._:-]+", host) and "@" not in parts.path
        if parts.query or parts.fragment or not is_whole:
            raise _no_address(text, where)
        shown = f"[{host}]" if ":" in host else host
        shown += "" if port is None else f":{port}"
        address = f"{parts.scheme}://{shown}{parts.path.rstrip('/')}"
        credentials = (parts.username, parts.password)
        user, password = (None if one is None else unquote(one) for one in credentials)
        return cls(address, user, password)

    def __str__(self) -> str:
        return self.address

    @property
    def uri(self) -> str:
        """With the credentials, for MLflow's client. Not to be shown or stored."""
        if self.username is None:
            return self.address
        scheme, _, rest = self.address.partition("://")
        return f"{scheme}://{quote(self.username, '')}:{quote(self.password or '', '')}@{rest}"

    @contextmanager
    def boundary(self) -> Iterator[None]:
        """Turn whatever MLflow's client or `requests` raise into one line: what, where, cure.

        Raises
        ------
        BusyError: the server cannot be reached, is too slow, or has a fault of its own.
        StoredDataError: it refuses, or answers what no tracking server does.
        """
        try:
            yield
        except CadpSuiteError:
            raise
        except Exception as error:
            import requests

            is_local = isinstance(error, OSError) and not isinstance(
                error, requests.RequestException
            )
            if is_local or is_out_of_memory(error):
                raise
            raise self._error(error) from error

    def _error(self, error: Exception) -> InputError:
        import requests

        reason = root_cause(error)
        if "certificate verify failed" in reason:
            cure = "name its certificate in REQUESTS_CA_BUNDLE, or see to the address"
            return StoredDataError(f"is not trusted ({reason})", where=str(self), cure=cure)
        status = getattr(error, "get_http_status_code", None)
        if status is not None:  # MLflow's; what never reached the server has 500
            return self.refusal(status(), reason)
        if isinstance(error, requests.RequestException):
            return self.refusal(503, reason)
        return self.no_server(reason)

    def refusal(self, status: int, reason: str) -> InputError:
        """What an answer with another status than success means."""
        reason = _short(reason)
        if status in _PASSING:
            return BusyError(f"does not answer ({reason})", where=str(self), cure=_AWAY_CURE)
        if status in (401, 403):
            cure = "give MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD that it knows"
            return InputError(f"lets us not in ({reason})", where=str(self), cure=cure)
        if deleted := deleted_meanwhile(reason, str(self)):
            return deleted
        cure = "see to its version and settings, or give another --tracking"
        return StoredDataError(f"refuses ({status}: {reason})", where=str(self), cure=cure)

    def no_server(self, reason: str) -> StoredDataError:
        """The error for answers that no tracking server gives."""
        what = f"does not answer as an MLflow tracking server does ({_short(reason)})"
        return StoredDataError(what, where=str(self), cure="see to the address and what serves it")


@dataclass(frozen=True)
class _Authorisation:
    """Says who asks; as an object, so that no file of the user's (.netrc) says something else."""

    header: str = field(repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self.header
        return request


class Connection:
    """Questions to a server, over one connection that is kept; for one thread.

    Every method raises as `TrackingServer.boundary`.
    """

    def __init__(self, server: TrackingServer) -> None:
        import requests

        self.server = server
        self._session = requests.Session()
        environment = os.environ.get
        user = server.username or environment("MLFLOW_TRACKING_USERNAME")
        password = server.password or environment("MLFLOW_TRACKING_PASSWORD")
        if user and password:
            basic = base64.b64encode(f"{user}:{password}".encode()).decode()
            self._session.auth = _Authorisation(f"Basic {basic}")
        elif token := environment("MLFLOW_TRACKING_TOKEN"):
            self._session.auth = _Authorisation(f"Bearer {token}")
        if environment("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
            self._session.verify = False
        elif certificate := environment("MLFLOW_TRACKING_SERVER_CERT_PATH"):
            self._session.verify = certificate

    def get(self, path: str, parameters: Any = None) -> dict[str, Any]:
        """The answer to a question that changes nothing. parameters: pairs or a table."""
        with self._answer("GET", path, params=parameters) as answer:
            return self._table(answer)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a JSON document."""
        with self._answer("POST", path, json=dict(body)) as answer:
            return self._table(answer)

    def put(self, path: str, file: BinaryIO) -> None:
        """Store what is left to read of a file."""
        with self._answer("PUT", path, data=file):
            pass

    def delete(self, path: str) -> None:
        """Delete a file or folder of the artifact store; one that is not there is no error."""
        with self._answer("DELETE", path):
            pass

    def chunks(self, path: str, largest_bytes: int) -> Iterator[bytes]:
        """The content of a file, piece by piece. StoredDataError if there is more."""
        with self._answer("GET", path) as answer:
            yield from self._chunks(answer, largest_bytes)

    @contextmanager
    def _answer(self, method: str, path: str, **content: Any) -> Iterator[requests.Response]:
        with (
            self.server.boundary(),
            self._send(method, self.server.address + path, **content) as answer,
        ):
            if answer.status_code != 200:
                raise self.server.refusal(answer.status_code, self._said(answer))
            yield answer

    def _send(self, method: str, address: str, **content: Any) -> requests.Response:
        """Ask; once more where the connection that was kept had just been closed by the other side.

        Asking twice changes nothing, whatever we ask.
        """
        how: dict[str, Any] = {
            "stream": True,
            "allow_redirects": False,
            "timeout": (_CONNECT_SECONDS, _ANSWER_SECONDS),
        }
        file = content.get("data")
        start = 0 if file is None else file.tell()
        try:
            return self._session.request(method, address, **how, **content)
        except OSError as error:  # what `requests` raises is one
            if not _is_closed(error):
                raise
        if file is not None:
            file.seek(start)
        return self._session.request(method, address, **how, **content)

    def _said(self, answer: requests.Response) -> str:
        """Why, in the server's words, where these are MLflow's."""
        if answer.is_redirect:
            return f"moved to {answer.headers.get('Location', 'nowhere')}"
        try:
            return str(self._table(answer)["message"])
        except (StoredDataError, KeyError):
            return f"status {answer.status_code} {answer.reason or ''}".strip()

    def _table(self, answer: requests.Response) -> dict[str, Any]:
        content = b"".join(self._chunks(answer, _LARGEST_ANSWER))
        try:
            table = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self.server.no_server(f"no JSON: {error}") from None
        if not isinstance(table, dict):
            raise self.server.no_server("no table")
        return table

    def _chunks(self, answer: requests.Response, largest_bytes: int) -> Iterator[bytes]:
        size = 0
        for chunk in answer.iter_content(_CHUNK_BYTES):
            size += len(chunk)
            if size > largest_bytes:
                raise self.server.no_server(f"more than {largest_bytes:,} bytes")
            yield chunk


def _is_closed(error: BaseException) -> bool:
    """Whether the other side closed a connection, in whatever way it is reported."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, ConnectionResetError | BrokenPipeError):
            return True
        link = link.__cause__ or link.__context__
    return False


def deleted_meanwhile(reason: str, where: str) -> StoredDataError | None:
    """The error where MLflow says that what is to be written to was deleted; else None."""
    if "must be in the 'active' state" not in reason:
        return None
    what = "a run" if "The run " in reason else "the experiment"
    cure = "restore it there and give the same command again"
    return StoredDataError(f"{what} was deleted in MLflow meanwhile", where=where, cure=cure)


def _no_address(text: str, where: str) -> InputError:
    tail = text.rpartition("@")[2] if "@" in text else text
    shown = f"***@{tail}" if "@" in text else redacted(text)
    what = "no address of a tracking server"
    return InputError(what, where=where, value=shown, cure=_ADDRESS_CURE)


def _short(reason: str) -> str:
    lines = redacted(reason).strip().splitlines()
    return lines[0][:_LONGEST_REASON] if lines else "no reason given"
