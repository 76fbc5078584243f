# SPDX-License-Identifier: GPL-2.0-only
"""tests/vm/newer-qemu, with stand-ins for QEMU, apt and dpkg; and who calls it."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from project import write

VM = Path(__file__).resolve().parent.parent / "vm"
sys.path.insert(0, str(VM))
sys.dont_write_bytecode = True

from host import cases, emulator, machine, runner, suite  # noqa: E402
from host.base import RigError  # noqa: E402

ARCHIVE = "file:/archive/debian/"
OURS = "qemu-system-x86_64"

# Answers like apt for the suites in our own sources.list; $VERSION in $SUITE.
APT = """
[[ $1 == -c ]] && shift 2
echo "$(basename "$0") $*" >>PLACE/calls
case "$*" in
*indextargets*) printf '%s\\n' "$MIRROR" ;;
*update*) [[ -z $OFFLINE ]] || { echo "E: Could not resolve 'somewhere'" >&2; exit 100; } ;;
*print-uris*)
	sed 's/.*] [^ ]* \\([^ ]*\\) .*/\\1/' PLACE/cache/qemu/apt/sources.list >PLACE/suites
	grep -qx "$SUITE" PLACE/suites || { echo 'E: Unable to locate package' >&2; exit 100; }
	echo "'http://x/q' qemu-system-x86_1%3a${VERSION}_amd64.deb 50 SHA256:1"
	echo "'http://x/c' libc6_2.41-12_amd64.deb 50 SHA256:2" ;;
*download*)
	for one in "${@:3}"; do
		[[ -z $CUT || $one == qemu* ]] || { echo 'E: Connection timed out' >&2; exit 100; }
		name=${one/=/_}
		: >"${name//:/%3a}_amd64.deb"
	done ;;
esac
exit 0
"""
# The program says what it was called with, as the loader does here.
DPKG_DEB = """
echo "unpack ${2##*/}" >>PLACE/calls
[[ -z $FULL ]] || exit 2
case "$2" in
*libc6*)
	mkdir -p "$3/usr/lib64" "$3/usr/lib/x86_64-linux-gnu"
	: >"$3/usr/lib/x86_64-linux-gnu/libc.so.6"
	[[ -n $NO_LOADER ]] || printf '%s\\n' '#!/bin/sh' "$LOADER" >"$3/usr/lib64/ld-linux-x86-64.so.2"
	chmod +x "$3"/usr/lib64/* ;;
esac
exit 0
"""
LOADER = 'echo "QEMU emulator version 11.1.3 (Debian)"; echo "$QEMU_MODULE_DIR $*"'


class NewerQemu(unittest.TestCase):
    """A machine whose QEMU is that of Debian 12."""

    def setUp(self):
        self.place = Path(tempfile.mkdtemp(prefix="newer-qemu-test-"))
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.cache, self.bin = self.place / "cache", self.place / "bin"
        self.env = {"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(self.place),
                    "IOMMU_LU_CACHE": str(self.cache), "MIRROR": ARCHIVE, "LOADER": LOADER,
                    "SUITE": "trixie-backports", "VERSION": "11.1.3+ds-1"}
        self.system("7.2.22")
        self.command("apt-get", APT.replace("PLACE", str(self.place)))
        self.command("dpkg-deb", DPKG_DEB.replace("PLACE", str(self.place)))
        self.command("dpkg", "echo amd64")

    def command(self, name, text):
        write(self.bin / name, "#!/bin/bash\n" + text, 0o755)

    def system(self, version):
        self.command(OURS, f"echo 'QEMU emulator version {version} (Debian)'")

    def run_it(self, *args, **env):
        return subprocess.run([VM / "newer-qemu", *args], env=self.env | env, text=True, timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def works(self, **env):
        done = self.run_it(**env)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("stopped:", done.stderr)
        return done.stdout.strip()

    def fails(self, *says, **env):
        done = self.run_it(**env)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        for words in says:
            self.assertIn(words, done.stderr)
        self.assertNotIn("stopped:", done.stderr)
        self.assertEqual([name for name in self.there() if not name.endswith(".part")], [])

    def there(self):
        """The QEMUs in the cache, and what unpacking has left."""
        found = (self.cache / "qemu").glob("*")
        return sorted(path.name for path in found if path.name not in ("lock", "apt", "download"))

    def calls(self):
        return (self.place / "calls").read_text()

    def test_the_systems_will_do(self):
        for version in "11.1.0", "11.2.1", "12.0.50":
            self.system(version)
            self.assertEqual(self.works(), OURS)
        self.assertFalse((self.place / "calls").exists())
        self.assertFalse(self.cache.exists())

    def test_one_is_fetched_once(self):
        program = self.works()
        self.assertEqual(program, f"{self.cache}/qemu/11.1.3+ds-1/{OURS}")
        self.assertIn("download qemu-system-x86=1:11.1.3+ds-1 libc6=2.41-12", self.calls())
        self.assertIn("-t trixie-backports --print-uris --no-install-recommends install", self.calls())
        self.assertEqual(self.there(), ["11.1.3+ds-1"])
        self.assertFalse((self.cache / "qemu/download").exists())
        (self.place / "calls").unlink()
        self.assertEqual(self.works(), program)
        self.assertFalse((self.place / "calls").exists())

    def test_no_qemu_at_all(self):
        self.command(OURS, "exit 127")
        self.assertIn("11.1.3", self.works())

    def test_it_runs_with_all_that_is_its_own(self):
        program = self.works()
        root = f"{Path(program).parent}/root"
        said = subprocess.run([program, "-M", "q35"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(said.splitlines()[1].split(), [
            f"{root}/usr/lib/x86_64-linux-gnu/qemu", "--argv0", OURS, "--library-path",
            f"{root}/usr/lib/x86_64-linux-gnu", f"{root}/usr/bin/{OURS}",
            "-L", f"{root}/usr/share/qemu", "-L", f"{root}/usr/share/seabios", "-M", "q35"])

    def test_apt_of_our_own(self):
        self.fails(CUT="1")
        apt = self.cache / "qemu/apt"
        keyring = "signed-by=/usr/share/keyrings/debian-archive-keyring.gpg"
        self.assertEqual((apt / "sources.list").read_text().splitlines(),
                         [f"deb [{keyring}] {ARCHIVE} {suite} main"
                          for suite in ("trixie-backports", "trixie")])
        conf = (apt / "apt.conf").read_text()
        for line in (f'Dir::State "{apt}";', 'Dir::State::status "/dev/null";',
                     'APT::Get::AllowUnauthenticated "false";',
                     'Acquire::AllowInsecureRepositories "false";'):
            self.assertIn(line, conf)

    def test_a_later_suite(self):
        self.works(SUITE="sid")

    def test_a_mirror_that_is_given(self):
        self.works(MIRROR="", DEBIAN_MIRROR="http://packages.test/d")

    def test_the_newest_in_the_cache(self):
        for version in "9.2.0", "11.1.9", "11.2.0-1", "12.0.part":
            write(self.cache / "qemu" / version / OURS, "", 0o755)
        self.assertEqual(self.works(), f"{self.cache}/qemu/11.2.0-1/{OURS}")

    def test_one_in_the_cache_that_is_too_old(self):
        write(self.cache / "qemu/10.2.0" / OURS, "", 0o755)
        self.works()
        self.assertEqual(self.there(), ["10.2.0", "11.1.3+ds-1"])

    def test_nothing_new_enough(self):
        self.fails("Debian has no qemu-system-x86 11.1 or newer", "the newest there is 10.0.2+ds-1",
                   "install QEMU 11.1 or newer", VERSION="10.0.2+ds-1")
        self.fails("the newest there is none", SUITE="nowhere")

    def test_no_network(self):
        self.fails("cannot be reached", "Could not resolve", "Check the network", OFFLINE="1")
        self.works()

    def test_download_breaks_off(self):
        self.fails("the download failed", "timed out", CUT="1")
        self.works()

    def test_another_version_after_a_broken_download(self):
        self.fails("the download failed", CUT="1")
        self.works(VERSION="11.1.4+ds-1")
        self.assertNotIn("unpack qemu-system-x86_1%3a11.1.3", self.calls())

    def test_disk_full(self):
        self.fails("could not unpack", "is the disk full?", FULL="1")
        self.works()
        shutil.rmtree(self.cache)
        self.command("df", "echo h; echo d 100 90 10 90% /")
        self.fails("Free some space")

    def test_packages_that_are_laid_out_in_another_way(self):
        self.fails("not laid out as they were", NO_LOADER="1")

    def test_one_that_does_not_run(self):
        self.fails("does not run: broken", LOADER="echo broken >&2; exit 1")
        self.works()

    def test_no_apt(self):
        tools = self.place / "tools"
        tools.mkdir()
        for name in "bash cat cut dirname find flock grep head mkdir readlink sed sort".split():
            (tools / name).symlink_to(shutil.which(name))
        shutil.copy(self.bin / OURS, tools)
        self.fails("older than 11.1", "no apt here", "install QEMU", PATH=str(tools))

    def test_a_path_that_ends_early(self):
        self.fails("must have no : or ;", "IOMMU_LU_CACHE", IOMMU_LU_CACHE=f"{self.place}/a:b")

    def test_two_at_once(self):
        both = [subprocess.Popen([VM / "newer-qemu"], env=self.env, text=True, stderr=subprocess.PIPE,
                                 stdout=subprocess.PIPE) for _ in range(2)]
        said = [one.communicate(timeout=120)[0] for one in both]
        self.assertEqual(said[0], said[1])
        self.assertIn("11.1.3", said[0])
        self.assertEqual(self.calls().count("unpack "), 2)

    def test_words_it_does_not_know(self):
        self.assertEqual(self.run_it("please").returncode, 2)
        self.assertIn("11.1 or newer", self.run_it("--help").stdout)


class Emulator(unittest.TestCase):
    """Who gets which program. newer-qemu and what it prints are stand-ins."""

    def setUp(self):
        self.place = Path(tempfile.mkdtemp(prefix="emulator-test-"))
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        for function in emulator._fetch, emulator.check:
            function.cache_clear()
            self.addCleanup(function.cache_clear)
        patch = mock.patch.object(emulator, "FETCH", self.place / "newer-qemu")
        patch.start()
        self.addCleanup(patch.stop)
        self.newer = self.place / "qemu"
        self.qemu(self.newer, "11.1.3")
        self.fetches(f"echo {self.newer}")

    def fetches(self, text):
        write(self.place / "newer-qemu", f"#!/bin/sh\necho called >>{self.place}/calls\n{text}\n", 0o755)

    @staticmethod
    def qemu(path, version, events=emulator.TRACE_EVENTS):
        write(path, f"#!/bin/sh\necho 'QEMU emulator version {version} (x)'\n"
                    f"echo '{' '.join(events)}'\n", 0o755)

    def calls(self):
        return (self.place / "calls").read_text().count("called")

    def test_a_machine_that_wants_a_newer_one(self):
        wanted = machine.Machine("x")
        wanted.statement("qemu", ["newer"])
        self.assertEqual(emulator.program(wanted.qemu), str(self.newer))
        self.assertEqual(emulator.check(wanted.qemu), "11.1.3")
        self.assertEqual(self.calls(), 1)

    def test_others_fetch_nothing(self):
        self.assertEqual(emulator.program(machine.Machine("x").qemu), OURS)
        self.assertFalse((self.place / "calls").exists())

    def test_it_does_not_come(self):
        """Then only those tests fail that need it, and it is tried once."""
        self.fetches("exit 1")
        with contextlib.redirect_stderr(io.StringIO()) as said:
            emulator.prepare([str(self.newer), "newer"])
        self.assertIn("newer QEMU than the system's is needed", said.getvalue())
        with mock.patch.object(runner, "load_machine", lambda name: mock.Mock(qemu="newer")), \
             mock.patch.object(runner.Run, "prepare", lambda run: None):
            result = suite.run_case(cases.Case("x", "x"), runner.Files(Path(), Path(), Path()), self.place)
        self.assertEqual(result.verdict, "fail")
        self.assertIn("could not be run: A newer QEMU", result.reason)
        self.assertEqual(self.calls(), 1)

    def test_it_is_not_there(self):
        (self.place / "newer-qemu").unlink()
        with contextlib.redirect_stderr(io.StringIO()), self.assertRaisesRegex(RigError, "says why"):
            emulator.program("newer")

    def test_what_will_not_do(self):
        self.qemu(self.place / "old", "6.2.0")
        self.qemu(self.place / "blind", "12.0.0", emulator.TRACE_EVENTS[1:])
        write(self.place / "mute", "#!/bin/sh\n", 0o755)
        for name, reason in (("old", "is version 6.2; 7.2 or newer is needed"),
                             ("blind", f"no trace event {emulator.TRACE_EVENTS[0]}"),
                             ("mute", "does not say its version"), ("none", "is not installed")):
            with self.assertRaisesRegex(RigError, reason):
                emulator.prepare([str(self.place / name)])


if __name__ == "__main__":
    unittest.main()
