"""`ser-tune audit`: each planted fault is found by its check and by no other, and clean splits are left alone."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from sklearn.metrics import f1_score

from ser_tune.audit.sound_checks import pairs_of

Call = Callable[..., Any]
Plant = Callable[..., None]
EMODB = Path(__file__).parents[3] / "shared" / "corpora" / "emodb"
PREDICTED = {
    "ada": ("anger", "anger", "anger", "anger"),
    "bob": ("anger", "anger", "anger", "joy"),
    "cyd": ("joy", "anger", "joy", "joy"),
    "dan": ("anger", "joy", "anger", "joy"),
    "eve": ("anger", "anger", "joy", "anger"),
    "fay": ("anger", "anger", "joy", "anger"),
}
"""What a model said of two angry and two joyful recordings of each speaker."""


def test_a_clean_split_is_left_alone(call: Call, plot: Any) -> None:
    told = call(plot.folder, "audit", plot.write(), "--data", plot.folder)
    assert (told.code, told.err) == (0, "")
    assert told.out.splitlines()[-1] == f"{plot.folder / 'split.csv'}: 24 recordings, 1 fold: nothing found"


def _speaker_overlap(plot: Any) -> None:
    plot.of("eve")[0]["speaker"] = "ada"


def _telling_texts(plot: Any) -> None:
    for row in plot.rows:
        row["text"] = f"{row['emotion']} {row['text']}"


def _recording_on_two_sides(plot: Any) -> None:
    plot.rows.append({**plot.of("eve")[0], "split": "train"})


def _validation_is_test(plot: Any) -> None:
    plot.rows = [row for row in plot.rows if row["speaker"] != "dan"]
    plot.rows += [{**row, "split": "val"} for row in plot.of("eve") + plot.of("fay")]


def _validation_within_training(plot: Any) -> None:
    plot.rows = [row for row in plot.rows if row["speaker"] != "dan"]
    plot.rows += [{**row, "split": "dev"} for row in plot.of("ada")]


def _copy_in_another_container(plot: Any) -> None:
    samples, rate_hz = soundfile.read(plot.folder / plot.of("eve")[0]["path"], dtype="int16")
    plot.add("copy.flac", samples, rate_hz, speaker="bob", emotion="joy")


def _near_copy(plot: Any, change: Callable[[np.ndarray], tuple[np.ndarray, int]]) -> None:
    samples, _ = soundfile.read(plot.folder / plot.of("eve")[0]["path"])
    plot.add("copy.wav", *change(samples), speaker="bob")


def _quieter(plot: Any) -> None:
    _near_copy(plot, lambda samples: (0.3 * samples, 16_000))


def _trimmed(plot: Any) -> None:
    _near_copy(plot, lambda samples: (samples[320:], 16_000))


def _resampled(plot: Any) -> None:
    _near_copy(plot, lambda samples: (soxr.resample(samples, 16_000, 8000), 8000))


def _class_that_is_not_tested(plot: Any) -> None:
    plot.rows = [row for row in plot.rows if (row["split"], row["emotion"]) != ("test", "joy")]


def _class_that_does_not_train(plot: Any) -> None:
    plot.rows = [row for row in plot.rows if (row["split"], row["emotion"]) != ("train", "joy")]


def _two_emotions(plot: Any) -> None:
    plot.rows.append({**plot.of("ada")[0], "emotion": "joy"})


def _two_rows(plot: Any) -> None:
    plot.rows.append(plot.of("fay")[0])


def _another_spelling_on_the_other_side(plot: Any) -> None:
    plot.of("eve")[0]["speaker"] = "\uff21DA"


def _another_spelling_of_a_tested_speaker(plot: Any) -> None:
    plot.of("eve")[0]["speaker"] = " Eve\u200b"


def _another_spelling_of_an_emotion(plot: Any) -> None:
    for row in [row for row in plot.rows if row["emotion"] == "joy"][::2]:
        row["emotion"] = "JOY"


def _an_emotion_that_is_a_placeholder(plot: Any) -> None:
    for row in [row for row in plot.rows if row["emotion"] == "joy"][::2]:
        row["emotion"] = "nan"


def _truncated_file(plot: Any) -> None:
    file = plot.folder / plot.of("bob")[0]["path"]
    file.write_bytes(file.read_bytes()[:5000])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plant", "found", "verdict"),
    [
        (_speaker_overlap, {"speakers"}, "1 of 6 speakers are on two sides: training and test"),
        (_telling_texts, {"texts"}, "4 of 4 texts are on two sides; text-only baseline: UAR 1.000, chance 0.500"),
        (_recording_on_two_sides, {"recordings", "speakers"}, "1 of 24 recordings are on two sides"),
        (_validation_is_test, {"validation", "recordings", "speakers"}, "validation is the test side (8 recordings)"),
        (
            _validation_within_training,
            {"validation", "recordings", "speakers"},
            "validation lies within training (4 recordings)",
        ),
        (_copy_in_another_container, {"sound", "sound labels"}, "copy.flac (training) and eve_anger_go.wav (test)"),
        (_quieter, {"near-identical sound"}, "copy.wav (training) and eve_anger_go.wav (test)"),
        (_trimmed, {"near-identical sound"}, "copy.wav (training) and eve_anger_go.wav (test)"),
        (_resampled, {"near-identical sound"}, "copy.wav (training) and eve_anger_go.wav (test)"),
        (_class_that_is_not_tested, {"classes"}, "test has no joy"),
        (_class_that_does_not_train, {"classes"}, "training has no joy"),
        (_two_emotions, {"labels"}, "ada_anger_go.wav has the emotions anger, joy"),
        (_truncated_file, {"audio"}, "1 of 24 recordings cannot be used, and their sound is not checked"),
        (_another_spelling_on_the_other_side, {"speakers", "names"}, "1 of 6 speakers are on two sides: training and"),
        (_another_spelling_of_a_tested_speaker, {"names"}, "speaker in several spellings: 'Eve\\u200b' (1), 'eve' (3)"),
        (_another_spelling_of_an_emotion, {"names"}, "emotion in several spellings: 'JOY' (6), 'joy' (6)"),
        (_an_emotion_that_is_a_placeholder, {"names"}, "emotion that is a placeholder: 'nan' (6)"),
        (_two_rows, {"labels"}, "fay_anger_go.wav has two rows on the test side"),
    ],
)
def test_a_planted_fault_is_found(call: Call, plot: Any, plant: Plant, found: set[str], verdict: str) -> None:
    plant(plot)
    told = call(plot.folder, "audit", plot.write(), "--data", plot.folder, "--format", "json")
    assert told.code == 1, told.err
    audit = json.loads(told.out)
    faults = {
        finding["check"]: finding["verdict"] for finding in audit["findings"] if finding["status"] in ("leak", "wrong")
    }
    assert set(faults) == found
    assert any(verdict in found_verdict for found_verdict in faults.values())
    assert audit["ok"] is False


@pytest.fixture
def predicted(plot: Any) -> Any:
    """A split of six folds with predictions; more joy than anger, so that no two metrics are equal."""
    plot.by_fold()
    for speaker, labels in PREDICTED.items():
        for row, label in zip(plot.of(speaker), labels, strict=True):
            row["prediction"] = label
    plot.rows = [row for row in plot.rows if row["path"] not in ("ada_anger_go.wav", "bob_anger_go.wav")]
    return plot


def _by_hand(rows: list[dict[str, str]]) -> dict[str, float]:
    def _recalls(of: list[dict[str, str]]) -> dict[str, float]:
        right = [row["emotion"] == row["prediction"] for row in of]
        recalls = [
            np.mean([row["prediction"] == emotion for row in of if row["emotion"] == emotion])
            for emotion in ("anger", "joy")
        ]
        f1 = f1_score(*([row[name] for row in of] for name in ("emotion", "prediction")), average="macro")
        return {"WA": float(np.mean(right)), "UAR": float(np.mean(recalls)), "macro-F1": float(f1)}

    folds = [_recalls([row for row in rows if row["fold"] == fold]) for fold in PREDICTED]
    means = {f"{name}-mean": float(np.mean([fold[name] for fold in folds])) for name in ("UAR", "WA", "macro-F1")}
    return _recalls(rows) | means


def test_metrics_are_recomputed(call: Call, predicted: Any) -> None:
    told = call(predicted.folder, "audit", predicted.write(), "--format", "json")
    assert told.code == 0, told.out
    metrics = json.loads(told.out)["metrics"]
    wanted = _by_hand(predicted.rows)
    assert len({round(value, 4) for value in wanted.values()}) == 6  # else the tests below prove nothing
    assert {name: score["value"] for name, score in metrics.items()} == pytest.approx(wanted)
    low, high = metrics["UAR"]["interval"]
    assert low < wanted["UAR"] < high
    assert metrics["UAR-mean"]["interval"] is None


@pytest.mark.parametrize(
    ("claims", "verdicts"),
    [
        ({"UAR": "UAR", "WA": "WA"}, None),
        ({"UAR-mean": "UAR-mean"}, None),
        ({"macro-F1": "macro-F1"}, None),
        ({"UAR": "WA", "WA": "UAR"}, ["WA and UAR are swapped; pooled UAR is", "WA and UAR are swapped; pooled WA is"]),
        ({"macro-F1": "WA"}, ["is claimed as pooled macro-F1 and equals pooled WA; pooled macro-F1 is"]),
        ({"UAR": "WA"}, ["is claimed as pooled UAR and equals pooled WA; pooled UAR is"]),
        ({"UAR": "UAR-mean"}, ["is claimed as pooled UAR and equals fold mean UAR; pooled UAR is"]),
        ({"WA-mean": "WA"}, ["is claimed as fold mean WA and equals pooled WA; fold mean WA is"]),
    ],
)
def test_a_claim_is_called_what_it_is(
    call: Call, predicted: Any, claims: dict[str, str], verdicts: list[str] | None
) -> None:
    values = _by_hand(predicted.rows)
    options = [part for name, other in claims.items() for part in ("--claim", f"{name}={100 * values[other]:.2f}")]
    told = call(predicted.folder, "audit", predicted.write(), *options, "--format", "json")
    found = [finding for finding in json.loads(told.out)["findings"] if finding["check"] == "claim"]
    assert len(found) == len(claims)
    if verdicts is None:
        assert (told.code, {finding["status"] for finding in found}) == (0, {"ok"})
        return
    assert (told.code, {finding["status"] for finding in found}) == (1, {"wrong"})
    for verdict, finding in zip(verdicts, found, strict=True):
        assert verdict in finding["verdict"]


def test_a_claim_that_is_no_metric_is_beside_its_interval(call: Call, predicted: Any) -> None:
    told = call(predicted.folder, "audit", predicted.write(), "--claim", "ua=0.999")
    assert told.code == 1
    assert "0.999 is claimed as pooled UAR and equals no metric of the predictions; pooled UAR is " in told.out
    assert ", and the claim lies outside the interval" in told.out


@pytest.mark.slow
@pytest.mark.parametrize(("name", "data"), [("demo", None), ("emodb", EMODB)])
def test_the_folds_of_studies_are_clean(
    call: Call, tmp_path: Path, shared_cache: Path, name: str, data: Path | None
) -> None:
    from ser_tune.corpora import CORPORA, Corpus
    from tests.folding import speaker_folds

    if data and not data.is_dir():
        pytest.skip("EmoDB is not on this machine")
    corpus = Corpus.load(CORPORA.get(name), data, shared_cache)
    rows = [
        (utterance.path.resolve(), utterance.speaker, utterance.emotion, fold.number, side, utterance.text)
        for fold in speaker_folds(corpus)
        for side in ("train", "validation", "test")
        for utterance in (corpus.utterances[number] for number in getattr(fold, side))
    ]
    with (tmp_path / "split.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "speaker", "emotion", "fold", "split", "text"), *rows])
    told = call(tmp_path, "audit", tmp_path / "split.csv", "--data", tmp_path)
    assert told.code == 0, told.out
    recordings, folds = len(corpus.utterances), len(speaker_folds(corpus))
    assert f": {recordings} recordings, {folds} folds: nothing found" in told.out.splitlines()[-1]


def test_a_manifest_with_folds_is_clean(call: Call, plot: Any) -> None:
    plot.by_fold()
    told = call(plot.folder, "audit", plot.write(), "--data", plot.folder)
    assert told.code == 0, told.out
    assert told.out.splitlines()[-1].endswith("24 recordings, 6 folds: nothing found; not checked: validation")


def test_a_page_escapes_what_the_file_says(call: Call, plot: Any) -> None:
    plot.of("eve")[0]["speaker"] = plot.of("ada")[0]["speaker"] = "<script>alert(1)</script>"
    told = call(plot.folder, "audit", plot.write(), "--format", "html")
    assert told.code == 1
    assert "<script>alert" not in told.out
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in told.out
    assert 'class="leak"' in told.out
    assert "://" not in told.out  # needs no other file


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("split", "holdout", "line 2: 'split' is 'holdout'; expected train, validation (val, dev) or test"),
        ("emotion", "", "line 2: the cell 'emotion' is empty"),
        ("prediction", "rage", "the prediction 'rage' is no emotion of it; it has anger, joy"),
    ],
)
def test_a_wrong_table_ends_with_2(call: Call, plot: Any, column: str, value: str, message: str) -> None:
    for row in plot.rows:
        row.setdefault(column, "")
    plot.rows[0][column] = value
    call(plot.folder, "audit", plot.write()).refused(message)


def test_what_cannot_be_audited_ends_with_2(call: Call, plot: Any) -> None:
    table = plot.write()
    call(plot.folder, "audit", "none.csv").refused("'none.csv' does not exist; expected a CSV, a file of JSON,")
    call(plot.folder, "audit", table, "--claim", "UAR=0.7").refused("has no predictions, which --claim needs")
    call(plot.folder, "audit", table, "--claim", "F1=0.7").refused("--claim is 'F1=0.7'; expected METRIC=NUMBER")
    call(plot.folder, "audit", table, "--data", plot.folder / "none").refused("does not exist")
    assert call(plot.folder, "audit", table, "--format", "pdf").code == 2
    plot.rows = [row for row in plot.rows if row["split"] != "test"]
    call(plot.folder, "audit", plot.write()).refused("has no test rows; expected some of train and of test")


def test_python_callers_have_the_same(plot: Any) -> None:
    from ser_tune import api

    _speaker_overlap(plot)
    found = api.audit(plot.write(), data=plot.folder)
    assert not found.ok
    (leak,) = [finding for finding in found.findings if not finding.clean]
    assert (leak.check, leak.status, leak.details) == ("speakers", "leak", ("training and test: ada",))


def test_many_identical_recordings_make_as_many_pairs_as_connect_them() -> None:
    assert len(list(pairs_of(range(100)))) == 100 * 99 / 2
    assert list(pairs_of(range(10_000))) == [(number, number + 1) for number in range(9_999)]
