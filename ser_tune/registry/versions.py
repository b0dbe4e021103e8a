"""Finding registered models: by name, alias or version."""

from typing import TYPE_CHECKING

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ..config import Project
from ..errors import RegistryError, valid_names
from ..tracking import open_tracking, tracking_errors
from .listing import RegisteredVersion

if TYPE_CHECKING:
    from ..tracking import LoadedModel

__all__ = [
    "CHAMPION",
    "aliases_of",
    "find_version",
    "list_versions",
    "load_model",
    "registered_name",
]

CHAMPION = "champion"


def registered_name(corpus: str, model: str) -> str:
    """The name that champions of an architecture on a corpus are registered under.

    >>> registered_name("emodb", "3d_acrnn")
    'ser-emodb-3d_acrnn'
    """
    return f"ser-{corpus}-{model}"


def aliases_of(client: MlflowClient, name: str) -> dict[str, str]:
    """Alias to version; the search for versions does not tell them."""
    try:
        return {alias: str(version) for alias, version in client.get_registered_model(name).aliases.items()}
    except MlflowException:
        return {}


def list_versions(client: MlflowClient) -> list[RegisteredVersion]:
    """Every version of every registered model that a store or server has, by name and then newest first."""
    versions = []
    with tracking_errors(client.tracking_uri):
        for model in client.search_registered_models(max_results=1000):
            aliases = aliases_of(client, model.name)
            found = client.search_model_versions(f"name = '{model.name}'", max_results=10_000)
            versions += [
                RegisteredVersion(
                    name=model.name,
                    version=str(one.version),
                    aliases=tuple(sorted(alias for alias, version in aliases.items() if version == str(one.version))),
                    tags=dict(one.tags),
                )
                for one in sorted(found, key=lambda one: -int(one.version))
            ]
    return sorted(versions, key=lambda one: one.name)


def find_version(client: MlflowClient, reference: str) -> ModelVersion:
    """A version of a registered model.

    Args:
        client: MLflow.
        reference: `name` (its champion), `name@alias` or `name/version`.

    Raises:
        RegistryError: There is no such model, alias or version; the message lists what there is.
    """
    name, at, alias = reference.partition("@")
    name, slash, number = name.partition("/")
    models = {model.name for model in client.search_registered_models(max_results=1000)}
    if name not in models:
        raise RegistryError(f"no registered model '{name}'; there are: {valid_names(name, sorted(models))}")
    aliases = aliases_of(client, name)
    if slash:
        found = sorted(int(one.version) for one in client.search_model_versions(f"name = '{name}'", max_results=10_000))
        if number not in map(str, found):
            raise RegistryError(f"'{name}' has no version '{number}'; it has: {', '.join(map(str, found))}")
        return client.get_model_version(name, number)
    wanted = alias if at else CHAMPION
    if wanted not in aliases:
        raise RegistryError(f"'{name}' has no alias '{wanted}'; it has: {valid_names(wanted, sorted(aliases))}")
    return client.get_model_version(name, aliases[wanted])


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
    from ..tracking import LoadedModel, open_predictor  # torch: listing versions does without
    from .files import version_folder

    client = open_tracking(Project.locate(tracking_uri=tracking_uri))
    with tracking_errors(client.tracking_uri):
        found = find_version(client, reference)
    try:
        return LoadedModel(open_predictor(str(version_folder(found))))
    except (MlflowException, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise RegistryError(f"the files of registered model '{reference}' cannot be read: {reason}") from None
