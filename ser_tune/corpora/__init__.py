"""Corpora, one a file. To add one: a module with a `CORPUS`, and its line here."""

from ..components import Catalogue
from .base import Corpus, CorpusSource, Utterance

__all__ = ["CORPORA", "Corpus", "CorpusSource", "Utterance"]

CORPORA: Catalogue[CorpusSource] = Catalogue(
    kind="corpus",
    package=__name__,
    modules={
        "demo": "demo",
        "emodb": "emodb",
        "manifest": "manifest",
    },
    attribute="CORPUS",
)
