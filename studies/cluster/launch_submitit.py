"""Start a study and its workers on Slurm from Python: `python studies/cluster/launch_submitit.py --workers 16`.

Needs `pip install submitit`. Where there is no Slurm, submitit runs the same processes on this machine.
"""

import argparse
import shlex
from pathlib import Path

STUDY = (
    "ser-tune study --model light_cnn --corpus emodb --data $DATA --trials 500 --name $STUDY "
    "--storage $STORAGE --tracking-uri $TRACKING_URI"
)
WORKER = "ser-tune worker $STUDY --storage $STORAGE --tracking-uri $TRACKING_URI --data $DATA"


def filled(command: str, values: dict[str, str]) -> list[str]:
    """The words of a command, `$NAME` replaced."""
    return [values[word[1:]] if word.startswith("$") else word for word in shlex.split(command)]


def main() -> None:
    """Submit one process that starts the study, and the workers, which begin once it runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--logs", type=Path, default=Path("logs"), help="on a file system that all nodes share")
    parser.add_argument("--minutes", type=int, default=480)
    parser.add_argument("--gpus", type=int, default=0, help="for each process")
    parser.add_argument("--study", default="cnn-emodb")
    parser.add_argument("--data", required=True)
    parser.add_argument("--storage", required=True)
    parser.add_argument("--tracking-uri", required=True)
    options = parser.parse_args()
    import submitit
    from submitit.helpers import CommandFunction

    values = {
        "STUDY": options.study,
        "DATA": options.data,
        "STORAGE": options.storage,
        "TRACKING_URI": options.tracking_uri,
    }

    executor = submitit.AutoExecutor(folder=options.logs / "%j")
    executor.update_parameters(
        name="ser-tune",
        timeout_min=options.minutes,
        cpus_per_task=4,
        mem_gb=16,
        gpus_per_node=options.gpus,
    )
    first = executor.submit(CommandFunction(filled(STUDY, values), verbose=True))
    # "after", not "afterok": as soon as the first has begun
    executor.update_parameters(slurm_additional_parameters={"dependency": f"after:{first.job_id}+2"})
    with executor.batch():
        workers = [
            executor.submit(CommandFunction(filled(WORKER, values), verbose=True)) for _ in range(options.workers)
        ]
    for job in (first, *workers):
        print(job.job_id, job.paths.stdout)  # noqa: T201 - it is a command


if __name__ == "__main__":
    main()
