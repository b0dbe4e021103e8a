"""`serve`: a registered model behind HTTP."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Project
from ..errors import RegistryError
from ..registry import find_version, version_folder
from ..tracking import Workspace, model_errors

if TYPE_CHECKING:
    from ..serving import Limits

__all__ = ["serve"]


def serve(
    model: str,
    *,
    host: str = "127.0.0.1",
    port: int = 5001,
    allow_paths: Sequence[str | Path] = (),
    allow_hosts: Sequence[str] = (),
    limits: "Limits | None" = None,
    started: Callable[[str], None] = lambda address: None,
    project: Project | None = None,
) -> None:
    """Answer requests for predictions until a signal ends the server.

    Args:
        model: `name` (its champion), `name@alias` or `name/version`.
        host: Address to listen on.
        port: 0 is a free one.
        allow_paths: Folders of this machine whose files requests may name; none unless told.
        allow_hosts: Names that requests may use for this server beside `localhost`, `host` and the address they were
            sent to; `*` is any.
        limits: What one request may hold; None is the default.
        started: Told the server's address once the model is loaded.
        project: Where things are; None is `Project.locate()`.

    Raises:
        SerTuneError: There is no such model, its files are gone, or the port is taken.
        KeyboardInterrupt: The server was ended.
    """
    from ..serving import Server  # torch, FastAPI

    project = project or Project.locate()
    workspace = Workspace(project)
    with workspace.errors():
        found = find_version(workspace, model)
    try:
        with model_errors():
            folder = str(version_folder(found))
            allowed = [Path(one) for one in allow_paths]
            server = Server(folder, host=host, port=port, allowed=allowed, allow_hosts=allow_hosts, limits=limits)
    except ModuleNotFoundError as error:
        raise RegistryError(str(error)) from None
    started(server.address)
    server.run()
