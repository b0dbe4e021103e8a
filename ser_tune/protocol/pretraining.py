"""Pretraining contamination: whether a study's encoder learned from the corpus that it is judged on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ..encoders import encoders_among, find_checkpoint, short_name

__all__ = ["Pretraining", "pretraining_of"]

OPEN_CORPORA, SYNTHETIC_CORPORA = ("manifest",), ("demo",)
"""Corpora that hold anybody's recordings, and those that this program makes."""


SEVERITY = ("seen", "unknown", "other data")
"""States, from that which limits a score most."""


@dataclass(frozen=True, slots=True)
class Pretraining:
    """The recordings that an encoder learned from, as far as they are known."""

    encoder: str
    state: Literal["seen", "unknown", "other data"]
    """Whether the study's corpus is among them; in a union, the worst of its corpora's."""
    sentence: str
    seen: tuple[str, ...] = ()
    """Labels of the corpora of a union that the encoder learned from."""

    @property
    def facts(self) -> dict[str, str]:
        """The protocol's fact if the encoder learned from the corpus; else none."""
        if self.seen:
            return {"pretraining_union": f"{self.encoder} learned from {', '.join(self.seen)}"}
        return {"pretraining": self.encoder} if self.state == "seen" else {}


def pretraining_of(corpora: Mapping[str, str], *settings: object) -> Pretraining | None:
    """Look an encoder up in the catalogue of checkpoints, by its name.

    Args:
        corpora: The corpus's name for people, to the name of its reader; of a union each of its corpora.
        settings: Of features and model; the first with a pretrained encoder counts.

    Returns:
        None where there is no pretrained encoder.
    """
    named = next(encoders_among(*settings), None)
    if named is None:
        return None
    found = {name: _of_corpus(named.checkpoint, name, reader) for name, reader in corpora.items()}
    worst = min(found.values(), key=lambda pretraining: SEVERITY.index(pretraining.state))
    if len(found) == 1:
        return worst
    sentences = dict.fromkeys(pretraining.sentence for pretraining in found.values())
    seen = tuple(sorted(name for name, pretraining in found.items() if pretraining.state == "seen"))
    return replace(worst, sentence="; ".join(sentences), seen=seen)


def _of_corpus(checkpoint: str, corpus: str, reader: str) -> Pretraining:
    """Whether an encoder learned from a corpus, by its name and that of its reader."""
    encoder, known = short_name(checkpoint), find_checkpoint(checkpoint)
    if known is not None and reader in known.corpora:
        return Pretraining(encoder, "seen", f"the encoder {encoder} learned from {corpus}: {known.data}")
    if reader in SYNTHETIC_CORPORA:
        return Pretraining(encoder, "other data", f"the encoder {encoder} did not learn from the synthetic {corpus}")
    if known is None:
        reason = "it is not in the catalogue of checkpoints"
    elif not known.data:
        reason = "its makers do not disclose their data"
    elif reader in OPEN_CORPORA:
        reason = f"it learned from {known.data}"
    else:
        return Pretraining(
            encoder, "other data", f"the encoder {encoder} learned from {known.data}, as published; not from {corpus}"
        )
    return Pretraining(encoder, "unknown", f"whether the encoder {encoder} learned from {corpus} is unknown: {reason}")
