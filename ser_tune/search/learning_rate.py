"""Looking for a learning rate on the training speakers of a study's first fold."""

from ..architectures import ARCHITECTURES
from ..config import Project
from ..errors import ConfigError
from ..protocol import Prepared
from ..training import RangeTest, fold_seed, run_range_test
from .observer import StudyObserver
from .trainer import Trainer

__all__ = ["find_learning_rate"]


def find_learning_rate(prepared: Prepared, project: Project, observer: StudyObserver) -> RangeTest:
    """Run the range test of a study's default configuration in its first fold, with trial 0's random numbers.

    Args:
        prepared: The study; its validation and test speakers have no say.
        project: Where the feature cache is.
        observer: Receives the progress of feature extraction.

    Raises:
        SerTuneError: Input fails, or there is no rate to suggest.
    """
    definition, fold = prepared.definition, prepared.folds[0]
    if ARCHITECTURES.get(name := definition.config.model.name).solve is not None:
        raise ConfigError(f"{name} is solved, not trained by gradient descent: it has no learning rate to look for")
    trainer = Trainer(
        prepared, project.cache, progress=observer.extraction_progressed, listened=observer.listening_progressed
    )
    config = trainer.concrete({})
    return run_range_test(
        config,
        trainer.data(config),
        fold.train,
        seed=fold_seed(config.seed, fold.number),
        goal=definition.goal,
    )
