"""Published numbers are those of the literature, and their study files are studies."""

from pathlib import Path
from typing import Any

import pytest

from ser_tune.architectures import ARCHITECTURES
from ser_tune.corpora import CORPORA
from ser_tune.definition.sizes import largest_network_bytes
from ser_tune.errors import ConfigError, UnknownNameError
from ser_tune.results import PUBLISHED, published_study
from ser_tune.search import define_study

LABELS = ("chen2018", "fcn-gap", "ntu-ser", "zhang2019")

# (corpus, task, words of who) to (UAR, its deviation, WA, its deviation), in percent as the sources print them
SOURCES = {
    ("emodb", "all", "Chen 2018 3-D ACRNN"): (82.82, 4.99, None, None),
    ("emodb", "all", "Chen 2018 2-D ACRNN"): (79.38, None, None, None),
    ("emodb", "all", "Chen 2018 DNN-ELM"): (71.56, None, None, None),
    ("iemocap", "improvised", "Chen 2018 3-D ACRNN"): (64.74, 5.44, None, None),
    ("iemocap", "improvised", "Zhang 2019 FCN+Attention"): (63.9, None, 70.4, None),
    ("iemocap", "improvised", "NTU-SER ACRNN in PyTorch"): (65.99, 9.51, 66.03, 9.97),
    ("iemocap", "improvised", "samsudinng AlexNet fine-tuned"): (64.4, None, 74.0, None),
    ("iemocap", "improvised", "samsudinng FCN+GAP"): (62.6, None, 73.2, None),
    ("emodb", "all", "EmoBox WavLM-L frozen"): (92.58, None, None, None),
    ("emodb", "all", "EmoBox HuBERT-L frozen"): (89.81, None, None, None),
}
WAVLM = "Goncalves 2024 baseline WavLM large fine-tuned"
# (target, words of who) to macro-F1 in percent, or mean CCC times 100, of the challenges on MSP-Podcast, and WA
CHALLENGES = {
    ("classification", WAVLM): (31.1, None),
    ("classification", "Chen 2024 seven models first place"): (35.69, 37.32),
    ("classification", "Härm 2024 Wav2Vec2-BERT and LLaMA2 second place"): (35.4, None),
    ("classification", "Jon 2025 MATER fourth place"): (41.01, None),
    ("classification", "Ueda 2025 twelve models"): (40.94, 41.28),
    ("classification", "Iury 2025 graph fusion"): (39.79, None),
    ("dimensions", WAVLM): (round(100 * (0.577 + 0.577 + 0.405) / 3, 2), None),
    ("dimensions", "Härm 2024 Wav2Vec2-BERT and LLaMA2 sixth place"): (51.44, None),
    ("dimensions", "Jon 2025 MATER fourth place"): (59.28, None),
}


def test_published_numbers_are_those_of_the_sources() -> None:
    known = {
        (published.corpus, published.task, published.who.replace(",", "")): tuple(
            None if value is None else round(100 * value, 2)
            for value in (published.uar, published.uar_std, published.wa, published.wa_std)
        )
        for published in PUBLISHED
        if published.corpus != "msp_podcast"
    }
    assert known == SOURCES
    challenges = {
        (published.target, published.who.replace(",", "")): tuple(
            None if value is None else round(100 * value, 2)
            for value in (published.macro_f1 if published.ccc is None else published.ccc, published.wa)
        )
        for published in PUBLISHED
        if published.corpus == "msp_podcast"
    }
    assert challenges == CHALLENGES
    assert len(PUBLISHED) == len(SOURCES) + len(CHALLENGES)


def test_every_published_number_says_where_it_stands_and_how_it_came_about() -> None:
    for published in PUBLISHED:
        assert published.source, published.who
        assert published.protocol, published.who
        source = CORPORA.get(published.corpus)
        assert published.task in source.subsets, published.who


def test_numbers_with_a_deviation_over_folds_are_fold_means_of_the_classes_of_their_task() -> None:
    for published in PUBLISHED:
        dimensional = published.target == "dimensions"
        classes = {"emodb": 7, "iemocap": 4, "msp_podcast": 3 if dimensional else 8}[published.corpus]
        assert published.classes == classes, published.who
        assert (published.form == "fold mean") == (
            published.uar_std is not None or published.who.startswith("Chen 2018")
        ), published.who


def test_speaker_dependent_numbers_are_told_apart() -> None:
    for published in PUBLISHED:
        assert ("not comparable" in published.differs) == ("EmoBox" in published.who)


def test_the_labels_are_those_of_the_command() -> None:
    assert sorted(published.label for published in PUBLISHED if published.label) == sorted(LABELS)


def test_published_studies_follow_the_papers_and_their_authors_code(project: Any) -> None:
    chen, zhang = (define_study(published_study(label, project)[1]).config for label in ("chen2018", "zhang2019"))
    written = chen.model.model_dump()
    assert (written["batch_norm"], written["attention"], written["convolution_dropout"]) == ("linear", "sigmoid", 0.0)
    assert chen.protocol.aggregation == "maximum"
    # 5,000 steps without early stopping: 14 steps of 40 segments in an epoch of eight speakers
    assert (chen.training.epochs * 14, chen.training.patience, chen.training.batch_size) == (4998, 0, 40)
    assert zhang.model.model_dump()["weights"] == "imagenet"


@pytest.mark.parametrize("label", LABELS)
def test_every_label_has_a_study_of_its_corpus_and_task_that_searches_nothing(label: str, project: Any) -> None:
    published, file = published_study(label, project)
    definition = define_study(file)
    config = definition.config
    assert definition.search == {}
    assert config.name == label
    assert config.corpus.name == published.corpus
    assert (config.corpus.task or next(iter(CORPORA.get(published.corpus).subsets))) == published.task
    # Excitement counts as happiness where, and only where, the number is of that
    assert bool(config.protocol.merge) == ("excitement" in published.differs)
    assert config.model.name in ARCHITECTURES.names()
    assert (config.study.trials, config.study.pruner, config.study.keep_models) == (5, "none", "all")
    # As DOMAIN.md has it: the corpus's own folds, nobody held out, nothing that has seen the test speakers
    assert (config.protocol.folds, config.protocol.fold_limit, config.protocol.holdout) == (None, None, ())
    assert config.normalisation.scope != "speaker"
    assert config.training.selection == "best_validation_score"
    assert config.training.device == "auto"
    assert f"ser-tune reproduce {label} --data" in file.read_text(encoding="utf-8")
    # And it can be built
    assert largest_network_bytes(definition, tuple("abcdefg" if published.corpus == "emodb" else "abcd")) > 0


def test_a_projects_own_study_file_wins(project: Any) -> None:
    own = project.root / "studies" / "published" / "chen2018.yaml"
    assert published_study("chen2018", project)[1] == Path(__file__).parents[2] / "studies/published/chen2018.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("model: {name: alex_net}\n", encoding="utf-8")
    assert published_study("chen2018", project)[1] == own


def test_an_unknown_name_is_answered_with_those_there_are(project: Any) -> None:
    with pytest.raises(UnknownNameError, match=f"unknown published result 'chen'; choose from: {', '.join(LABELS)}"):
        published_study("chen", project)


def test_a_study_file_that_is_nowhere_is_looked_for_in_two_places(
    project: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ser_tune.results.published_numbers.SHIPPED", tmp_path / "a")
    with pytest.raises(ConfigError, match="the study file of 'ntu-ser' is neither '") as refused:
        published_study("ntu-ser", project)
    assert str(tmp_path / "a" / "published" / "ntu-ser.yaml") in str(refused.value)
