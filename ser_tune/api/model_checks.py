"""`check-model`: a registered model against a file of tests, before it is released."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from .. import registry, results, search, tracking
from .. import report as reports
from ..errors import ConfigError
from ..stored_names import refuse_unknown_model
from .arguments import Argument, Data, RegisteredModel, located
from .comparisons import LabelMap
from .configuration import corpus_settings

if TYPE_CHECKING:
    from ..project import Project
    from ..results import ModelCheck

__all__ = ["CheckedModel", "check_model"]


@dataclass(frozen=True, slots=True)
class CheckedModel:
    """The results of a model's tests, and where they are stored."""

    check: "ModelCheck"
    html: str
    """One page about them."""
    run_id: str
    """MLflow's; nested under the version's run."""


def check_model(
    model: RegisteredModel,
    *,
    corpus: Annotated[Sequence[str] | str, Argument(metavar="NAME[:TASK][=DATA]", completes="corpora")],
    tests: Path | str | None = None,
    data: Data = None,
    task: str | None = None,
    table: Annotated[str | None, Argument(option="--mapping")] = None,
    mapping: LabelMap = None,
    skip_trained: bool = False,
    on_condition: Callable[[str], None] = lambda note: None,
    project: "Project | None" = None,
) -> CheckedModel:
    """Check a registered model against a file of tests before its release; exit code 1 where one fails.

    Tests are thresholds of scores, of gaps between groups, of losses in worse recordings, of calibration, time and
    size. On the model's own corpus each fold network is judged by its own test speakers. The results are logged as a
    run of the version.

    Args:
        model: NAME (its champion), NAME@ALIAS, NAME/VERSION.
        corpus: Corpus, of `ser-tune corpus list`, or manifest; several are a union. Repeatable.
        tests: The file of tests, YAML; default: studies/gates/default.yaml.
        data: The corpus's folder; for manifest, its CSV file.
        task: One of the corpus's tasks, of `ser-tune corpus list`; default: its first.
        table: The table that maps the emotions of several corpora to classes, as of studies.
        mapping: As in `evaluate`: count an emotion, or dimension, of the corpus as one of the model. Repeatable.
        skip_trained: Leave recordings out that the model was trained on.
        on_condition: Receives each condition before it is judged.
        project: Where things are; None is `Project.locate()`.

    Raises:
        SerTuneError: There is no such model, corpus or test, labels cannot be mapped, or the model was trained on
            recordings.
    """
    from ..config import SHIPPED_TESTS, read_model_tests  # pydantic

    project = located(project)
    path = search.shipped(Path(tests or SHIPPED_TESTS))
    thresholds = read_model_tests(path)
    registry.refuse_unknown_tests(thresholds, path)
    refuse_unknown_model(model, project, or_study=True)
    workspace = tracking.open_delivered(project)
    judged = corpus_settings(corpus, data=data, task=task, mapping=table)
    setup = results.set_up_evaluation(workspace, model, corpus=judged, mapping=mapping, skip_trained=skip_trained)
    if setup.version is None:
        raise ConfigError(f"'{model}' is a nested study; expected a registered model, which can be released")
    check = results.check_evaluated(setup, thresholds, path, on_condition)
    html = reports.check_page(check)
    return CheckedModel(check, html, results.log_check(workspace, check, html))
