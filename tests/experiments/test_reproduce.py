"""A published configuration on several seeds: what is trained, what is compared, what is said of it."""

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_tune.definition import Difference
from ser_tune.errors import StudyError
from ser_tune.experiments import Obtained, Reproduction, reproduce
from ser_tune.metrics import METRICS
from ser_tune.protocol import Protocol, prepare
from ser_tune.resampling import Interval, fold_interval, seed_interval, sums_of
from ser_tune.results import PUBLISHED, Published
from ser_tune.search import define_study
from ser_tune.tracking import Predictions, Workspace, read_predictions
from tests.project_copies import copy_project

pytestmark = pytest.mark.slow

QUICK = ("--set", "training.epochs=1", "--set", "training.batch_size=8")
CHEN = PUBLISHED[0]
UAR, WA = METRICS.get("uar"), METRICS.get("wa")


KNOWN, UNKNOWN = Interval(0.7, 0.8), Interval(math.nan, math.nan)


def _outcome(
    published: float | None,
    interval: Interval = KNOWN,
    equivalence: Interval = KNOWN,
    *changed: Difference,
    form: Any = "pooled",
    fold_mean: Interval = UNKNOWN,
    folds: int = 10,
    classes: int = 2,
) -> Reproduction:
    """A pooled UAR with two intervals and a fold mean with one, beside a published UAR; the margin is 0.03."""
    number = Published(
        who="A", corpus="emodb", task="all", source="S", protocol="P", uar=published, classes=classes, form=form
    )
    return Reproduction(
        number,
        [{"test_uar": 0.7}, {"test_uar": 0.8}],
        Obtained("pooled", 0.75, interval, equivalence),
        Obtained("fold mean", 0.74, fold_mean, fold_mean),
        intervals={"uar": interval, "wa": interval},
        margin=0.03,
        folds=folds,
        folds_of_protocol=10,
        protocol=Protocol({"emotions": ("anger", "joy")}),
        changed=changed,
    )


NARROW, WIDE = Interval(0.74, 0.76), Interval(0.6, 0.9)


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (_outcome(0.75, NARROW, NARROW), "reproduced"),
        (_outcome(0.765, NARROW, NARROW), "reproduced"),  # another number, but one that makes no practical difference
        (_outcome(0.75, WIDE, NARROW), "reproduced"),  # the 90 % interval is what the tests are of
        (_outcome(0.75, WIDE, WIDE), "undecided"),  # so wide that it contains everything
        (_outcome(0.775, NARROW, NARROW), "undecided"),  # not wholly within the margin, nor wholly outside it
        (_outcome(0.80, NARROW, NARROW), "not reproduced"),
        (_outcome(0.70, NARROW, NARROW), "not reproduced"),
        (_outcome(0.80, WIDE, NARROW), "undecided"),  # the 95 % interval is what excludes
        (_outcome(0.75, NARROW, NARROW, form="fold mean", fold_mean=WIDE), "undecided"),
        (_outcome(0.75, WIDE, WIDE, form="fold mean", fold_mean=NARROW), "reproduced"),
        (_outcome(0.75, NARROW, NARROW, form="unknown", fold_mean=NARROW), "reproduced"),
        (_outcome(0.75, NARROW, NARROW, form="unknown", fold_mean=WIDE), "undecided"),
        (_outcome(0.75, NARROW, NARROW, folds=9), "no verdict"),
        (_outcome(0.75, NARROW, NARROW, classes=4), "no verdict"),
        (_outcome(None), "no verdict"),
        (_outcome(0.75, UNKNOWN, UNKNOWN), "no verdict"),
        (_outcome(0.75, NARROW, NARROW, form="fold mean"), "no verdict"),
    ],
)
def test_a_published_number_is_reproduced_not_reproduced_or_undecided(outcome: Reproduction, state: str) -> None:
    assert outcome.state == state
    assert outcome.verdict.startswith(f"{state}: ")


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (
            _outcome(0.75, NARROW, NARROW),
            "reproduced: the pooled UAR 0.7500 has the 90 % interval [0.740, 0.760], which lies within 0.03 of the "
            "published 0.7500",
        ),
        (
            _outcome(0.80, NARROW, NARROW),
            "not reproduced: the pooled UAR 0.7500 has the 95 % interval [0.740, 0.760], of which nothing lies within "
            "0.03 of the published 0.8000",
        ),
        (
            _outcome(0.75, NARROW, NARROW, form="unknown", fold_mean=WIDE),
            "undecided: the pooled UAR 0.7500 has the 90 % interval [0.740, 0.760], which lies within 0.03 of the "
            "published 0.7500; the fold mean UAR 0.7400 has the 95 % interval [0.600, 0.900], of which a part lies "
            "within 0.03 of the published 0.7500; the source does not say which of the two it is",
        ),
        (
            _outcome(0.75, KNOWN, KNOWN, Difference("model.width", 0.5, 1.0)),
            "no verdict: model.width is 0.5, not 1.0 in the study file",
        ),
        (_outcome(None), "no verdict: there is no interval to compare with"),
        (_outcome(0.75, UNKNOWN, UNKNOWN), "no verdict: there is no interval to compare with"),
        (_outcome(0.75, classes=4), "no verdict: 2 emotions are told apart, not the 4 of the published UAR"),
        (
            _outcome(0.75, NARROW, NARROW, folds=2),
            "no verdict: 2 of 10 folds were trained; on these the pooled UAR 0.7500 has the 90 % interval "
            "[0.740, 0.760], which lies within 0.03 of the published 0.7500",
        ),
    ],
)
def test_the_verdict_in_words(outcome: Reproduction, words: str) -> None:
    assert outcome.verdict == words


def test_a_verdict_from_a_single_seed_says_what_its_interval_lacks() -> None:
    outcome = replace(_outcome(0.75, NARROW, NARROW), seeds=[{"test_uar": 0.75}])
    assert outcome.verdict.endswith("of a single seed, so the interval has no variation between seeds")


def test_a_margin_that_is_no_difference_of_scores_is_refused(
    tiny: Callable[..., Any], project: Any, recorder: Any
) -> None:
    for margin in (0, 3):
        with pytest.raises(StudyError, match=f"the margin is {margin}; expected a difference of UAR between 0 and 1"):
            reproduce(Workspace(project), prepare(tiny(), project), CHEN, recorder, margin=margin)


def test_a_fold_mean_has_an_interval_over_folds_and_the_verdict_one_of_90_percent(
    tiny: Callable[..., Any], project: Any, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed = {"optimizer.learning_rate": 0.01, "optimizer.weight_decay": 0.0, "study.trials": 2, "study.pruner": "none"}
    prepared = prepare(tiny(**fixed, **{"study.keep_models": "all"}), project)
    utterances, targets = prepared.corpus.utterances, prepared.targets
    truth = targets.values
    rng = np.random.default_rng(0)
    told = [
        Predictions(
            prepared.definition.task,
            targets.names,
            tuple(utterance.id for utterance in utterances),
            tuple(utterance.speaker for utterance in utterances),
            truth,
            np.where(rng.random(len(truth)) < 0.6, truth, 1 - truth),
        )
        for _ in range(2)
    ]
    tested = {"test_uar": 0.6, "test_uar_fold_mean": 0.5}
    module = sys.modules[reproduce.__module__]
    monkeypatch.setattr(module, "train_seeds", lambda *_: [0, 1])
    monkeypatch.setattr(module, "score_on_test", lambda *_: tested)
    monkeypatch.setattr(module, "predictions_of", lambda *_: told)
    found = reproduce(Workspace(project), prepared, CHEN, recorder)
    speakers = np.stack([row.sums(UAR) for row in told])
    fold_of = np.empty(len(truth), dtype=int)
    for fold in prepared.folds:
        fold_of[fold.test] = fold.number
    by_fold = np.stack([sums_of(UAR, truth, row.predicted, fold_of, 2) for row in told])
    assert found.pooled == Obtained("pooled", 0.6, seed_interval(UAR, speakers), seed_interval(UAR, speakers, 0.9))
    of_folds = (fold_interval(UAR, by_fold), fold_interval(UAR, by_fold, 0.9))
    assert found.fold_mean == Obtained("fold mean", 0.5, *of_folds)
    assert found.intervals == {"uar": found.pooled.interval, "wa": seed_interval(WA, speakers)}
    assert found.fold_mean.interval != found.pooled.interval


def test_a_mean_is_over_seeds() -> None:
    assert _outcome(0.8).mean("test_uar") == pytest.approx(0.75)


@pytest.fixture(scope="module")
def reproduced(
    databases: Path, call: Callable[..., Any], study_file: Path, corpus_csv: Path, once: Callable[..., Path]
) -> Path:
    """`ser-tune reproduce chen2018 --seeds 2` in a project whose chen2018 is the tiny study."""

    def _run(folder: Path) -> None:
        root = copy_project(databases, folder / "project")
        own = root / "studies" / "published"
        own.mkdir(parents=True)
        settings, _ = study_file.read_text(encoding="utf-8").split("search:")
        text = f"{settings}search: {{}}\nname: chen2018\ncorpus: {{name: manifest}}\n"
        (own / "chen2018.yaml").write_text(text.replace("startup_trials", "pruner: none, startup_trials"))
        told = call(root, "reproduce", "chen2018", "--data", corpus_csv, "--seeds", "2", *QUICK)
        assert told.code == 0, told.err
        (folder / "told").write_text(told.out, encoding="utf-8")

    return once("reproduced", _run)


@pytest.fixture
def opened(reproduced: Path, open_study: Callable[..., Any]) -> Any:
    return open_study(reproduced / "project", "chen2018")


def test_trainings_differ_by_their_seed_alone(opened: Any) -> None:
    first, other = (dict(opened.runs[number].data.params) for number in (0, 1))
    assert {name for name in first if first[name] != other[name]} == {"seed"}
    assert (first["seed"], other["seed"]) == ("0", "1")


def test_each_seed_is_tested_and_the_interval_is_over_speakers_and_seeds(opened: Any, reproduced: Path) -> None:
    lines = (reproduced / "told").read_text(encoding="utf-8").splitlines()
    metrics = [opened.runs[number].data.metrics for number in (0, 1)]
    read = [read_predictions(opened.workspace, opened.runs[number], "test") for number in (0, 1)]
    sums = np.stack([predictions.sums(UAR) for predictions in read if predictions is not None])
    uar, wa = seed_interval(UAR, sums), seed_interval(WA, sums)
    cells = [[cell for cell in line.split("  ") if cell] for line in lines]
    assert [cell.strip() for cell in cells[1]] == [
        "published: Chen 2018, 3-D ACRNN, mean over folds",
        "0.8282 ± 0.0499",
    ]
    means = {name: np.mean([metric[f"test_{name}"] for metric in metrics]) for name in ("uar", "wa")}
    assert [cell.strip() for cell in cells[2]] == [
        "obtained: mean of 2 seeds, pooled",
        f"{means['uar']:.4f}" + (f" [{uar.low:.3f}, {uar.high:.3f}]" if uar.known else ""),
        f"{means['wa']:.4f}" + (f" [{wa.low:.3f}, {wa.high:.3f}]" if wa.known else ""),
    ]
    assert cells[3][0].strip() == "obtained: mean ± deviation over folds"
    assert [cell.strip() for cell in cells[4]] == [
        "seed 0, pooled",
        f"{metrics[0]['test_uar']:.4f}",
        f"{metrics[0]['test_wa']:.4f}",
    ]
    assert lines[6].startswith(f"published protocol: {CHEN.protocol} ({CHEN.source})")
    assert lines[7] == f"protocol here: {opened.prepared.protocol.fingerprint}, 3 folds"
    # Its training was set to take no time, so it is not the published one any more
    assert lines[8].startswith("no verdict: training.batch_size is 8, not 2; ")


def test_the_same_command_trains_nothing_again(call: Callable[..., Any], reproduced: Path, corpus_csv: Path) -> None:
    told = call(reproduced / "project", "reproduce", "chen2018", "--data", corpus_csv, "--seeds", "2", *QUICK)
    assert told.out == (reproduced / "told").read_text(encoding="utf-8")
    assert "has all of its 2 trials" in told.err


def test_an_unknown_name_lists_the_names(call: Callable[..., Any], root: Path) -> None:
    told = call(root, "reproduce", "chen2019")
    assert told.code == 2
    assert "unknown published result 'chen2019'; choose from: chen2018, fcn-gap, ntu-ser, zhang2019" in told.err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, r"study .* searches optimizer\.learning_rate, optimizer\.weight_decay; .* write 'search: \{\}'"),
        (
            {"optimizer.learning_rate": 0.01, "optimizer.weight_decay": 0.0, "study.keep_models": 1},
            "keeps some models only; every seed's is tested: keep all",
        ),
    ],
    ids=["search", "models"],
)
def test_what_is_no_reproduction_is_refused_before_it_runs(
    tiny: Callable[..., Any], project: Any, recorder: Any, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        reproduce(Workspace(project), prepare(tiny(**settings), project), CHEN, recorder)
    assert not recorder.started


def test_seeds_of_a_model_without_random_numbers_are_refused(corpus_csv: Path, project: Any, recorder: Any) -> None:
    flags: dict[str, object] = {"model.name": "linear_probe", "features.name": "logmelspec", "study.trials": 2}
    definition = define_study(None, flags=flags | {"corpus.name": "manifest", "corpus.data": corpus_csv})
    alone = definition.without_search()
    twice = alone.config.study.model_copy(update={"trials": 2, "keep_models": "all"})
    solved = prepare(replace(alone, config=alone.config.model_copy(update={"study": twice})), project)
    with pytest.raises(StudyError, match="trains 2 seeds: linear_probe is solved without random numbers"):
        reproduce(Workspace(project), solved, CHEN, recorder)
    assert not recorder.started


@pytest.mark.usefixtures("plugged")
def test_a_published_uar_is_not_reproduced_with_another_objective(
    tiny: Callable[..., Any], project: Any, recorder: Any
) -> None:
    fixed = {"optimizer.learning_rate": 0.01, "optimizer.weight_decay": 0.0, "study.trials": 1}
    prepared = prepare(tiny(**fixed, **{"study.objectives": ["error"]}), project)
    words = r"study .* has the objective error; a published number is reproduced with uar$"
    with pytest.raises(StudyError, match=words):
        reproduce(Workspace(project), prepared, CHEN, recorder)
    assert not recorder.started


def test_a_seed_that_fails_is_told(tiny: Callable[..., Any], project: Any, recorder: Any) -> None:
    from ser_tune.errors import NonFiniteLossError

    def fail(fold: int, epoch: int) -> None:
        raise NonFiniteLossError("the loss is nan")

    recorder.on_epoch = fail
    fixed = {"optimizer.learning_rate": 0.01, "optimizer.weight_decay": 0.0, "study.trials": 1}
    words = "0 of 1 trainings are complete; trial 0 failed: NonFiniteLossError: the loss is nan; the same"
    for _ in range(2):  # the second call tries it again
        with pytest.raises(StudyError, match=words):
            reproduce(Workspace(project), prepare(tiny(**fixed), project), CHEN, recorder)
    assert [config.seed for _, config, _ in recorder.trials] == [0, 0]


def test_an_interruption_stays_one(tiny: Callable[..., Any], project: Any, recorder: Any) -> None:
    def interrupt(fold: int, epoch: int) -> None:
        raise KeyboardInterrupt

    recorder.on_epoch = interrupt
    fixed = {"optimizer.learning_rate": 0.01, "optimizer.weight_decay": 0.0, "study.trials": 1}
    with pytest.raises(KeyboardInterrupt):
        reproduce(Workspace(project), prepare(tiny(**fixed), project), CHEN, recorder)
