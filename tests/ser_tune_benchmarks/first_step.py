"""Run a command until its first training batch; print the seconds that it took, without those of its imports.

The batch itself is not in them. What was imported by then is kept in LIST, and imported before the clock starts
where LIST exists: the first run says nothing.

Usage: python -m tests.ser_tune_benchmarks.first_step LIST COMMAND...
"""

import contextlib
import importlib
import os
import sys
import time
from pathlib import Path


def main() -> None:
    """Import what an earlier run imported, then time the command."""
    modules, arguments = Path(sys.argv[1]), sys.argv[2:]
    if modules.exists():
        for name in modules.read_text(encoding="utf-8").split():
            with contextlib.suppress(Exception):  # aliases that packages put there are no modules
                importlib.import_module(name)
    from ser_tune.cli import main as command

    batches = importlib.import_module("ser_tune.training.batches")

    def reached(*_: object) -> None:
        taken = time.perf_counter() - started
        modules.write_text("\n".join(sorted(name for name in sys.modules if name != "__main__")), encoding="utf-8")
        print(taken, flush=True)
        os._exit(0)

    vars(batches)["epoch_order"] = reached  # of the first epoch, when data, network and optimizer are there
    sys.argv = ["ser-tune", *arguments]
    started = time.perf_counter()
    command()


if __name__ == "__main__":
    main()
