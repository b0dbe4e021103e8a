"""The model card of a registered version: numbers, limits and the recall of every speaker."""

import csv
from pathlib import Path

from tests.model_cards import section, table_of
from tests.opened_studies import Opened

NAME = "ser-manifest-alex_net"


def test_a_model_card_says_what_a_reader_must_know(located: Opened) -> None:
    card = str(located.workspace.client.get_model_version_by_alias(NAME, "champion").description)
    metrics = located.runs[located.best].data.metrics
    assert card.startswith("# alex_net with logmelspec on manifest\n")
    assert "champion: there was no champion before." in card
    assert "- rule: better" in card.splitlines()
    data = section(card, "Data")
    assert "16 utterances, 4 speakers, emotions anger, joy" in data
    assert "Licence: as its owner says" in data
    scores = table_of(section(card, "Metrics"))
    for side in ("validation", "test"):
        for cell, name in zip(scores[side], ("uar", "wa"), strict=False):
            low, high = (metrics[f"{side}_{name}_{end}"] for end in ("low", "high"))
            assert cell == f"{metrics[f'{side}_{name}']:.4f} [{low:.3f}, {high:.3f}]"
    recalls = table_of(section(card, "Recall by class"))
    for emotion in ("anger", "joy"):
        assert recalls[emotion] == [f"{metrics[f'{side}_recall/{emotion}']:.3f}" for side in ("validation", "test")]
    assert f"Fingerprint {located.prepared.protocol.fingerprint}." in section(card, "Protocol")
    for name, value in located.prepared.protocol.in_words.items():
        assert f"- {name.replace('_', ' ')}: {value}" in section(card, "Protocol").splitlines()
    assert section(card, "Intended use")
    assert "- Not for decisions about people." in section(card, "Limits").splitlines()
    assert "arXiv 1404.5997" in section(card, "Citation")


def test_a_model_card_has_the_recall_of_every_speaker(located: Opened, tmp_path: Path) -> None:
    card = str(located.workspace.client.get_model_version_by_alias(NAME, "champion").description)
    told = table_of(section(card, "UAR by speaker"))
    assert list(told) == ["ada", "bob", "cyd", "dan"]
    run_id = located.runs[located.best].info.run_id
    for column, side in enumerate(("validation", "test")):
        file = Path(located.workspace.client.download_artifacts(run_id, f"{side}_predictions.csv", str(tmp_path)))
        with file.open(encoding="utf-8", newline="") as table:
            rows = list(csv.DictReader(table))
        for speaker, cells in told.items():
            recalls = []
            for emotion in ("anger", "joy"):
                own = [row for row in rows if row["speaker"] == speaker and row["emotion"] == emotion]
                recalls.append(sum(row["predicted"] == emotion for row in own) / len(own))
            assert cells[column] == f"{sum(recalls) / 2:.3f} (4)"
