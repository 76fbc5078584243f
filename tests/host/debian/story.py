# SPDX-License-Identifier: GPL-2.0-only
"""What all tests of a host have in common."""

from typing import List, Sequence, Tuple

from host import splats
from host.base import Progress

from .machine import DebianHost


class Story:
    """What was seen, as checks with a name each; `tell` is the test's own. WORDS are more
    for the command line of the host's kernel."""

    WORDS: Sequence[str] = ()

    def __init__(self, host: DebianHost, say: Progress):
        self.host = host
        self.say = say
        self.checks: List[Tuple[str, bool, str]] = []
        self.kernel = ""

    def tell(self, times: int) -> None:
        raise NotImplementedError

    def check(self, name: str, right: bool, text: object) -> bool:
        self.checks.append((name, right, str(text)))
        self.say(f"{name}: {'ok' if right else 'FAIL'} ({text})")
        return right

    def seen_from_outside(self, reaped: Sequence[str] = ()) -> None:
        """What QEMU and the console say of all of it. Those that were REAPED are blocked."""
        trace = self.host.trace()
        kept = {source for source, bdf in self.host.vm.machine.kept_sources().items()
                if bdf not in reaped}
        faults = [f for f in trace.faults if f.source in kept]
        self.check("faults", not faults, f"{len(faults)} by preserved devices")
        offs = sum(not on for _, on in trace.translation)
        self.check("translation", bool(trace.translation) and not offs, f"went off {offs} times")
        bad = splats.scan(self.host.vm.console_log, "host")
        self.check("console", not bad, bad[0] if bad else "nothing that a healthy kernel does not say")
