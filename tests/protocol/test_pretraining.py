"""Pretraining contamination: what is known of an encoder's recordings, and where a study says so."""

import itertools

import pytest

from ser_tune.encoders import CHECKPOINTS, find_checkpoint
from ser_tune.features.encoder import EncoderSettings
from ser_tune.features.logspec import LogSpecSettings
from ser_tune.protocol import Protocol, pretraining_of


@pytest.mark.parametrize(
    ("checkpoint", "corpus", "state", "sentence"),
    [
        (
            "superb/hubert-large-superb-er",
            "iemocap",
            "seen",
            "the encoder hubert-large-superb-er learned from iemocap: Libri-Light; fine-tuned on IEMOCAP",
        ),
        (
            "openai/whisper-base",
            "emodb",
            "unknown",
            "whether the encoder whisper-base learned from emodb is unknown: its makers do not disclose their data",
        ),
        (
            "me/mine",
            "emodb",
            "unknown",
            "whether the encoder mine learned from emodb is unknown: it is not in the catalogue of checkpoints",
        ),
        (
            "microsoft/wavlm-base",
            "emodb",
            "other data",
            "the encoder wavlm-base learned from LibriSpeech, 960 h, as published; not from emodb",
        ),
        (
            "microsoft/wavlm-base",
            "manifest",
            "unknown",
            "whether the encoder wavlm-base learned from manifest is unknown: it learned from LibriSpeech, 960 h",
        ),
        (
            "openai/whisper-base",
            "demo",
            "other data",
            "the encoder whisper-base did not learn from the synthetic demo",
        ),
    ],
)
def test_what_is_known_of_pretraining_is_one_sentence(checkpoint: str, corpus: str, state: str, sentence: str) -> None:
    known = pretraining_of({corpus: corpus}, EncoderSettings(checkpoint=checkpoint))
    assert known is not None
    assert (known.state, known.sentence) == (state, sentence)
    assert bool(known.facts) == (state == "seen")


def test_a_spectrogram_has_no_pretraining() -> None:
    assert pretraining_of({"emodb": "emodb"}, LogSpecSettings()) is None


def test_a_checkpoint_is_found_by_its_hub_name_and_by_the_name_of_its_folder() -> None:
    assert find_checkpoint("openai/whisper-base") is find_checkpoint("/models/Whisper-Base/") is not None
    assert find_checkpoint("/models/whisper") is None


def test_every_entry_of_the_catalogue_has_citation_licence_and_size() -> None:
    assert all(one.citation and one.licence and one.parameters_m > 0 for one in CHECKPOINTS.values())
    names = [name.partition("/")[2].casefold() for name in CHECKPOINTS]
    assert len(set(names)) == len(names)  # or a folder's name would not tell which


def test_an_encoder_that_saw_the_corpus_changes_the_fingerprint_and_warns() -> None:
    clean = Protocol(facts={"corpus": "iemocap"})
    known = pretraining_of({"iemocap": "iemocap"}, EncoderSettings(checkpoint="superb/hubert-large-superb-er"))
    assert known is not None
    seen = Protocol(facts={**clean.facts, **known.facts})
    assert seen.fingerprint != clean.fingerprint
    (warning,) = seen.warnings
    assert warning.startswith("pretraining contamination: the encoder hubert-large-superb-er learned from this corpus")


@pytest.mark.parametrize("order", list(itertools.permutations(["a", "b", "emodb"])))
def test_the_order_of_a_union_is_no_part_of_what_its_encoder_saw(order: tuple[str, ...]) -> None:
    readers = {"a": "iemocap", "b": "iemocap", "emodb": "emodb"}
    encoder = EncoderSettings(checkpoint="superb/hubert-large-superb-er")
    known = pretraining_of({name: readers[name] for name in order}, encoder)
    assert known is not None
    assert known.facts == {"pretraining_union": "hubert-large-superb-er learned from a, b"}
