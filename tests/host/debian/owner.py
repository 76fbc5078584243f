# SPDX-License-Identifier: GPL-2.0-only
"""The owners in the host, by what they write of themselves (tests/host/owner)."""

from typing import Dict, NamedTuple, Tuple

from .machine import DebianHost

WAIT_S = 240


class Owner(NamedTuple):
    unit: str
    session: str
    has_drive: bool = False

    @property
    def path(self) -> str:
        return f"/run/{self.unit}/state"

    def state(self, host: DebianHost) -> Dict[str, int]:
        lines = host.run(f"cat {self.path}").splitlines()
        return {name: int(value) for name, value in (line.split() for line in lines)}

    def until(self, host: DebianHost, name: str, least: int) -> None:
        """Wait until it has got so far."""
        host.until(f"awk '$1 == \"{name}\" && $2 >= {least} {{ found = 1 }} "
                   f"END {{ exit !found }}' {self.path} 2>/dev/null", WAIT_S)

    def keep(self, host: DebianHost) -> None:
        host.run(f"systemctl reload {self.unit}")
        self.until(host, "kept", 1)

    def moves(self, host: DebianHost, reads: int = 20) -> Tuple[int, int]:
        """Wait until its drive has read so much more; reads and errors then."""
        self.until(host, "reads", self.state(host)["reads"] + reads)
        state = self.state(host)
        return state["reads"], state["errors"]

    def said(self, host: DebianHost) -> str:
        """What its service has written in this boot."""
        return host.run(f"journalctl -b -q --no-pager -o cat -u {self.unit} | tail -n 20")


# A service's own store, a session from systemd, one through luod
KEPT = (Owner("lu-store", "vm1", has_drive=True), Owner("lu-named", "vm2"),
        Owner("lu-brokered", "vm3"))
UNKEPT = Owner("lu-unkept", "vm4")
