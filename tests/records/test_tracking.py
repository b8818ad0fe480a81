"""Addresses of tracking servers, their passwords, and servers that are not what they should be."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from suite.errors import InputError, StoredDataError
from suite.records import TrackingServer, open_records
from suite.records.database import BusyError, patiently
from suite.records.tracking import Connection
from suite.records.writer import RecordWriter


@pytest.mark.parametrize(
    ("text", "address", "uri"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000", None),
        ("https://mlflow.example.org/", "https://mlflow.example.org", None),
        ("https://example.org/mlflow/", "https://example.org/mlflow", None),
        ("http://[::1]:5000", "http://[::1]:5000", None),
        ("http://ann:pa%40ss@host:1", "http://host:1", "http://ann:pa%40ss@host:1"),
        ("http://ann:p%2Fw@host/x", "http://host/x", "http://ann:p%2Fw@host/x"),
        ("http://ann@host", "http://host", "http://ann:@host"),
    ],
)
def test_addresses_are_read(text: str, address: str, uri: str | None) -> None:
    server = TrackingServer.parse(text)
    assert (str(server), server.uri) == (address, uri or address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "runs",
        "sqlite:///runs/mlflow.db",
        "databricks",
        "file:///etc",
        "ftp://host",
        "http://",
        "http://:5000",
        "http://host:port",
        "http://host:99999",
        "http://host:1/?password=secret",
        "http://host/#x",
        "http://ho st",
        "http://host\n.example.org",
        "http://ann:secret@",
        "http://ann:sec/ret@host:1",
        "http://ann:12/secret@host:1",
        "http://ann:secret@host:port",
        "http://höst",
    ],
)
def test_what_is_no_address_is_one_line_without_its_password(text: str) -> None:
    with pytest.raises(InputError, match="no address of a tracking server") as caught:
        TrackingServer.parse(text)
    message = str(caught.value)
    assert message.startswith("--tracking: ")
    assert "\n" not in message
    assert "secret" not in message
    assert "ret@" not in message


def test_a_server_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    server = TrackingServer.parse("http://ann:secret@127.0.0.1:9")
    shown = [str(server), repr(server), f"{server}", f"{server!r}"]
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    for use in (open_records, RecordWriter):
        with pytest.raises(BusyError) as caught:
            use(server)
        shown += [str(caught.value), repr(caught.value), caught.value.what, caught.value.where]
    assert not any("secret" in text for text in shown)


def test_mlflows_own_errors_show_no_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """MLflow's client names the whole address where it cannot reach it."""
    from suite.records.homes import ServerHome

    server = TrackingServer.parse("http://ann:secret@127.0.0.1:9")
    monkeypatch.setattr("suite.records.server.ServerStore.experiment_id", lambda self: None)
    with pytest.raises(BusyError) as caught:
        ServerHome(server).open()
    assert "secret" not in str(caught.value)
    assert "Connection refused" in str(caught.value)


Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    """Start a server that answers as a function does; gives its address."""
    started: list[ThreadingHTTPServer] = []

    def start(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # keeps connections

            def handle_one(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                self.rfile.read(length)
                answer(self)

            do_GET = do_POST = do_PUT = do_DELETE = handle_one

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def answering(status: int, content: bytes = b"", **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(content)

    return answer


REFUSAL = b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "no such thing\\nand more"}'


@pytest.mark.parametrize(
    ("status", "content", "error", "said"),
    [
        (500, b"", BusyError, "does not answer (status 500 Internal Server Error)"),
        (502, b"<html>bad gateway</html>", BusyError, "does not answer (status 502 Bad Gateway)"),
        (503, b'{"message": "starting"}', BusyError, "does not answer (starting)"),
        (429, b"", BusyError, "does not answer (status 429 Too Many Requests)"),
        (400, REFUSAL, StoredDataError, "refuses (400: no such thing)"),
        (404, b"not here", StoredDataError, "refuses (404: status 404 Not Found)"),
        (401, b"", InputError, "lets us not in (status 401 Unauthorized)"),
        (403, b'{"message": "not you"}', InputError, "lets us not in (not you)"),
        (200, b"<html>hello</html>", StoredDataError, "does not answer as an MLflow"),
        (200, b"[1, 2]", StoredDataError, "does not answer as an MLflow"),
        (200, b"[" * 100_000, StoredDataError, "does not answer as an MLflow"),
        (200, b"\xff\xfe", StoredDataError, "does not answer as an MLflow"),
        (200, b"", StoredDataError, "does not answer as an MLflow"),
    ],
)
def test_what_a_server_says_decides_whether_waiting_helps(
    serve: Callable[[Answer], str], status: int, content: bytes, error: type, said: str
) -> None:
    server = TrackingServer.parse(serve(answering(status, content)))
    with pytest.raises(error) as caught:
        open_records(server)
    assert type(caught.value) is error
    assert f"{server}: {said}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_redirections_are_not_followed(serve: Callable[[Answer], str]) -> None:
    """Least of all with a password."""
    seen: list[str] = []

    def listen(request: BaseHTTPRequestHandler) -> None:
        seen.append(request.path)
        answering(200, b"{}")(request)

    elsewhere = serve(listen)
    server = TrackingServer.parse(serve(answering(302, Location=f"{elsewhere}/x")))
    with pytest.raises(StoredDataError, match=rf"refuses \(302: moved to {elsewhere}/x\)"):
        open_records(server)
    assert seen == []


def test_an_answer_without_end_is_cut(
    serve: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("suite.records.tracking._LARGEST_ANSWER", 10_000_000)

    def flood(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            while True:
                request.wfile.write(b" " * 1_000_000)
        except OSError:
            pass

    with pytest.raises(StoredDataError, match="more than 10,000,000 bytes"):
        open_records(TrackingServer.parse(serve(flood)))


def test_a_server_that_falls_silent_is_waited_for(
    serve: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("suite.records.tracking._ANSWER_SECONDS", 0.2)
    address = serve(lambda request: time.sleep(5))
    lines: list[str] = []
    with pytest.raises(BusyError, match=r"does not answer \(.*timed out"):
        patiently(
            lambda: open_records(TrackingServer.parse(address)),
            lines.append,
            patience_seconds=0.3,
            sleep=lambda seconds: None,
        )
    assert lines
    assert all(line.endswith("; waiting, training goes on") for line in lines)


def test_an_answer_that_breaks_off_is_waited_for(serve: Callable[[Answer], str]) -> None:
    def cut(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        request.wfile.write(b'{"experiments": [')
        request.wfile.flush()
        request.connection.close()

    with pytest.raises(BusyError, match="does not answer"):
        open_records(TrackingServer.parse(serve(cut)))


def test_a_kept_connection_that_was_closed_meanwhile_is_no_fault(
    serve: Callable[[Answer], str],
) -> None:
    """Servers and proxies close what is idle; a question may be on its way then."""
    kept: dict[object, int] = {}

    def answer_once(request: BaseHTTPRequestHandler) -> None:
        kept[request.connection] = kept.get(request.connection, 0) + 1
        if kept[request.connection] == 1:
            answering(200, b'{"a": 1}')(request)
        else:
            request.close_connection = True

    connection = Connection(TrackingServer.parse(serve(answer_once)))
    assert [connection.post("/x", {}) for _ in range(3)] == [{"a": 1}] * 3
    assert sorted(kept.values()) == [1, 2, 2]


@pytest.mark.parametrize(
    ("user", "environment", "header"),
    [
        ("ann:pass@", {}, "Basic YW5uOnBhc3M="),
        ("", {"USERNAME": "ann", "PASSWORD": "pass"}, "Basic YW5uOnBhc3M="),
        ("ann:pass@", {"USERNAME": "bob", "PASSWORD": "x"}, "Basic YW5uOnBhc3M="),
        ("ann:%C3%A9@", {}, "Basic YW5uOsOp"),
        ("", {"TOKEN": "abc"}, "Bearer abc"),
        ("", {}, None),
    ],
)
def test_credentials_come_from_the_address_or_from_mlflows_variables(
    serve: Callable[[Answer], str],
    monkeypatch: pytest.MonkeyPatch,
    user: str,
    environment: dict[str, str],
    header: str | None,
) -> None:
    seen: list[str | None] = []

    def listen(request: BaseHTTPRequestHandler) -> None:
        seen.append(request.headers.get("Authorization"))
        answering(200, b"{}")(request)

    for name, value in environment.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
    address = serve(listen).replace("http://", f"http://{user}")
    assert Connection(TrackingServer.parse(address)).get("/x") == {}
    assert seen == [header]


RUN = "0123456789abcdef"
GOOD = {
    "info": {"run_id": "ab" * 16, "status": "RUNNING", "start_time": 5},
    "data": {"tags": [{"key": "cadp.run_id", "value": RUN}]},
}


def altered(**changes: object) -> dict[str, object]:
    info, data = dict(GOOD["info"]), dict(GOOD["data"])  # type: ignore[call-overload]
    for name, value in changes.items():
        (data if name in ("tags", "metrics") else info)[name] = value
    return {"info": info, "data": data}


@pytest.mark.parametrize(
    "run",
    [
        altered(run_id="../../etc/passwd"),
        altered(run_id=3),
        altered(status="SLEEPING"),
        altered(start_time="yesterday"),
        altered(start_time=1e300),
        altered(start_time=10**30),
        altered(tags=[{"key": "cadp.run_id", "value": "../weights"}]),
        altered(tags=[{"key": "cadp.run_id", "value": 5}]),
        altered(tags=[]),
        altered(tags="all"),
        altered(metrics=[{"key": None}]),
        {},
        [],
        "run",
    ],
)
def test_runs_that_no_server_has_are_one_line(serve: Callable[[Answer], str], run: object) -> None:
    import json

    def answer(request: BaseHTTPRequestHandler) -> None:
        experiment = {"experiment_id": "1", "lifecycle_stage": "active"}
        lists = {"experiments": [experiment], "runs": [run]}
        answering(200, json.dumps(lists).encode())(request)

    store = open_records(TrackingServer.parse(serve(answer)))
    with pytest.raises(StoredDataError, match="the list of runs cannot be read") as caught:
        store.statuses()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_faults_written_to_a_file_show_no_password() -> None:
    from pathlib import Path

    from suite.command_line import _fault_line

    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError("cannot reach http://ann:secret@host/x")
    line = _fault_line(caught.value, "cadp-suite")
    path = Path(line.rpartition(" in ")[2])
    text = path.read_text()
    path.unlink()
    assert "secret" not in line + text
    assert "http://***@host/x" in text
