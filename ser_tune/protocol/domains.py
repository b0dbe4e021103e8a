"""Settings of training on several corpora that need the corpus to be refused."""

from ..corpora import Corpus
from ..definition import StudyDefinition
from ..errors import ConfigError

__all__ = ["refuse_without_corpora"]


def refuse_without_corpora(definition: StudyDefinition, corpus: Corpus) -> None:
    """Refuse settings that are about several corpora where a study has one.

    Raises:
        ConfigError: There is such a setting.
    """
    path, value = "balance.corpora", definition.config.balance.corpora
    if len(corpus.parts) < 2 and (value or path in definition.search):
        raise ConfigError(
            f"{path} {'is searched' if path in definition.search else f'is {value:g}'}, but the study has one corpus, "
            f"{corpus.name}; leave it 0, or name several corpora, such as --corpus emodb=DIR --corpus demo"
        )
