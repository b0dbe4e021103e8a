"""Run ser-tune commands with the code of one tree, one after the other, and write how each ended as JSON.

Usage: python -P commands.py TREE RESULTS < COMMANDS, with TREE first in PYTHONPATH. COMMANDS is a JSON list of lists of
arguments; after a command that fails, the rest is not run. This file imports nothing of the tests: the tree is that of
any commit.
"""

import contextlib
import io
import json
import shlex
import sys
from pathlib import Path


def main() -> None:
    tree, results = Path(sys.argv[1]), Path(sys.argv[2])
    import ser_tune

    if Path(ser_tune.__file__).parents[1] != tree:
        sys.exit(f"the code of '{ser_tune.__file__}' would run, not that of '{tree}'")
    from ser_tune.cli import main as command

    ended = []
    for arguments in json.load(sys.stdin):
        out, code = io.StringIO(), 0
        sys.argv = ["ser-tune", *arguments]
        sys.stderr.write(f"$ ser-tune {shlex.join(arguments)}\n")
        with contextlib.redirect_stdout(out):
            try:
                command()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
        ended.append({"code": code, "out": out.getvalue()})
        if code:
            break
    results.write_text(json.dumps(ended), encoding="utf-8")


if __name__ == "__main__":
    main()
