"""`promote` and `models`: what is registered."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Project
from ..registry import RegisteredVersion, listed_versions

if TYPE_CHECKING:
    from ..registry import Promotion

__all__ = ["models", "promote"]


def promote(
    name: str,
    *,
    trial: int | None = None,
    as_name: str | None = None,
    rule: str | None = None,
    refit: bool = False,
    data: str | Path | None = None,
    project: Project | None = None,
) -> "Promotion":
    """Register a trial of a stored study.

    Args:
        name: The study's.
        trial: Which trial; None is the best.
        as_name: What to register it as; None is `ser-<corpus>-<model>`.
        rule: When it becomes champion: better, confident, robust or always; None is the study's.
        refit: Whether to register one network trained on all speakers instead of the folds'.
        data: Where the corpus is now; None is where it was.
        project: Where things are; None is `Project.locate()`.

    Raises:
        SerTuneError: There is no such study or trial, its model was not kept, or the corpus is another now.
    """
    from ..coordination import load_study
    from ..protocol import prepare
    from ..registry import promote as promote_in_registry  # torch and MLflow: listing versions does without
    from ..tracking import Workspace

    project = project or Project.locate()
    study, definition = load_study(name, project)
    prepared = prepare(definition.with_data(None if data is None else Path(data)), project)
    prepared.refuse_other_protocol(study)
    workspace = Workspace(project)
    return promote_in_registry(workspace, prepared, study, trial=trial, name=as_name, with_refit=refit, rule=rule)


def models(*, project: Project | None = None) -> Sequence[RegisteredVersion]:
    """Every version of every registered model, by name and then newest first."""
    return listed_versions(project or Project.locate())
