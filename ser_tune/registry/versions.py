"""Finding registered models: by name, alias or version."""

from typing import TYPE_CHECKING

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ..corpora import CORPORA
from ..errors import RegistryError, valid_names
from ..project import Project
from ..stored_names import unknown_model
from ..tasks import DEFAULT_TASK
from ..tracking import Workspace, model_versions, reason_of, registered_models

if TYPE_CHECKING:
    from ..definition import StudyDefinition
    from ..tracking import LoadedModel

__all__ = [
    "CHAMPION",
    "aliases_of",
    "challenger_alias",
    "champion_alias",
    "find_version",
    "is_registered",
    "load_model",
    "registered_name",
]

CHAMPION = "champion"
"""The alias of the best version that recognises one emotion of several; `name` alone is this version."""
CHALLENGER = "challenger"


def registered_name(corpus: str, model: str) -> str:
    """The name that champions of an architecture on a corpus, or a union, are registered under.

    >>> registered_name("emodb", "3d_acrnn"), registered_name("emodb+urdu", "linear_probe")
    ('ser-emodb-3d_acrnn', 'ser-emodb-urdu-linear_probe')
    """
    return f"ser-{corpus.replace('+', '-')}-{model}"


def champion_alias(definition: "StudyDefinition") -> str:
    """The alias of the best version of a study's corpus, architecture and task: every task has its own champion.

    It is `champion` for `classification`. For another task it is the corpus's label that chose the task, such as
    `votes`; where no label chose it, the task's own alias.
    """
    task, corpus = definition.task, definition.config.corpus
    if corpus.task is None:
        return task.champion
    brought = CORPORA.get(corpus.name).defaults_of(corpus.task).get("task.name", DEFAULT_TASK)
    chosen_by_label = brought == task.name != DEFAULT_TASK
    return corpus.task if chosen_by_label else task.champion


def challenger_alias(champion: str) -> str:
    """The alias of the newest version that did not replace the champion of this alias.

    >>> challenger_alias("champion"), challenger_alias("votes")
    ('challenger', 'votes-challenger')
    """
    return CHALLENGER if champion == CHAMPION else f"{champion}-{CHALLENGER}"


def aliases_of(workspace: Workspace, name: str) -> dict[str, str]:
    """Alias to version, which the search for versions does not return. Empty where there is no such model."""
    try:
        return {alias: str(version) for alias, version in workspace.client.get_registered_model(name).aliases.items()}
    except MlflowException:
        return {}


def is_registered(workspace: Workspace, name: str) -> bool:
    """Whether there is a registered model of this name."""
    try:
        workspace.client.get_registered_model(name)
    except MlflowException:  # also where no model can have such a name
        return False
    return True


def find_version(workspace: Workspace, reference: str) -> ModelVersion:
    """A version of a registered model.

    Args:
        workspace: The project's stores.
        reference: `name` (its champion), `name@alias` or `name/version`.

    Raises:
        RegistryError: There is no such model, alias or version; the message lists what there is.
    """
    name, at, alias = reference.partition("@")
    name, slash, number = name.partition("/")
    if not is_registered(workspace, name):
        models = sorted(model.name for model in registered_models(workspace))
        raise unknown_model(name, models)
    if slash:
        numbers = sorted(int(version.version) for version in model_versions(workspace, name=name))
        if number not in map(str, numbers):
            raise RegistryError(f"'{name}' has no version '{number}'; it has: {', '.join(map(str, numbers))}")
        return workspace.client.get_model_version(name, number)
    aliases, wanted = aliases_of(workspace, name), alias if at else CHAMPION
    if wanted not in aliases:
        example = "" if at or not aliases else f"; name a version by its alias, such as {name}@{min(aliases)}"
        raise RegistryError(
            f"'{name}' has no alias '{wanted}'; it has: {valid_names(wanted, sorted(aliases))}{example}"
        )
    return workspace.client.get_model_version(name, aliases[wanted])


def load_model(reference: str, *, tracking_uri: str | None = None) -> "LoadedModel":
    """Load a registered model by name.

    Args:
        reference: `name` (its champion), `name@alias` or `name/version`.
        tracking_uri: MLflow's; None is `MLFLOW_TRACKING_URI`, or the project in `SER_TUNE_ROOT` or the current folder.

    Raises:
        RegistryError: There is no such model, alias or version, its files are gone, or differ from
            those that were promoted.
        StorageError: The tracking store cannot be opened.
    """
    from ..tracking import open_model  # torch: listing versions does without
    from .version_files import version_folder

    workspace = Workspace(Project.locate(tracking_uri=tracking_uri))
    with workspace.errors():
        found = find_version(workspace, reference)
    try:
        return open_model(version_folder(found))
    except (MlflowException, OSError) as error:
        raise RegistryError(f"the files of registered model '{reference}' cannot be read: {reason_of(error)}") from None
