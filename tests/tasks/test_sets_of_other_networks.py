"""Prediction sets of fold networks hold for their mean, for averages over seeds, and for a network of all speakers.

Speakers have a place of their own in the features; a network is the nearest mean of a class, with probabilities.
"""

from collections.abc import Sequence

import numpy as np
import pytest

from ser_tune.tasks import calibrate_sets

CLASSES, BANDS, SPEAKERS, UTTERANCES, FOLDS = 4, 6, 10, 20, 5
CALIBRATIONS = 60
Network = tuple[np.ndarray, np.ndarray]


def _speech(rng: np.random.Generator, centres: np.ndarray, effect: float, speakers: int) -> np.ndarray:
    """Features of speakers, whose utterances have all classes, shape (S, N, F)."""
    offsets = rng.normal(scale=effect, size=(speakers, 1, BANDS))
    found: np.ndarray = centres[_classes(speakers)] + offsets + rng.normal(size=(speakers, UTTERANCES, BANDS))
    return found


def _classes(speakers: int) -> np.ndarray:
    return np.tile(np.arange(UTTERANCES) % CLASSES, (speakers, 1))


def _trained(speech: np.ndarray, seeds: Sequence[int]) -> list[Network]:
    """A network for each seed, of a draw of the utterances; of a single seed, one of all."""
    rows, classes, found = speech.reshape(-1, BANDS), _classes(len(speech)).ravel(), []
    for seed in seeds:
        drawn = np.arange(len(rows))
        if len(seeds) > 1:
            drawn = np.random.default_rng(seed).integers(0, len(rows), len(rows))
        own = [rows[drawn][classes[drawn] == label] for label in range(CLASSES)]
        means = np.stack([one.mean(axis=0) for one in own])
        found.append((means, np.mean([one.var(axis=0) for one in own], axis=0)))
    return found


def _shown(networks: Sequence[Network], speech: np.ndarray) -> np.ndarray:
    """Mean probabilities, shape (S * N, K)."""
    probabilities = []
    for means, variances in networks:
        away = np.square(speech[..., np.newaxis, :] - means) / variances
        likelihood = np.exp(-away.sum(axis=-1) / 2)
        probabilities.append(likelihood / likelihood.sum(axis=-1, keepdims=True))
    mean: np.ndarray = np.mean(probabilities, axis=0).reshape(-1, CLASSES)
    return mean


@pytest.mark.parametrize("seeds", [[0], [0, 1, 2]], ids=["one seed", "three seeds"])
@pytest.mark.parametrize("effect", [0.0, 1.0])
def test_the_stated_rate_holds_for_networks_that_were_not_calibrated(effect: float, seeds: list[int]) -> None:
    stated, errors = 0.1, list[tuple[float, float]]()
    for number in range(CALIBRATIONS):
        rng = np.random.default_rng(number)
        centres = rng.normal(scale=0.9, size=(CLASSES, BANDS))
        speech, new = (_speech(rng, centres, effect, speakers) for speakers in (SPEAKERS, 30))
        fold = np.arange(SPEAKERS) % FOLDS
        networks = [_trained(speech[fold != own], seeds) for own in range(FOLDS)]
        shown = np.empty((SPEAKERS, UTTERANCES, CLASSES))
        for own in range(FOLDS):
            shown[fold == own] = _shown(networks[own], speech[fold == own]).reshape(-1, UTTERANCES, CLASSES)
        speakers = np.repeat(np.arange(SPEAKERS), UTTERANCES)
        found = calibrate_sets("classes", shown.reshape(-1, CLASSES), _classes(SPEAKERS).ravel(), speakers)
        assert found is not None
        sets, truth = found.at(stated), _classes(30).ravel()
        together = _shown([network for of_fold in networks for network in of_fold], new)
        of_all = _shown(_trained(speech, seeds), new)
        errors.append((1 - sets.covers(together, truth).mean(), 1 - sets.covers(of_all, truth).mean()))
    np.testing.assert_allclose(np.mean(errors, axis=0), stated, atol=0.02)
