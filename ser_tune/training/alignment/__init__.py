"""Ways to make corpora alike for a model: mapped features for solvers, further losses for gradient descent."""
