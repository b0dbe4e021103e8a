"""Tags that runs and versions are found by. Apart, because reading them needs no torch."""

__all__ = [
    "BEST_TAG",
    "CONFIRMED_TAG",
    "CONFIRMS_TAG",
    "EVALUATES_TAG",
    "MEMBERS_TAG",
    "MODEL_TAG",
    "NETWORKS_TAG",
    "NOTES_TAG",
    "PRETRAINING_TAG",
    "PROCESS_TAG",
    "SOLVER_TAG",
    "STUDY_NAME_TAG",
    "STUDY_TAG",
    "TRIAL_TAG",
]

STUDY_TAG, STUDY_NAME_TAG = "ser_tune.study_id", "ser_tune.study"
CONFIRMS_TAG = "ser_tune.confirms"
"""On runs that train configurations of an earlier study again: that study's identifier."""
MEMBERS_TAG = "ser_tune.members"
"""On a run that combines others: their identifiers, sorted."""
EVALUATES_TAG = "ser_tune.evaluates"
"""On runs of `evaluate`: the registered version, such as `ser-emodb-light_cnn/2`."""
NOTES_TAG = "ser_tune.notes"
"""On runs: the warnings of their protocol, and in a study the text-only baseline."""
PRETRAINING_TAG = "ser_tune.pretraining"
"""On runs with a pretrained encoder: whether it learned from the corpus, as far as is known."""
NETWORKS_TAG = "ser_tune.networks"
"""How many networks' probabilities are averaged: on a combination's run those of each fold, on a nested study's those
of its outer scores. A trial's follow from its parameters."""
SOLVER_TAG = "ser_tune.solver"
"""On runs of a model that is solved: how its weights were found."""
CONFIRMED_TAG = "ser_tune.confirmed_trial"
"""On trials of a study's own confirmation: the number of the searched trial that they train again."""
PROCESS_TAG = "ser_tune.process"
"""On runs that a process has open, or had: which one, as JSON."""
TRIAL_TAG, MODEL_TAG, BEST_TAG = "ser_tune.trial", "ser_tune.model_id", "ser_tune.best_trial"
