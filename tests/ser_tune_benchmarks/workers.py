"""Four workers on one study, killed at random moments; 24 starts at once; and servers that are started again.

The same study, trained by one process without servers, must give the same scores to the last bit.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ser_tune import api

from .crowd import EPOCHS, FOLDS, Crowd, Site, embedded, rows_of, wait
from .rows import Options, Row
from .servers import MlflowServer, PostgreSQL

__all__ = ["measure"]

KILLS, TRIALS, STARTS = 20, 30, 24
QUIET_S = 60.0
"""A worker is killed where nothing happened for so long, too: others are starting."""


def measure(options: Options) -> list[Row]:
    """Every number but those of kills and stops should be 0."""
    kills, trials, starts = (3, 6, 4) if options.quick else (KILLS, TRIALS, STARTS)
    quiet = embedded(options.scratch / "quiet")
    assert wait(embedded(options.scratch / "first").start("study", "--trials", "1")) == 0  # extracts features
    assert wait(quiet.start("study", "--trials", str(trials))) == 0
    four = embedded(options.scratch / "four")
    code = wait(four.start("study", "--trials", str(trials), "--workers", "4"))
    rows = rows_of("4 workers", four, trials, quiet=quiet, code=code)
    with _servers(options.scratch) as (database, server):
        killed = Site(options.scratch / "killed", database.database("killed"), server.uri)
        rows += _killed(killed, trials, kills, quiet)
        crowded = Site(options.scratch / "crowded", database.database("crowded"), server.uri)
        rows += _at_once(crowded, trials, starts, quiet)
        away = Site(options.scratch / "away", database.database("away"), server.uri)
        rows += _away(away, trials, database, server, quiet)
    return rows


@contextmanager
def _servers(scratch: Path) -> Iterator[tuple[PostgreSQL, MlflowServer]]:
    folder = scratch / "server"
    folder.mkdir()
    database, server = PostgreSQL(scratch / "postgresql"), MlflowServer(folder)
    server.start()
    try:
        yield database, server
    finally:
        server.stop()
        database.stop()


def _at_once(site: Site, trials: int, starts: int, quiet: Site) -> list[Row]:
    processes = [site.start("study", "--trials", str(trials)) for _ in range(starts)]
    code = sum(wait(process) != 0 for process in processes)
    return rows_of(f"{starts} starts at once", site, trials, quiet=quiet, code=code)


def _killed(site: Site, trials: int, kills: int, quiet: Site) -> list[Row]:
    moments, done, wrong = random.Random(0), 0, 0
    crowd = Crowd(site, trials)
    while done < kills and not crowd.ended():
        until, events = time.monotonic() + QUIET_S, site.events() + moments.randint(0, 2 * EPOCHS * FOLDS)
        while site.events() < events and time.monotonic() < until:
            time.sleep(moments.uniform(0, 0.2))
        if workers := crowd.workers():
            victim = moments.choice(workers)
            crowd.kill(victim)
            done += 1
            (status,) = api.status(site.name, project=site.project)
            wrong += victim.pid in [one.process for one in status.workers] or status.total != trials
        crowd.mend()
    code = crowd.end()
    return [
        Row(f"kills among 4 workers of a study of {trials} trials", done, "", at_least=kills),
        Row("killed workers in `status`", wrong, "", below=1),
        *rows_of("killed", site, trials, quiet=quiet, code=code),
    ]


def _away(site: Site, trials: int, database: PostgreSQL, server: MlflowServer, quiet: Site) -> list[Row]:
    crowd, stops = Crowd(site, trials), 0
    for one in (database, server, database, server):
        known = len(site.trials())
        while len(site.trials()) < known + max(1, trials // 10) and not crowd.ended():
            time.sleep(0.5)
        stops += not crowd.ended()
        one.stop()
        time.sleep(10.0)
        one.start()
        crowd.mend()  # a worker that was about to start has ended
    code = crowd.end()
    return [
        Row("stops of PostgreSQL and MLflow's server", stops, "", at_least=4),
        *rows_of("servers away", site, trials, quiet=quiet, code=code),
    ]
