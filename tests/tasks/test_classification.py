"""The task of one emotion of several: divergence and ensembles by hand, texts that are read as they were written."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.architectures.networks import Ensemble
from ser_tune.tasks import TASKS
from ser_tune.tasks.classification import divergence, targets_of_labels

TASK = TASKS.get("classification")
QUICK = settings(max_examples=60, deadline=None)
LABELS = st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=12)


@QUICK
@given(labels=LABELS)
def test_labels_are_read_as_they_were_written(labels: list[str]) -> None:
    targets = targets_of_labels(labels)
    assert [TASK.write(one, targets.names) for one in targets.values] == labels
    np.testing.assert_array_equal(TASK.read(labels, targets.names), targets.values)
    encoded = TASK.encode(torch.from_numpy(targets.values), len(targets.names))
    assert (encoded.dtype, tuple(encoded.shape)) == (torch.float32, (len(labels), len(targets.names)))
    np.testing.assert_array_equal(TASK.decide(encoded.numpy()), targets.values)
    assert TASK.labels(encoded.numpy(), targets.names) == labels  # logarithms of 0 are no obstacle


@QUICK
@given(rows=st.lists(st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4), min_size=1, max_size=6))
def test_the_label_is_that_of_the_largest_probability(rows: list[list[float]]) -> None:
    shown = np.array(rows, dtype=np.float32)
    assert TASK.labels(shown, tuple("abcd")) == ["abcd"[int(one)] for one in shown.argmax(axis=1)]


def test_networks_of_an_ensemble_are_averaged_as_before_it_was_a_task() -> None:
    torch.manual_seed(0)
    members, inputs = [torch.nn.Linear(6, 7) for _ in range(3)], torch.randn(65, 6)
    each = torch.stack([torch.log_softmax(one(inputs).float(), dim=1) for one in members])
    expected = each.logsumexp(dim=0) - np.log(3)
    torch.testing.assert_close(Ensemble(members, "classification")(inputs), expected, rtol=0, atol=0)
    together = TASK.average([one.detach().numpy() for one in each])
    np.testing.assert_allclose(together, expected.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_the_divergence_is_that_of_the_definition() -> None:
    clean = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
    copies = torch.log(torch.tensor([[0.25, 0.5, 0.25], [0.1, 0.1, 0.8]]))
    by_hand = (0.5 * np.log(2) + 0.25 * np.log(0.5) + 0.0) / 2
    assert float(divergence(clean + 3.0, copies - 1.0)) == pytest.approx(
        by_hand, abs=1e-6
    )  # whatever is added to logits
    assert float(divergence(clean, clean)) == pytest.approx(0.0, abs=1e-7)


def test_the_divergence_teaches_both_sides() -> None:
    clean, copies = (torch.randn(4, 3, generator=torch.manual_seed(0)).requires_grad_() for _ in range(2))
    divergence(clean, copies + 1.0 * torch.arange(3.0)).backward()  # type: ignore[no-untyped-call]
    for one in (clean, copies):
        assert one.grad is not None
        assert one.grad.abs().max() > 1e-3
