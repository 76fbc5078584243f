# SPDX-License-Identifier: GPL-2.0-only
"""One test on two kernels: it passes when both say the same."""

import re
from typing import Dict, List

from .base import plural
from .judge import Result
from .wire import Check

# reasons that only repeat what the checks say
GUEST_SAYS = re.compile(r"^check \S+ failed: |^the guest says: ")


def _table(result: Result) -> Dict[str, List[str]]:
    """Each name with its verdicts: some tests tell one twice."""
    found: Dict[str, List[str]] = {}
    for check in result.checks:
        found.setdefault(check.name, []).append(check.verdict)
    return found


def _merged(name: str, stock: List[str], ours: List[str]) -> Check:
    if stock != ours:
        said = [", ".join(words) or "not told" for words in (stock, ours)]
        return Check(name, "fail", f"{said[0]} on stock, {said[1]} on ours")
    if set(ours) == {"pass"}:
        return Check(name, "pass", "on both")
    return Check(name, "skip", f"{', '.join(ours)} on both")


def compare(name: str, stock: Result, ours: Result) -> Result:
    """What one says and the other does not is a failure, on whichever side."""
    tables = _table(stock), _table(ours)
    checks = [_merged(each, tables[0].get(each, []), tables[1].get(each, []))
              for each in sorted({*tables[0], *tables[1]})]
    reasons = [f"on {side}: {reason}" for side, result in (("stock", stock), ("ours", ours))
               for reason in result.reasons if not GUEST_SAYS.match(reason)]
    differ = [check for check in checks if check.verdict == "fail"]
    if differ:
        reasons.insert(0, f"{plural(len(differ), 'test')} not the same: "
                          f"{differ[0].name} {differ[0].text}")
    if not any(check.verdict == "pass" for check in checks):
        reasons.append("no test passed on both")
    return Result(name, "fail" if reasons else "pass", reasons, checks,
                  stock.seconds + ours.seconds)
