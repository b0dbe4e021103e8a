"""`export`: a registered model as a folder that runs elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Project
from ..tracking import open_delivered

if TYPE_CHECKING:
    from ..export import Exported

__all__ = ["export"]


def export(
    model: str,
    *,
    format: str,  # noqa: A002 - as the option is called
    out: str | Path | None = None,
    recordings: Sequence[str | Path] = (),
    project: Project | None = None,
) -> "Exported":
    """Write a registered model as a folder that runs without MLflow and ser-tune; it appears only when it is checked.

    Args:
        model: `name` (its champion), `name@alias` or `name/version`.
        format: `onnx`, `torchscript`, `safetensors` or `hub`.
        out: Folder to make; None is `NAME-VERSION-FORMAT` in the current one.
        recordings: Sound files to compare the probabilities of `predict` on; none takes eight of the model's corpus.
        project: Where things are; None is `Project.locate()`.

    Raises:
        SerTuneError: There is no such model, it cannot be written in this format, the folder exists, or a probability
            differs by more than 1e-4.
    """
    from ..export import export as write

    project = project or Project.locate()
    workspace = open_delivered(project)
    return write(
        workspace,
        model,
        form=format,
        out=None if out is None else Path(out),
        recordings=[Path(one) for one in recordings],
    )
