"""Several corpora as one: names, classes, refusals, and the settings that users write them with."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser_tune import protocol, search
from ser_tune.api.configuration import define
from ser_tune.config import CorpusSettings
from ser_tune.corpora import CORPORA, Corpus, corpus_sounds, read_sounds, union_source
from ser_tune.corpora.mapping import SYNONYMS
from ser_tune.corpora.mapping_tables import MAPPING_TABLES, map_parts
from ser_tune.errors import ConfigError, SerTuneError
from ser_tune.features import Moments, corpus_features
from ser_tune.project import Project
from tests.features.cached import LOGSPEC, SETTINGS, Counting

HERE = {"ann": ("angry", "sad"), "bob": ("angry", "sad"), "unknown": ("sad",)}
THERE = {"ann": ("anger", "sadness", "pride"), "eve": ("anger", "sadness")}


def _table(folder: Path, name: str, spoken: Mapping[str, Sequence[str]], **columns: str) -> Path:
    """A manifest with a short tone of its own for each utterance."""
    folder.mkdir(parents=True, exist_ok=True)
    table, rows = folder / f"{name}.csv", []
    for speaker, emotions in spoken.items():
        for number, emotion in enumerate(emotions):
            path = f"{name}_{speaker}_{number}.wav"
            rng = np.random.default_rng([*path.encode()])
            soundfile.write(folder / path, 0.1 * rng.standard_normal(4000), 16_000)
            rows.append({"path": path, "speaker": speaker, "emotion": emotion, **columns})
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return table


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("union")
    return _table(folder, "here", HERE, text="hello"), _table(folder, "there", THERE, text="hello", session="a")


def _settings(tables: Sequence[Path], **more: Any) -> CorpusSettings:
    return CorpusSettings.model_validate({"name": "union", "union": [f"manifest={table}" for table in tables], **more})


def _load(settings: CorpusSettings) -> Corpus:
    sources = [CORPORA.get(part.name) for part in settings.parts]
    return union_source(settings, sources, Path()).load()


def test_names_are_unique_and_emotions_are_classes_of_the_union(tables: tuple[Path, Path]) -> None:
    corpus = _load(_settings(tables))
    assert (corpus.name, corpus.parts, corpus.is_union) == ("here+there", ("here", "there"), True)
    assert corpus.speakers == ("here:ann", "here:bob", "there:ann", "there:eve")
    assert corpus.emotions == ("anger", "sadness")
    assert {utterance.text for utterance in corpus.utterances} == {"here:hello", "there:hello"}
    assert {utterance.group for utterance in corpus.utterances} == {"", "there:a"}
    assert [corpus.parts[number] for number in corpus.part_numbers] == [own.corpus for own in corpus.utterances]
    assert all(own.id.startswith(f"{own.corpus}/") for own in corpus.utterances)
    assert len(corpus.utterances) == 9, "pride is of one corpus alone"
    assert [origin.sentence for origin in corpus.origins] == [
        "here: 5 of 5 utterances, anger, sadness; counted angry as anger, sad as sadness",
        "there: 4 of 5 utterances, anger, sadness; left out pride (1)",
    ]


def test_a_speaker_who_is_a_placeholder_is_nobody_in_a_union_too(tables: tuple[Path, Path]) -> None:
    corpus = _load(_settings(tables))
    assert [own.speaker for own, nobody in zip(corpus.utterances, corpus.nobody, strict=True) if nobody] == [
        "here:unknown"
    ]
    named = _load(_settings(tables, names_as_written=["here:unknown"]))
    assert "here:unknown" in named.speakers


def test_two_spellings_of_a_speaker_are_refused_in_their_corpus(tmp_path: Path, tables: tuple[Path, Path]) -> None:
    odd = _table(tmp_path, "set2", {"01": ("anger", "sadness"), "1": ("anger",)})
    with pytest.raises(SerTuneError, match=r"corpus set2 .*1 name is spelt in several ways"):
        _load(_settings((tables[0], odd)))


def test_the_order_of_writing_and_the_places_of_files_are_no_part_of_the_protocol(
    tables: tuple[Path, Path], tmp_path: Path
) -> None:
    def of(*written: str) -> protocol.Prepared:
        flags = {"model.name": "linear_probe", "features.name": "logmelspec", "corpus.union": list(written)}
        definition = search.define_study(flags=flags | {"protocol.folds": 3})
        return protocol.prepare(definition, Project.locate())

    there = tmp_path / "there.csv"
    moved = _table(tmp_path, "there", THERE, text="hello", session="a")
    assert moved == there
    first, second = (f"manifest={table}" for table in tables)
    ways = [of(first, second), of(second, first), of(first, f"manifest={there}")]
    assert len({prepared.protocol.fingerprint for prepared in ways}) == 1
    facts = ways[0].protocol.in_words
    assert facts["corpus"] == "here+there"
    assert facts["label_table"].startswith("here:angry=anger, here:sad=sadness, there:anger=anger, there:pride=,")
    assert [prepared.corpus.name for prepared in ways] == ["here+there", "there+here", "here+there"]
    assert "pride" in " ".join(ways[0].remarks)


def test_a_users_table_decides_and_lists_what_it_leaves_out(tables: tuple[Path, Path], tmp_path: Path) -> None:
    table = tmp_path / "calm or not.csv"
    table.write_text("corpus,emotion,class\n*,anger,loud\nhere,sad,quiet\nthere,pride,quiet\nelsewhere,joy,loud\n")
    corpus = _load(_settings(tables, mapping=str(table)))
    assert corpus.emotions == ("loud", "quiet")
    assert [(origin.label, *origin.mapping.left_out) for origin in corpus.origins if origin.mapping] == [
        ("here",),
        ("there", "sadness"),
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("here,joy,loud\nhere,sad,quiet\n", "line 2: corpus here has no emotion 'joy'; it has angry, sad"),
        ("*,anger,loud\n", "1 class"),
        ("here,angry,loud\nhere,sad,quiet\n", "corpus there has no emotion of the classes loud, quiet"),
        ("here,angry,loud\nhere,angry,quiet\nthere,anger,loud\n", "'angry' of here counts as loud and as quiet"),
    ],
)
def test_a_users_table_that_cannot_be_meant_is_refused(
    tables: tuple[Path, Path], tmp_path: Path, rows: str, message: str
) -> None:
    table = tmp_path / "table.csv"
    table.write_text(f"corpus,emotion,class\n{rows}")
    with pytest.raises(SerTuneError, match=message):
        _load(_settings(tables, mapping=str(table)))


@pytest.mark.parametrize("name", MAPPING_TABLES)
def test_named_tables_map_every_spelling_as_the_usual_name(name: str) -> None:
    classes = MAPPING_TABLES[name].classes
    usual = tuple(sorted(SYNONYMS))
    spelt = tuple(sorted(spelling for names in SYNONYMS.values() for spelling in names))
    found = map_parts({"a": usual, "b": spelt}, name)
    assert found["a"].targets == {emotion: classes[emotion] for emotion in usual if emotion in classes}
    for emotion, names in SYNONYMS.items():
        assert {found["b"].targets.get(spelling) for spelling in names} == {classes.get(emotion)}
    assert found["a"].labels == found["b"].labels == tuple(sorted(set(classes.values())))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.sets(st.sampled_from(sorted(SYNONYMS))).map(lambda names: tuple(sorted({"anger", "sadness", *names}))),
        min_size=2,
        max_size=4,
    )
)
def test_without_a_table_every_corpus_has_every_class(emotions: list[tuple[str, ...]]) -> None:
    found = map_parts({str(number): names for number, names in enumerate(emotions)}, None)
    assert [mapping.unused for mapping in found.values()] == [()] * len(emotions)
    assert set.intersection(*map(set, emotions)) <= set(found["0"].labels)


@pytest.mark.parametrize(
    ("flags", "written", "message"),
    [
        ({"corpus": ["demo", "emodb=x"], "data": "x"}, {}, "--data goes with a single --corpus"),
        ({"corpus": ["demo=x"], "data": "x"}, {}, "--corpus is demo=x, and --data is x"),
        ({"corpus": ["demo", "demo"]}, {}, "two corpora of corpus.union are called demo"),
        ({"corpus": ["demo", "emodb="]}, {}, "is not NAME"),
        ({"corpus": ["demo", "emodb:x=y"]}, {}, "unknown task of corpus emodb 'x'"),
        ({"corpus": ["demo", "iemocap:votes=y"]}, {}, None),
        ({"corpus": "demo", "mapping": "four"}, {}, "corpus.mapping is four of a single corpus"),
        ({"corpus": "demo", "scheme": "train-test", "test_corpus": ["demo"]}, {}, "but the corpus is demo alone"),
        ({"corpus": ["demo", "emodb=x"], "scheme": "train-test"}, {}, "expected protocol.test_corpora"),
        ({"corpus": ["demo", "emodb=x"], "test_corpus": ["demo"]}, {}, "expected scheme train-test"),
        (
            {"corpus": ["demo", "emodb=x"], "scheme": "train-test", "test_corpus": ["ravdess"]},
            {},
            "has 'ravdess'; expected corpora of the union: demo, emodb",
        ),
        (
            {"corpus": ["demo", "emodb=x"], "scheme": "train-test", "test_corpus": ["demo", "emodb"]},
            {},
            "expected some that train",
        ),
        ({"corpus": ["demo", "emodb=x"]}, {"task.name": "dimensions"}, "task dimensions needs dimensions"),
        ({}, {"corpus.union": ["demo"]}, "has demo alone"),
        ({}, {"corpus.name": "union"}, "corpus.union is empty"),
        ({}, {"corpus.name": "demo", "corpus.union": ["demo", "emodb=x"]}, "corpus.name is demo beside"),
        ({}, {"corpus.label": "a/b"}, "corpus.label is 'a/b'"),
    ],
)
def test_corpora_that_do_not_go_together_are_refused(flags: Any, written: Any, message: str | None) -> None:
    if message is None:
        assert define(None, {"model": "linear_probe", "features": "opensmile", **flags}, written).config.corpus.union
        return
    with pytest.raises(ConfigError, match=message):
        define(None, {"model": "linear_probe", "features": "opensmile", **flags}, written)


def test_corpora_on_the_command_line_replace_those_of_a_study_file(tmp_path: Path) -> None:
    file = tmp_path / "cross.yaml"
    file.write_text("model: {name: linear_probe}\ncorpus:\n  union: [emodb=x, demo]\n  mapping: four\n  label: cross\n")
    written = define(file, {}, {}).config.corpus
    assert (written.name, written.mapping, written.shown) == ("union", "four", "cross")
    alone = define(file, {"corpus": "emodb=y"}, {}).config.corpus
    assert (alone.name, alone.data, alone.union, alone.mapping) == ("emodb", Path("y"), (), None)
    others = define(file, {"corpus": ["demo", "emodb=z"]}, {}).config.corpus
    assert (others.union, others.mapping, others.shown) == (("demo", "emodb=z"), "four", "demo+emodb")


def test_settings_of_unions_change_nothing_that_is_stored_of_a_single_corpus() -> None:
    stored = search.define_study(flags={"model.name": "light_cnn"}).as_json()
    for name in ("union", "mapping", "label", "scheme", "test_corpora"):
        assert f'"{name}"' not in stored


def test_features_and_sounds_of_a_union_are_those_of_its_corpora(tables: tuple[Path, Path], tmp_path: Path) -> None:
    corpus, counting = _load(_settings(tables)), Counting()
    progress: list[tuple[int, int]] = []
    found = corpus_features(
        corpus, counting.feature_set(), SETTINGS, tmp_path, progress=lambda done, total: progress.append((done, total))
    )
    assert counting.count == 10
    assert progress == [(done, 10) for done in range(1, 11)]
    for number, utterance in enumerate(corpus.utterances):
        frames = found.frames[found.offsets[number] : found.offsets[number + 1]]
        np.testing.assert_array_equal(frames.transpose(1, 2, 0), LOGSPEC.extract(utterance.speech(), SETTINGS))
    read = Moments.of(found.frames, found.offsets)
    for field in fields(Moments):
        np.testing.assert_array_equal(getattr(found.moments, field.name), getattr(read, field.name))
    for whole in corpus.wholes:
        corpus_features(whole, counting.feature_set(), SETTINGS, tmp_path)
    table = tmp_path / "proud.csv"
    table.write_text("corpus,emotion,class\n*,anger,strong\n*,sadness,weak\n*,pride,strong\n")
    further = _load(_settings(tables, mapping=str(table)))
    assert len(corpus_features(further, counting.feature_set(), SETTINGS, tmp_path).lengths) == 10
    assert counting.count == 10, "a corpus is extracted once, by itself and for every union"
    sounds, own = corpus_sounds(corpus, tmp_path), read_sounds(corpus.utterances)
    assert sounds.digests == own.digests == found.sounds
    assert all(map(np.array_equal, sounds.fingerprints, own.fingerprints))
