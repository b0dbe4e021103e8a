"""How fast the product is, beside a straightforward implementation of the same work: `python -m tests.benchmarks`."""
