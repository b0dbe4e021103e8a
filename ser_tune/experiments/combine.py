"""Combination: the mean of the probabilities of trials, registered as a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow.entities import Run

from ..errors import RegistryError, StorageError
from ..prediction import Committee
from ..protocol import Prepared, prepare
from ..registry import Promotion, promote_combination, refuse_changed_model, refuse_unusable
from ..results import find_results, recorded
from ..tracking import (
    MEMBERS_TAG,
    MLFLOW_RUN_NOTE,
    MODEL_TAG,
    PRETRAINING_TAG,
    STUDY_NAME_TAG,
    TRIAL_TAG,
    Workspace,
    log_predictor,
    name_of,
    networks_tags,
    open_run,
    origin_tags,
    protocol_of,
    read_predictions,
    read_predictor,
    score_on_validation,
    search_runs,
)

__all__ = ["Combination", "combine"]


@dataclass(frozen=True, slots=True)
class Combination:
    """Trials whose probabilities are averaged."""

    members: Sequence[Run]
    run: Run
    promotion: Promotion


def combine(
    workspace: Workspace,
    references: Sequence[str],
    *,
    top: int = 1,
    data: Path | None = None,
    name: str | None = None,
    rule: str | None = None,
) -> Combination:
    """Average the probabilities of trials of the same protocol, fold by fold, and register them as a model.

    A heterogeneous ensemble, as Caruana et al. 2004 (ICML) select from a library of models; here the caller chooses the
    members, whose weights are equal. Validation and test speakers are scored as for a trial: each by the networks that
    did not train on them, test speakers by those that did not validate on them either.

    Args:
        workspace: The project's stores.
        references: Registered models, studies (`STUDY` or `STUDY:TRIAL`) or runs.
        top: Number of the best configurations of a study without a trial's number. All seeds of a configuration are
            members: an average over seeds chooses none of them.
        data: Where the corpus is now; None is where it was.
        name: Of the registered model; None is `ser-<corpus>-<model>`, with `combined` for several architectures.
        rule: The promotion rule, which determines whether it becomes champion.

    Raises:
        RegistryError: There are not two different trials, or the model of a trial was not kept.
        ProtocolError: Their protocols differ; the message names the differences.
        StorageError: The combination cannot be stored.
    """
    refuse_unusable(rule, name)
    with workspace.errors():
        members = _members(workspace, references, top)
        first, *others = members
        for other in others:
            what = f"{_trial_name(first)} and {_trial_name(other)} cannot be combined"
            protocol_of(first).refuse_other(protocol_of(other), what)
        definition, _ = recorded(workspace, first)
        prepared = prepare(definition.with_data(data), workspace.project)
        protocol_of(first).refuse_other(prepared.protocol, f"{_trial_name(first)} cannot be scored on this corpus")
        for member in members:
            refuse_changed_model(workspace, member.data.tags[MODEL_TAG])
        committee = Committee([read_predictor(f"models:/{member.data.tags[MODEL_TAG]}") for member in members])
        run = _run(workspace, prepared, members, committee)
    promotion = promote_combination(
        workspace,
        prepared,
        run,
        committee,
        members=[_trial_name(member) for member in members],
        name=name,
        rule=rule,
    )
    return Combination(members=members, run=run, promotion=promotion)


def _members(workspace: Workspace, references: Sequence[str], top: int) -> list[Run]:
    """The trials that references name, without repetition, in their order."""
    found: dict[str, Run] = {}
    for reference in references:
        found |= {run.info.run_id: run for result in find_results(workspace, reference, top) for run in result.runs}
    for run in found.values():
        if TRIAL_TAG not in run.data.tags:
            raise RegistryError(f"run {run.info.run_id} ({name_of(run)}) is no trial; combine trials")
        if MODEL_TAG not in run.data.tags:
            raise RegistryError(
                f"the model of {_trial_name(run)} was not kept; run its study with more --keep-models, or name its "
                "trials that are kept"
            )
    if len(found) < 2:
        raise RegistryError(f"{', '.join(map(repr, references))}: {len(found)} trial; expected at least two to combine")
    return list(found.values())


def _trial_name(run: Run) -> str:
    """Study and number of a trial, such as `first:3`."""
    return f"{run.data.tags[STUDY_NAME_TAG]}:{run.data.tags[TRIAL_TAG]}"


def _pretraining(members: Sequence[Run]) -> dict[str, str]:
    """The tag of the member whose pretraining limits the score most."""
    states = {member.data.tags.get(PRETRAINING_TAG) for member in members}
    worst = next((state for state in ("seen", "unknown", "other data") if state in states), None)
    return {} if worst is None else {PRETRAINING_TAG: worst}


def _run(workspace: Workspace, prepared: Prepared, members: Sequence[Run], committee: Committee) -> Run:
    """The combination's run with validation scores and model, from an earlier call or new."""
    experiment = workspace.experiment(prepared.corpus.name)
    identity = " ".join(sorted(member.info.run_id for member in members))
    ended = search_runs(workspace, "", [experiment], tags={MEMBERS_TAG: identity}, finished=True)
    if (earlier := next(ended, None)) is not None:
        return earlier
    names = [_trial_name(member) for member in members]
    recipes = [member.recipe for member in committee.members]
    params = {
        "members": " + ".join(names),
        "model.name": " + ".join(dict.fromkeys(recipe.model.name for recipe in recipes)),
        "features.name": " + ".join(dict.fromkeys(recipe.features.name for recipe in recipes)),
    }
    tags = {
        MEMBERS_TAG: identity,
        **networks_tags(committee),
        **_pretraining(members),
        MLFLOW_RUN_NOTE: f"The mean of what these trials' networks say, fold by fold: {', '.join(names)}.",
        **origin_tags(prepared.corpus, prepared.protocol),
    }
    try:
        with open_run(workspace, experiment, name=f"combination of {len(members)}", tags=tags) as run_id:
            for name, value in params.items():
                workspace.client.log_param(run_id, name, value)
            run = workspace.client.get_run(run_id)
            score_on_validation(workspace, run, prepared, committee)
            found = read_predictions(workspace, run, "validation")
            sets = None if found is None else found.sets
            model_id = log_predictor(workspace, run, committee, name="model", tags={MEMBERS_TAG: identity}, sets=sets)
            workspace.client.set_tag(run_id, MODEL_TAG, model_id)
    except OSError as error:
        raise StorageError(f"the combination could not be stored: {error}") from None
    return workspace.client.get_run(run_id)
