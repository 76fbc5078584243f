# SPDX-License-Identifier: GPL-2.0-only
"""kernel/ktree fetch, with stand-ins for apt and dpkg."""

import hashlib
import subprocess

from project import BASE, Project, write

ARCHIVE = "http://packages.test"

# Answers like apt for the suite in our own sources.list; $VERSION in $SUITE.
APT = """
conf=
[[ $1 == -c ]] && { conf=$2; shift 2; }
echo "$(basename "$0") $*" >>PLACE/calls
suite=$(sed 's/.*] [^ ]* \\([^ ]*\\) .*/\\1/' PLACE/cache/apt/sources.list 2>/dev/null)
case "$*" in
*indextargets*) printf '%s\\n' "$MIRROR" ;;
*update*)
	if [[ -n $OFFLINE ]]; then
		echo "W: Failed to fetch somewhere  Could not resolve 'somewhere'" >&2
	fi ;;
*show*) [[ $suite == "$SUITE" ]] && printf 'Package: x\\nVersion: %s\\nSize: 100\\n' "$VERSION" ;;
*download*)
	[[ -n $CUT ]] && { echo part >"x_${VERSION}_all.deb"; echo 'E: Connection timed out' >&2; exit 100; }
	echo deb >"x_${VERSION}_all.deb" ;;
esac
exit 0
"""


class Fetch(Project):
    def setUp(self):
        super().setUp()
        del self.env["KERNEL_SRC"]
        self.env |= {"MIRROR": f"{ARCHIVE}/debian/", "SUITE": "here", "VERSION": "7.3.4-1",
                     "OFFLINE": "", "CUT": ""}
        for name in "apt-get", "apt-cache":
            self.command(name, APT.replace("PLACE", str(self.place)))
        self.command("dpkg", "echo amd64")
        inside = self.place / "usr/src"
        inside.mkdir(parents=True)
        subprocess.run(["tar", "-C", self.place, "-cJf", inside / "linux-source-7.3.tar.xz", "source"], check=True)
        self.command("dpkg-deb", f"exec tar -C {self.place} -c ./usr")
        self.sha = hashlib.sha256((inside / "linux-source-7.3.tar.xz").read_bytes()).hexdigest()
        write(self.top / "kernel/BASE", BASE.replace("\nsha256: 0", f"\nsha256: {self.sha}"))

    def calls(self):
        return (self.place / "calls").read_text()

    def test_fetch(self):
        self.assertIn("7.3.4-1", self.works("fetch"))
        self.assertTrue((self.cache / "source/linux-source-7.3.tar.xz").exists())
        self.assertFalse((self.cache / "source/download").exists())
        sources = (self.cache / "apt/sources.list").read_text()
        self.assertIn(f"{ARCHIVE}/debian/ here main", sources)
        self.assertIn("signed-by=/usr/share/keyrings/debian-archive-keyring.gpg", sources)

    def test_once(self):
        self.works("fetch")
        (self.place / "calls").unlink()
        self.works("fetch")
        self.assertFalse((self.place / "calls").exists())

    def test_prepare_fetches(self):
        self.hook()
        self.works("prepare")
        self.assertIn("box_keep", (self.tree / "drivers/iommu/box.c").read_text())

    def test_a_distributions_configuration(self):
        self.hook()
        packed = subprocess.run(["xz"], input=b"CONFIG_CASK=y\n", stdout=subprocess.PIPE, check=True)
        (self.place / "usr/src/config.xz").write_bytes(packed.stdout)
        self.fails("build", "distro", says=("has checksum", "kernel/BASE says 0"))
        sha = hashlib.sha256(packed.stdout).hexdigest()
        base = self.top / "kernel/BASE"
        write(base, base.read_text().replace("config-sha256: 0", f"config-sha256: {sha}"))
        self.works("build", "distro")
        self.assertIn("download linux-config-7.3", self.calls())
        self.assertIn("CONFIG_CASK=y", (self.top / "build/kernel-distro/config").read_text())

    def test_a_later_suite(self):
        self.works("fetch", SUITE="there")

    def test_newer_version(self):
        self.assertIn("last tested with 7.3.4-1", self.works("fetch", VERSION="7.3.9-1"))

    def test_other_series(self):
        self.fails("fetch", says="is at version 7.4.1-1, not 7.3", VERSION="7.4.1-1")

    def test_wrong_checksum(self):
        write(self.top / "kernel/BASE", BASE)
        self.fails("fetch", says=("has checksum " + self.sha, "kernel/BASE says 0"))
        self.assertFalse((self.cache / "source/linux-source-7.3.tar.xz").exists())

    def test_package_is_gone(self):
        self.fails("fetch", says=("no longer has linux-source-7.3", "KERNEL_SRC="), SUITE="nowhere")

    def test_no_network(self):
        self.fails("fetch", says=("cannot be reached", "Could not resolve"), OFFLINE="1")
        self.works("fetch")

    def test_download_breaks_off(self):
        self.fails("fetch", says=("download failed", "timed out"), CUT="1")
        self.works("fetch")

    def test_another_version_after_a_broken_download(self):
        self.fails("fetch", says="download failed", CUT="1")
        self.works("fetch", VERSION="7.3.9-1")

    def test_no_debian_archive(self):
        self.fails("fetch", says="Set DEBIAN_MIRROR=", MIRROR=f"{ARCHIVE}/ubuntu/")
        self.fails("fetch", says="DEBIAN_MIRROR=", MIRROR=f"{ARCHIVE}/debian-security/")
        self.works("fetch", MIRROR="", DEBIAN_MIRROR="http://packages.test/d")

    def test_disk_full(self):
        self.command("df", "echo h; echo d 100 90 10 90% /")
        self.fails("fetch", says="Free some space")
