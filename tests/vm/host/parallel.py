# SPDX-License-Identifier: GPL-2.0-only
"""Several runs at once, as many as there are processors.

A run costs one processor, or as many as its machine has where they are emulated
by a thread each: what those tests look at happens only when they really run
beside each other.
"""

import os
import queue
import threading
from typing import Callable, Iterator, List

from . import machine
from .cases import Case
from .judge import Result


def processors() -> int:
    return len(os.sched_getaffinity(0))


def cost(case: Case, jobs: int) -> int:
    of = machine.load(case.machine)
    return min(jobs, of.cpus) if "thread=multi" in of.accel else 1


class Pool:
    """Starts cases as room is found: those first that take all of it, so that
    nothing waits beside them, then those that may take longest. The threads are
    daemons: on an interrupt the process ends, and with it every child of theirs."""

    def __init__(self, jobs: int, work: Callable[[Case], Result]):
        self.jobs = jobs
        self.work = work
        self.done: "queue.Queue[tuple]" = queue.Queue()

    def _one(self, case: Case, price: int) -> None:
        try:
            self.done.put((price, self.work(case), None))
        except BaseException as err:
            self.done.put((price, None, err))

    def run(self, wanted: List[Case]) -> Iterator[Result]:
        """Results as they come; an error of the work is raised here."""
        waiting = sorted(((case, cost(case, self.jobs)) for case in wanted),
                         key=lambda one: (-one[1], -one[0].seconds))
        free = self.jobs
        for _ in wanted:
            while waiting and waiting[0][1] <= free:
                case, price = waiting.pop(0)
                free -= price
                threading.Thread(target=self._one, args=(case, price), daemon=True).start()
            price, result, err = self.done.get()
            free += price
            if err:
                raise err
            yield result
