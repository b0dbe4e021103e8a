"""Studies with several objectives: samplers, pruners and machines that cannot serve them are refused."""

from typing import TYPE_CHECKING

from ..config import SearchSettings
from ..definition import StudyDefinition
from ..device import describe_device, processor_name
from ..errors import ConfigError, StudyError
from .pruners import PRUNERS
from .samplers import SAMPLERS

if TYPE_CHECKING:
    import optuna

__all__ = ["refuse_other_machine", "refuse_unable"]

MACHINE = "machine"
"""User attribute of a study: the machine on which an objective is measured."""


def refuse_unable(settings: SearchSettings) -> None:
    """Raise where a study has several objectives, and its sampler or pruner can do with a single objective only.

    Raises:
        ConfigError: The message names the setting.
    """
    if len(settings.objectives) < 2:
        return
    if settings.pruner not in PRUNERS.names():
        raise ConfigError(
            f"study.pruner is {settings.pruner}, and Optuna's pruners decide by a single objective; "
            f"study.objectives has {len(settings.objectives)}: expected racing or none"
        )
    if settings.sampler not in SAMPLERS.modules and not _proposes_for_two(settings):
        raise ConfigError(
            f"study.sampler is {settings.sampler}, which searches by a single objective; study.objectives has "
            f"{len(settings.objectives)}: expected one such as tpe, gp, random or NSGAIISampler"
        )


def refuse_other_machine(study: "optuna.Study", definition: StudyDefinition, threads: int) -> None:
    """Raise where a study measured an objective on another machine; a new study remembers this machine.

    Args:
        study: As stored.
        definition: The study's.
        threads: CPU threads of a fold.

    Raises:
        StudyError: Another machine, or another number of threads.
    """
    import torch

    if not (measured := [objective.name for objective in definition.further if objective.of_device]):
        return
    here = f"{processor_name()}, {describe_device(torch.device('cpu'), threads)}"
    if (there := study.user_attrs.get(MACHINE, here)) != here:
        raise StudyError(
            f"study '{study.study_name}' measures {measured[0]} on {there}; this process runs on {here}, and times of "
            "two machines are not compared: go on there, or give the new study another --name"
        )
    study.set_user_attr(MACHINE, here)


def _proposes_for_two(settings: SearchSettings) -> bool:
    """Whether the sampler proposes values in an empty study with two objectives."""
    import optuna
    from optuna.distributions import FloatDistribution

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = SAMPLERS.get(settings.sampler).build(settings, 0)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    try:
        study.ask({"value": FloatDistribution(0.0, 1.0)})
    except (NotImplementedError, ValueError):
        return False
    return True
