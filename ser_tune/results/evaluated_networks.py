"""Networks that an evaluation scores: all of a version together, or each on speakers whom it was not trained on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..config import together
from ..corpora import Corpus, Utterance
from ..features import Condition, Disturbance
from ..folds import never_seen
from ..prediction import Draw, Heard
from ..protocol import Prepared
from ..row_groups import rows_by
from ..tasks import Task
from ..tracking import LoadedModel, model_errors

__all__ = ["EvaluatedNetworks", "all_networks", "fold_networks", "nested_networks"]

AT_ONCE = 32
"""Utterances predicted at once, where no speaker's or corpus's must stay together."""


@dataclass(frozen=True, slots=True)
class EvaluatedNetworks:
    """Networks, and the utterances of a corpus that they judge."""

    description: str
    """In words, as tables show it."""
    corpus: Corpus
    numbers: np.ndarray
    """Numbers in the corpus of the utterances that are judged, shape (N,)."""
    rows: np.ndarray
    """Places of these among all utterances that the networks can judge, shape (N,)."""
    judge: Callable[[np.ndarray, Condition | None], np.ndarray]
    """From rows and a condition of the recordings to outputs in the form of the task, shape (N, K)."""
    judge_heard: Callable[[np.ndarray, Draw], np.ndarray] | None = None
    """From rows and a draw of their speakers' other utterances to outputs; None where the networks do not adapt."""
    judges_alone: bool = True
    """Whether an utterance can be judged when nothing else of its speaker was heard."""

    @classmethod
    def of(
        cls,
        description: str,
        corpus: Corpus,
        numbers: np.ndarray,
        judge: Callable[[np.ndarray, Condition | None], np.ndarray],
        adapting: "_Adapting | None" = None,
    ) -> "EvaluatedNetworks":
        """Judge everything."""
        by_heard, alone = (None, True) if adapting is None else adapting
        return cls(description, corpus, numbers, np.arange(len(numbers)), judge, by_heard, alone)

    @property
    def utterances(self) -> Sequence[Utterance]:
        """The utterances that are judged."""
        return [self.corpus.utterances[number] for number in self.numbers]

    @property
    def corpus_name(self) -> str:
        """The corpus's name for its users; of some corpora of a union, their labels."""
        present = {utterance.corpus for utterance in self.utterances}
        labels = [origin.label for origin in self.corpus.origins if origin.label in present]
        some = self.corpus.is_union and len(labels) < len(self.corpus.origins)
        return "+".join(labels) if some else self.corpus.name

    def only(self, chosen: np.ndarray) -> "EvaluatedNetworks":
        """Judge fewer utterances: those of a mask of shape (N,)."""
        return replace(self, numbers=self.numbers[chosen], rows=self.rows[chosen])

    def outputs(self, condition: Condition | None = None) -> np.ndarray:
        """Judge the utterances.

        Args:
            condition: Disturbs each recording before it is judged; None leaves it clean.

        Returns:
            Outputs in the form of the task, shape (N, K).
        """
        return self.judge(self.rows, condition)


_Adapting = tuple[Callable[[np.ndarray, Draw], np.ndarray], bool]
"""`judge_heard` and `judges_alone` of networks that adapt."""


def _adapting(recipes: Sequence[Any], judge: Callable[[np.ndarray, Draw], np.ndarray]) -> _Adapting | None:
    """Scores by utterances heard, of recipes of the models' own copies of ser_tune; None where none of them adapts."""
    if not all(hasattr(recipe, "adaptation") and recipe.normalisation.batch_norm != "speaker" for recipe in recipes):
        return None
    adapting = [recipe for recipe in recipes if together(recipe) == "speaker"]
    if not adapting:
        return None
    return judge, all(recipe.adapts or recipe.hop_s is not None for recipe in adapting)


def all_networks(
    predictor: Any,  # noqa: ANN401 - of the model's own copy of ser_tune
    task: Task,
    corpus: Corpus,
    numbers: np.ndarray,
    cache: Path,
) -> EvaluatedNetworks:
    """All networks of a version together, as `predict` uses them.

    Recordings of a speaker or a corpus are predicted in one call where the model normalises by these.

    Args:
        predictor: The version's; its class is of the model's own copy of ser_tune.
        task: The version's.
        corpus: Any.
        numbers: Of its utterances that may be judged, shape (N,).
        cache: The project's cache folder.
    """

    def batches(judged: np.ndarray) -> list[np.ndarray]:
        groups = {"speaker": corpus.speaker_numbers, "corpus": corpus.part_numbers}
        if (labels := groups.get(together(predictor.recipe))) is not None:
            return list(rows_by(labels[judged]).values())
        return np.array_split(np.arange(len(judged)), -(-len(judged) // AT_ONCE))

    disturbance = Disturbance(corpus)

    def recording(number: int, condition: Condition | None) -> Heard:
        utterance = corpus.utterances[number]
        speech = utterance.speech()
        altered = speech if condition is None else disturbance.of(condition)(number, speech)
        return Heard(str(utterance.path), altered)

    def judge(rows: np.ndarray, condition: Condition | None) -> np.ndarray:
        model, judged = LoadedModel(predictor), numbers[rows]
        shown = np.zeros((len(judged), len(model.labels)))
        for batch in batches(judged):
            predictions = model.predict_heard([recording(int(number), condition) for number in judged[batch]])
            for row, prediction in zip(batch, predictions, strict=True):
                shown[row] = [prediction.numbers[label] for label in model.labels]
        return task.unshow(shown)

    def judge_heard(rows: np.ndarray, draw: Draw) -> np.ndarray:
        from ..search import judge_together

        with model_errors():
            return task.unshow(judge_together(corpus, predictor, cache, numbers[rows], draw))

    adapting = _adapting([predictor.recipe], judge_heard)
    return EvaluatedNetworks.of("all networks together", corpus, numbers, judge, adapting)


def fold_networks(predictor: Any, prepared: Prepared, cache: Path) -> EvaluatedNetworks:  # noqa: ANN401 - as above
    """The networks of a version's folds on the version's own corpus, each on the test speakers of its fold.

    Recordings are judged by cached features, as the promotion does; in a condition these are extracted once.

    Args:
        predictor: The version's.
        prepared: The version's study.
        cache: The project's cache folder.
    """
    from ..search import score_test_speakers

    corpus = prepared.corpus

    def judge(rows: np.ndarray, condition: Condition | None) -> np.ndarray:
        with model_errors():
            outputs: np.ndarray = score_test_speakers(prepared, predictor, cache, condition=condition).outputs[rows]
        return outputs

    def judge_heard(rows: np.ndarray, draw: Draw) -> np.ndarray:
        with model_errors():
            outputs: np.ndarray = score_test_speakers(prepared, predictor, cache, draw=draw).outputs[rows]
        return outputs

    tested = np.concatenate([fold.test for fold in prepared.folds])
    description = "each speaker by the fold network that neither trained nor validated on them"
    return EvaluatedNetworks.of(description, corpus, tested, judge, _adapting([predictor.recipe], judge_heard))


def nested_networks(searches: Sequence[tuple[Prepared, Any]], cache: Path) -> EvaluatedNetworks:
    """The searches of a nested study, each on the speakers that it never saw.

    Recordings are judged by cached features, as the nested study does; in a condition these are extracted once, of the
    whole corpus, and every search reads them.

    Args:
        searches: Each search, and the predictor of its best trial.
        cache: The project's cache folder.
    """
    from ..search import score_holdout_speakers

    corpus = searches[0][0].corpus
    unseen = [never_seen(corpus, prepared.definition.config.protocol.holdout) for prepared, _ in searches]

    def judged(rows: np.ndarray, condition: Condition | None, draw: Draw | None) -> np.ndarray:
        outputs = []
        for prepared, predictor in searches:
            with model_errors():
                found, _ = score_holdout_speakers(prepared, predictor, cache, condition=condition, draw=draw)
            outputs.append(found.outputs)
        chosen: np.ndarray = np.concatenate(outputs)[rows]
        return chosen

    def judge(rows: np.ndarray, condition: Condition | None) -> np.ndarray:
        return judged(rows, condition, None)

    def judge_heard(rows: np.ndarray, draw: Draw) -> np.ndarray:
        return judged(rows, None, draw)

    description = "each speaker by all networks of the search that never saw them"
    # A search may have chosen another adaptation, or none
    adapting = _adapting([predictor.recipe for _, predictor in searches], judge_heard)
    return EvaluatedNetworks.of(description, corpus, np.concatenate(unseen), judge, adapting)
