"""`seconds_per_second`: the time that a fold's network takes for an utterance of one second, from samples to answer.

It is measured on this machine's CPU, with the threads of the training, after the trial is trained: the median of
several predictions. Values of two machines are not compared: a study that measures it stays on its machine.
"""

import statistics
import time

from ..device import using_threads
from .base import CompleteTrial, cost
from .utterances import features_of_second, run_network

__all__ = ["OBJECTIVE"]

RUNS = 7
"""Predictions that are timed, after one that is not."""


def seconds(trial: CompleteTrial) -> float:
    """The median time of predictions by the first fold's network."""
    times = []
    with using_threads(trial.threads):
        for _ in range(RUNS + 1):
            start = time.perf_counter()
            run_network(trial.recipe, trial.networks[0].network, features_of_second(trial.recipe))
            times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


OBJECTIVE = cost("seconds_per_second", "seconds for one second of speech", of_trial=seconds, of_device=True)
