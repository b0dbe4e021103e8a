"""Settings of training on several corpora that only the corpus and its folds can refuse."""

from collections.abc import Sequence

import numpy as np

from ..corpora import Corpus
from ..definition import StudyDefinition
from ..errors import ConfigError
from ..folds import Fold

__all__ = ["refuse_unfitting_corpora"]


def refuse_unfitting_corpora(definition: StudyDefinition, corpus: Corpus, folds: Sequence[Fold]) -> None:
    """Refuse settings that are about several corpora where a study, or a training side, has one.

    Raises:
        ConfigError: There is such a setting.
    """
    config, search = definition.config, definition.search
    if len(corpus.parts) < 2:
        for path, is_set in (
            ("balance.corpora", config.balance.corpora > 0),
            ("alignment.kind", config.alignment.kind == "whitening"),
        ):
            if is_set or (path == "balance.corpora" and path in search):
                raise ConfigError(
                    f"{path} is {'set' if is_set else 'searched'}, but the study has one corpus, {corpus.name}; leave "
                    "it out, or name several corpora, such as --corpus emodb=DIR --corpus demo"
                )
    if config.alignment.kind == "whitening":
        for fold in folds:
            trained = np.unique(corpus.part_numbers[fold.train])
            if len(trained) < 2:
                raise ConfigError(
                    f"alignment.kind is whitening, which is between training corpora, but fold {fold.number} trains on "
                    f"{corpus.parts[trained[0]]} alone; leave it none, or add another corpus"
                )
