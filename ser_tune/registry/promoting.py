"""Promoting a study's trial, or a combination of trials, to a registered model, as champion or challenger.

A version is compared with the present champion on the validation speakers, and only under the same protocol. Test
speakers are scored here, once for each version; their scores are not compared.
"""

import re
import shlex
import time
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import optuna
from mlflow.entities import Run

from ..architectures.networks import threshold_of
from ..coordination import complete_trials, is_elsewhere, shown_trials, values_of
from ..definition import StudyDefinition
from ..errors import RegistryError
from ..prediction import Committee
from ..promotion_rules import PROMOTION_RULES
from ..protocol import Prepared
from ..resampling import seed_interval
from ..search import FreshSeeds, Selection, refit, summarise
from ..tracking import (
    MODEL_TAG,
    TRIAL_TAG,
    Workspace,
    deliver_waiting,
    draw_validation,
    find_runs,
    log_predictor,
    log_selection,
    no_randomness,
    objective_of,
    open_predictor,
    read_predictions,
    read_selection,
    score_on_test,
    what_was_deleted,
)
from .model_card import Networks
from .registration import Promotion, Registration
from .verdict import Confirmed
from .versions import registered_name

__all__ = ["promote", "promote_combination", "refuse_unusable"]

DELIVERY_S = 60.0
"""For how long the run of a trial is waited for that another machine trained: it delivers while the study goes on."""


def promote(
    workspace: Workspace,
    prepared: Prepared,
    study: optuna.Study,
    *,
    trial: int | Confirmed | None = None,
    name: str | None = None,
    with_refit: bool = False,
    rule: str | None = None,
) -> Promotion:
    """Make a trial a version of a registered model, after what waits of its study is delivered to MLflow.

    Args:
        workspace: The project's stores.
        prepared: The study's corpus and folds, as they were when it ran.
        study: Its record in Optuna.
        trial: Its number, or its score on fresh seeds. None is the best: of a study with a confirmation its winner.
        name: What to register it as; None is `ser-<corpus>-<model>`.
        with_refit: Register one network trained on all speakers instead of the folds' networks.
        rule: When it becomes champion, of `PROMOTION_RULES`; None is the study's own rule.

    Raises:
        RegistryError: There is no such complete trial, or its model was not kept.
        UnknownNameError: There is no such rule.
        StorageError: The tracking store fails.
    """
    config = prepared.definition.config
    rule, name = rule or config.study.promotion, name or registered_name(config.corpus.shown, config.model.name)
    refuse_unusable(rule, name)
    with workspace.errors():
        number = _complete_trial(study, trial.trial if isinstance(trial, Confirmed) else trial)
        deliver_waiting(workspace, study.user_attrs["study_id"])
        experiment = workspace.experiment(prepared.corpus.name)
        run = _run(workspace, experiment, study, number)
        metrics = score_on_test(workspace, run, prepared)
        draw_validation(workspace, run)
        confirmed = trial if isinstance(trial, Confirmed) else None
        if trial is None and (found := summarise(study).gain) is not None and found.winner.middle == number:
            confirmed = _confirmed(workspace, experiment, study, found.winner)
        if isinstance(trial, Confirmed):
            selection = trial.selection
        else:
            selection = _selection(workspace, experiment, study, number)
        if selection is not None:
            log_selection(workspace, [run.info.run_id], selection)
        ensemble = int(run.data.params.get("model.networks", "1"))
        return Registration(
            workspace=workspace,
            prepared=prepared,
            run=run,
            metrics=metrics,
            name=name,
            study=study.study_name,
            trial=number,
            networks=Networks(len(prepared.folds), ensemble, parts=((config.model, config.features),)),
            rule=rule,
            confirmed=confirmed,
            refit=partial(_log_refit, workspace, run, prepared, study) if with_refit else None,
            selection=selection,
        ).register()


def promote_combination(
    workspace: Workspace,
    prepared: Prepared,
    run: Run,
    committee: Committee,
    *,
    members: Sequence[str],
    name: str | None = None,
    rule: str | None = None,
) -> Promotion:
    """Make a combination of trials a version of a registered model.

    Args:
        workspace: The project's stores.
        prepared: The corpus and folds that all members share.
        run: The combination's; it has validation scores and a model.
        committee: That model.
        members: The name of each member, for people.
        name: What to register it as; None is `ser-<corpus>-<model>`, with `combined` for several architectures.
        rule: As for `promote`.

    Raises:
        UnknownNameError: There is no such rule.
        StorageError: The tracking store fails.
    """
    config = prepared.definition.config
    recipes = [member.recipe for member in committee.members]
    models = {recipe.model.name for recipe in recipes}
    name = name or registered_name(config.corpus.shown, models.pop() if len(models) == 1 else "combined")
    rule = rule or config.study.promotion
    refuse_unusable(rule, name)
    with workspace.errors():
        return Registration(
            workspace=workspace,
            prepared=prepared,
            run=run,
            metrics=score_on_test(workspace, run, prepared, predictor=committee),
            name=name,
            study=" + ".join(members),
            trial=None,
            networks=Networks(
                folds=len(prepared.folds),
                ensemble=sum(recipe.model.ensemble_size for recipe in recipes),
                configurations=len(members),
                parts=tuple(dict.fromkeys((recipe.model, recipe.features) for recipe in recipes)),
            ),
            rule=rule,
        ).register()


def refuse_unusable(rule: str | None, name: str | None) -> None:
    """Refuse what a promotion would refuse, before anything else is done; None is a default.

    Raises:
        UnknownNameError: There is no such rule.
        RegistryError: No registered model can have such a name.
    """
    if rule is not None:
        PROMOTION_RULES.check(rule)
    if name is not None and not re.fullmatch(r"\w[\w.-]*", name):
        raise RegistryError(
            f"'{name}' cannot be a registered model's name; expected a letter or digit, then letters, digits, '_', '-' "
            "and '.'"
        )


def _run(workspace: Workspace, experiment: str, study: optuna.Study, number: int) -> Run:
    """The run of a trial, which has its model; or a `RegistryError` with the remedy."""
    name, study_id = study.study_name, study.user_attrs["study_id"]
    run = _runs(workspace, experiment, study, [number]).get(number)
    if run is None:
        missing = f"trial {number} of study '{name}' has no run in {workspace.store}"
        if deleted := what_was_deleted(workspace, name, study_id):
            raise RegistryError(f"{missing}: {deleted}")
        raise RegistryError(
            f"{missing}: it was removed for good, or is in another tracking store; pass its --tracking-uri, or train "
            f"the best configurations again in a new study with --warm-start {shlex.quote(name)}"
        )
    if MODEL_TAG not in run.data.tags:
        raise RegistryError(
            f"the model of trial {number} of study '{name}' was not kept; run the study with more --keep-models"
        )
    return run


def _runs(workspace: Workspace, experiment: str, study: optuna.Study, needed: Sequence[int]) -> Mapping[int, Run]:
    """The runs of a study's trials; waits a while for needed runs of other machines."""
    elsewhere = {trial.number for trial in shown_trials(study) if is_elsewhere(trial)}
    until = time.monotonic() + DELIVERY_S
    while True:
        runs = find_runs(workspace, experiment, study.user_attrs["study_id"])[1]
        late = [
            number
            for number in elsewhere.intersection(needed)
            if number not in runs or runs[number].info.status == "RUNNING"
        ]
        if not late or time.monotonic() > until:
            return runs
        time.sleep(1.0)


def _selection(workspace: Workspace, experiment: str, study: optuna.Study, number: int) -> Selection | None:
    """The score of a study's winner without the choice, also logged to the study's run; None of another trial."""
    best = summarise(study).best
    if best is None or best[0] != number:
        return None
    found = read_selection(workspace, experiment, study)
    parent, _ = find_runs(workspace, experiment, study.user_attrs["study_id"])
    if found is not None and parent is not None:
        log_selection(workspace, [parent.info.run_id], found)
    return found


def _confirmed(workspace: Workspace, experiment: str, study: optuna.Study, fresh: FreshSeeds) -> Confirmed | None:
    """The winner's score on fresh seeds.

    None where a run or its predictions were deleted, and where every seed, the search's included, predicts the same:
    without randomness seeds confirm nothing.
    """
    runs = _runs(workspace, experiment, study, fresh.numbers)
    read = {
        number: read_predictions(workspace, runs[number], "validation")
        for number in (*fresh.numbers, fresh.trial)
        if number in runs
    }
    known = {number: predictions for number, predictions in read.items() if predictions is not None}
    if not known.keys() >= set(fresh.numbers) or no_randomness(list(known.values())):
        return None
    objective = objective_of(runs[fresh.numbers[0]])
    interval = seed_interval(objective, np.stack([known[number].sums(objective) for number in fresh.numbers]))
    return Confirmed(fresh.mean, interval.low, interval.high, len(fresh.numbers), fresh.middle)


def _complete_trial(study: optuna.Study, wanted: int | None) -> int:
    """The number of the trial to promote, which must have completed."""
    if wanted is None and "queue" in study.user_attrs:
        raise RegistryError(
            f"study '{study.study_name}' trains configurations of another study again, and its best seed would be "
            "optimistic; use `ser-tune confirm`, or name a trial with --trial"
        )
    if wanted is None:
        best = summarise(study).best
        if best is None:
            raise RegistryError(f"study '{study.study_name}' has no complete trial to promote")
        return best[0]
    complete = [trial.number for trial in complete_trials(shown_trials(study))]
    if wanted not in complete:
        shown = ", ".join(map(str, complete[:20])) or "none"
        raise RegistryError(f"study '{study.study_name}' has no complete trial {wanted}; complete are: {shown}")
    return wanted


def _log_refit(workspace: Workspace, run: Run, prepared: Prepared, study: optuna.Study, epochs: int) -> str:
    """Train a network of a trial's configuration on all speakers; its identifier as a logged model of the run."""
    params, number = run.data.params, int(run.data.tags[TRIAL_TAG])
    decided = {key: params[key] for key in ("training.device", "training.precision", "training.threads")}
    values = next(values_of(trial) for trial in shown_trials(study) if trial.number == number)
    config = prepared.definition.trial(values | decided, seed=int(params["seed"]))
    found = read_predictions(workspace, run, "validation")
    errors = () if found is None else found.task.errors(found.truth, found.predicted, len(found.names))
    return log_predictor(
        workspace,
        run,
        refit(
            prepared, config, epochs, workspace.project, errors=errors, thresholds=_thresholds(run, prepared.definition)
        ),
        name="refit",
        tags={TRIAL_TAG: str(number)},
        sets=None if found is None else found.sets,
    )


def _thresholds(run: Run, definition: StudyDefinition) -> np.ndarray | None:
    """The mean of the thresholds of a run's fold networks, shape (K,); None where the task has none."""
    if definition.task.thresholds is None:
        return None
    networks = open_predictor(f"models:/{run.data.tags[MODEL_TAG]}").networks
    mean: np.ndarray = np.mean([threshold_of(network) for network in networks], axis=0)
    return mean
