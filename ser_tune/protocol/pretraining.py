"""Pretraining contamination: whether a study's encoder learned from the corpus that it is judged on."""

from dataclasses import dataclass
from typing import Literal

from ..encoders import encoders_among, find_checkpoint, short_name

__all__ = ["Pretraining", "pretraining_of"]

OPEN_CORPORA, SYNTHETIC_CORPORA = ("manifest",), ("demo",)
"""Corpora that hold anybody's recordings, and those that this program makes."""


@dataclass(frozen=True, slots=True)
class Pretraining:
    """The recordings that an encoder learned from, as far as they are known."""

    encoder: str
    state: Literal["seen", "unknown", "other data"]
    """Whether the study's corpus is among them."""
    sentence: str

    @property
    def facts(self) -> dict[str, str]:
        """The protocol's fact if the encoder learned from the corpus; else none."""
        return {"pretraining": self.encoder} if self.state == "seen" else {}


def pretraining_of(corpus: str, *settings: object) -> Pretraining | None:
    """Look an encoder up in the catalogue of checkpoints, by its name.

    Args:
        corpus: The corpus's name.
        settings: Of features and model; the first with a pretrained encoder counts.

    Returns:
        None where there is no pretrained encoder.
    """
    named = next(encoders_among(*settings), None)
    if named is None:
        return None
    encoder, known = short_name(named.checkpoint), find_checkpoint(named.checkpoint)
    if known is not None and corpus in known.corpora:
        return Pretraining(encoder, "seen", f"the encoder {encoder} learned from {corpus}: {known.data}")
    if corpus in SYNTHETIC_CORPORA:
        return Pretraining(encoder, "other data", f"the encoder {encoder} did not learn from the synthetic {corpus}")
    if known is None:
        reason = "it is not in the catalogue of checkpoints"
    elif not known.data:
        reason = "its makers do not disclose their data"
    elif corpus in OPEN_CORPORA:
        reason = f"it learned from {known.data}"
    else:
        return Pretraining(
            encoder, "other data", f"the encoder {encoder} learned from {known.data}, as published; not from {corpus}"
        )
    return Pretraining(encoder, "unknown", f"whether the encoder {encoder} learned from {corpus} is unknown: {reason}")
