"""The command line: the only room that prints. Heavy imports happen inside the command that needs them."""

import errno
import gc
import os
import sys

__all__ = ["main"]

DISK_ERRORS = {errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EACCES, errno.EPERM}


def main() -> None:
    """Run `ser-tune`; its exit codes are those of `exit_codes`."""
    # Threads that spin while they wait made a small network's step five times slower beside another program; threads
    # that sleep at once made it twice as slow on an idle machine. OpenMP reads this when torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    # Of what imports make, hardly anything is garbage, and looking for it so often took a tenth of MLflow's start
    gc.set_threshold(10_000, 10, 10)
    from ..tracking import quiet_mlflow
    from .signals import ending_on_signals

    quiet_mlflow()
    with ending_on_signals():
        _run()


def _run() -> None:
    from ..errors import SerTuneError
    from .app import app
    from .console import prepare_streams
    from .guesses import with_guessed_command

    prepare_streams()
    try:
        app(with_guessed_command(sys.argv[1:], app), prog_name="ser-tune")
    except SerTuneError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the program that read our output has ended, so no message can be shown
        sys.exit(0)
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        _fail(f"'{error.filename or 'a file'}' cannot be written: {error.strerror}")


def _fail(message: str) -> None:
    from .console import escaped

    sys.stderr.write(f"error: {escaped(' '.join(message.splitlines()))}\n")
    sys.exit(2)
