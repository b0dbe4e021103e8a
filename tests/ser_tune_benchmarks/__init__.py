"""The product's speed beside a straightforward implementation: `python -m tests.ser_tune_benchmarks`."""
