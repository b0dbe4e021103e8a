"""What stores answer when they fail: one short sentence with the remedy, and never "it was deleted"."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from google.protobuf.json_format import ParseError
from google.protobuf.message import DecodeError
from mlflow.entities import Run, RunData, RunInfo
from mlflow.exceptions import MlflowException, RestException
from sqlalchemy.exc import OperationalError

from ser_tune.errors import RegistryError, TrackingError
from ser_tune.project import Project
from ser_tune.registry import find_version, list_versions
from ser_tune.results import find_run
from ser_tune.tracking import TrackingClient, Workspace, named, read_predictions, reason_of, tracking_errors
from ser_tune.tracking.queries import search_runs


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MlflowException(""), "it gave no reason (INTERNAL_ERROR)"),
        (MlflowException(" \n "), "it gave no reason (INTERNAL_ERROR)"),
        (DecodeError(), "it gave no reason (DecodeError)"),
        (ParseError("Failed to parse runs field"), "it answers as no MLflow server does; check its address"),
        (MlflowException("(sqlite3.OperationalError) database is locked\n[SQL: …]"), "another program holds"),
        (RestException({"error_code": "PERMISSION_DENIED", "message": "no"}), "the server refuses access (403)"),
        (RestException({"error_code": "RESOURCE_EXHAUSTED", "message": "no"}), "quota is used up (429)"),
        (MlflowException("API request to endpoint /x failed with error code 401 != 200."), "asks who you are (401)"),
        (MlflowException("x" * 5000), "x" * 199 + "…"),
    ],
)
def test_a_reason_is_one_short_sentence(error: Exception, told: str) -> None:
    reason = reason_of(error)
    assert told in reason
    assert len(reason) <= 200
    assert "\n" not in reason


def test_passwords_are_not_shown() -> None:
    assert named("postgresql://anna:secret@host:5432/db") == "postgresql://anna:***@host:5432/db"
    assert named("sqlite:////a/b.db") == "sqlite:////a/b.db"
    with pytest.raises(TrackingError, match=r"^the tracking store 'mysql://a:\*\*\*@h/x' cannot be opened: its driver"):
        Workspace(Project(Path("/"), "mysql://a:secret@h/x", "sqlite://", Path("/"))).experiment("emodb")


def test_errors_of_protobuf_and_sql_become_ours() -> None:
    for error in (DecodeError("x"), OperationalError("SELECT", {}, Exception("disk I/O error")), requests.Timeout("x")):
        with pytest.raises(TrackingError), tracking_errors("x"):
            raise error


class Server(BaseHTTPRequestHandler):
    """A tracking server that answers everything with the same status and text."""

    status, text = 200, "{}"

    def do_GET(self) -> None:
        content = self.text.encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that answers as `Server` is told."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    running = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_address[1]}"
    running.shutdown()
    thread.join()
    running.server_close()


REFUSED = json.dumps({"error_code": "PERMISSION_DENIED", "message": "Permission denied"})


@pytest.mark.parametrize(
    ("status", "text", "told"),
    [
        (403, REFUSED, "refuses access (403)"),
        (403, "<html>Forbidden</html>", "refuses access (403)"),
        (401, "", "asks who you are (401)"),
        (429, "slow down", "quota is used up (429)"),
        (200, "<html>a page</html>", "it answers as no MLflow server does"),
        (
            200,
            '{"registered_model": 3, "registered_models": 3, "runs": 3, "experiments": 3, "run": 3}',
            "as no MLflow server does",
        ),
        (404, "not here", "has no such page (404)"),
        (500, "", ""),
    ],
)
def test_a_refusal_is_no_deletion(
    server: str, monkeypatch: pytest.MonkeyPatch, status: int, text: str, told: str
) -> None:
    monkeypatch.setattr(Server, "status", status)
    monkeypatch.setattr(Server, "text", text)
    workspace = Workspace(Project(Path("/"), server, "sqlite://", Path("/")))
    workspace.client = TrackingClient(tracking_uri=server, registry_uri=server)
    run = Run(RunInfo("0" * 32, "0", "", "FINISHED", 0, 0, "active"), RunData())
    for ask in (
        lambda: find_version(workspace, "ser-a-b"),
        lambda: list_versions(workspace),
        lambda: list(search_runs(workspace, tags={"a": "b"})),
        lambda: find_run(workspace, "0" * 32),
        lambda: read_predictions(workspace, run, "test"),
    ):
        with pytest.raises(TrackingError, match=r"^the tracking store 'http://") as refused:
            ask()
        assert told in str(refused.value)
        assert "deleted" not in str(refused.value)
        assert "no run" not in str(refused.value)


def test_what_does_not_exist_is_no_failure(project: Project) -> None:
    workspace = Workspace(project)
    with pytest.raises(RegistryError, match=r"^no registered model ''; there are: none$"):
        find_version(workspace, "")
    with pytest.raises(RegistryError, match=r"^no run '0{32}' in sqlite"):
        find_run(workspace, "0" * 32)
    run = workspace.client.create_run(workspace.client.create_experiment("a"))
    assert read_predictions(workspace, run, "test") is None


def test_a_damaged_table_of_predictions_is_named(project: Project, tmp_path: Path) -> None:
    workspace = Workspace(project)
    run = workspace.client.create_run(workspace.client.create_experiment("a"))
    for text in ("", "utterance,speaker", "utterance,speaker,fold,emotion,predicted,joy\na,b,0,joy", "\x00\n,\n"):
        (tmp_path / "test_predictions.csv").write_text(text, encoding="utf-8")
        workspace.client.log_artifact(run.info.run_id, str(tmp_path / "test_predictions.csv"))
        if "\n" in text or not text:
            with pytest.raises(RegistryError, match=r"^the table test_predictions.csv of run \w+ is damaged"):
                read_predictions(workspace, run, "test")
