"""Checks the scale of a network's outputs: its units, its thresholds, and that it is stored with the weights."""

import copy
import pickle

import numpy as np
import torch
from torch import nn

from ser_tune.architectures.networks import Ensemble, scale_outputs, set_scale, set_threshold


def scaled(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(4, 2))
    scale_outputs(network, 2)
    return network


def test_a_new_scale_changes_nothing() -> None:
    network, inputs = scaled(0), torch.randn(3, 4)
    torch.testing.assert_close(network(inputs), network[0](inputs))  # type: ignore[operator]


def test_outputs_are_in_units_of_the_targets_and_thresholds_are_subtracted_in_evaluation_alone() -> None:
    network, inputs = scaled(0), torch.randn(3, 4)
    raw = network[0](inputs)  # type: ignore[operator]
    set_scale(network, np.array([3.0, 2.0]), np.array([0.5, 2.0]))
    set_threshold(network, np.array([0.0, 1.5]))
    in_units = raw * torch.tensor([0.5, 2.0]) + torch.tensor([3.0, 2.0])
    torch.testing.assert_close(network.train()(inputs), in_units)
    torch.testing.assert_close(network.eval()(inputs), in_units - torch.tensor([0.0, 1.5]))


def test_it_is_stored_with_the_weights_and_goes_where_the_network_goes() -> None:
    network, inputs = scaled(0).eval(), torch.randn(3, 4)
    set_scale(network, np.array([3.0, 2.0]), np.array([0.5, 2.0]))
    expected = network(inputs)
    other = scaled(1).eval()
    other.load_state_dict(network.state_dict())
    for again in (other, copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        torch.testing.assert_close(again(inputs), expected)


def test_an_ensembles_ratings_are_the_mean_of_its_networks() -> None:
    members, inputs = [scaled(0), scaled(1)], torch.randn(3, 4)
    for number, member in enumerate(members):
        set_scale(member, np.full(2, float(number)), np.ones(2))
    expected = torch.stack([member(inputs) for member in members]).mean(dim=0)
    torch.testing.assert_close(Ensemble(members, "dimensions")(inputs), expected)
