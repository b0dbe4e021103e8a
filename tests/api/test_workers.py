"""What a worker process tells the first one."""

from multiprocessing import Pipe

from ser_tune.api.workers import _pass_on
from ser_tune.study import StudyObserver


def test_a_worker_that_gave_up_tells_why_and_one_that_ended_nothing() -> None:
    told, telling = Pipe(duplex=False)
    telling.send(("gave_up", ("trial 3: no", "trial 4: no"), {}))
    assert _pass_on(told, StudyObserver()) == ["trial 3: no", "trial 4: no"]
    telling.close()
    assert _pass_on(told, StudyObserver()) == []
