# SPDX-License-Identifier: GPL-2.0-only
"""libliveupdate, against a stand-in for the kernel (tests/unit/user)."""

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIB = ROOT / "lib"
HEADER = LIB / "include/liveupdate.h"
USER = ROOT / "tests/unit/user"


def make(where, *words):
    return subprocess.run(["make", "-s", "-C", where, *words], capture_output=True, text=True,
                          check=False)


def shell(*words, **more):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          check=False, **more)


class Library(unittest.TestCase):
    """Everything is built once, with nothing that a compiler would warn of."""

    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory()
        cls.out = Path(cls.tmp.name)
        cls.built = make(LIB, f"OUT={cls.out}", "CFLAGS=-O2 -g -Werror", "all")

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    def setUp(self):
        self.assertEqual(self.built.returncode, 0, self.built.stderr)

    def run_ok(self, *words, **more):
        done = shell(*words, **more)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_builds_without_warnings(self):
        self.assertEqual(self.built.stderr, "")

    def test_behaves_with_sanitizers(self):
        built = make(USER, f"OUT={self.out}", f"TO={self.out}/asan", f"{self.out}/asan/library")
        self.assertEqual(built.returncode, 0, built.stderr)
        done = shell(self.out / "asan/library", timeout=600)
        self.assertNotIn("FAIL", done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertGreater(done.stdout.count(" ok\n"), 25)

    @unittest.skipUnless(shutil.which("valgrind"), "no valgrind here")
    def test_behaves_under_valgrind(self):
        built = make(USER, f"OUT={self.out}", f"TO={self.out}/plain", "SANITIZE=",
                     f"{self.out}/plain/library")
        self.assertEqual(built.returncode, 0, built.stderr)
        # these make every call fail in turn, which takes valgrind long
        names = re.findall(r'\{ "([^"]+)",', "".join(
            path.read_text() for path in sorted(USER.glob("library-*.c"))))
        few = [name for name in names if not name.startswith("each-call-fails")]
        self.run_ok("valgrind", "-q", "--error-exitcode=9", "--leak-check=full",
                    self.out / "plain/library", *few, timeout=600)

    def declared(self):
        text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
        return set(re.findall(r"\b(lu_\w+)\(", text))

    def test_exports_what_the_header_declares(self):
        out = self.run_ok("nm", "-D", "--defined-only", self.out / "lib/libliveupdate.so")
        there = {line.split()[2].split("@")[0] for line in out.splitlines()
                 if line.split()[1] == "T"}
        self.assertEqual(there, self.declared())

    def test_neither_prints_nor_exits_nor_keeps_state(self):
        out = self.run_ok("nm", self.out / "lib/libliveupdate.a")
        undefined = set(re.findall(r"^ +U (\w+)$", out, re.M))
        self.assertFalse(undefined & {"printf", "puts", "fprintf", "exit", "abort", "perror",
                                      "syslog", "__printf_chk", "stderr", "stdout"})
        state = re.findall(r"^[0-9a-f]+ ([BbDdC]) (\w+)$", out, re.M)
        self.assertEqual(state, [])

    def stands_alone(self, *compiler):
        self.run_ok(*compiler, "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", HEADER)

    def test_header_stands_alone(self):
        self.stands_alone("gcc", "-std=c99", "-xc")

    @unittest.skipUnless(shutil.which("g++"), "no g++ here")
    def test_header_stands_alone_as_cpp(self):
        self.stands_alone("g++", "-std=c++11", "-xc++")

    def test_installs_what_pkg_config_finds(self):
        target = self.out / "target"
        done = make(LIB, f"OUT={self.out}", f"DESTDIR={target}", "PREFIX=/usr", "install")
        self.assertEqual(done.returncode, 0, done.stderr)
        flags = self.run_ok("pkg-config", "--cflags", "--libs", "liveupdate",
                            env={"PATH": "/usr/bin:/bin",
                                 "PKG_CONFIG_PATH": str(target / "usr/lib/pkgconfig"),
                                 "PKG_CONFIG_SYSROOT_DIR": str(target)})
        self.assertIn("-lliveupdate", flags)
        source = self.out / "small.c"
        source.write_text("#include <liveupdate.h>\n"
                          "int main(void) { return lu_support(0, 0) ? 3 : 4; }\n")
        self.run_ok("gcc", source, "-o", self.out / "small", f"-I{target}/usr/include",
                    f"-L{target}/usr/lib", "-lliveupdate")
        done = shell(self.out / "small", env={"LD_LIBRARY_PATH": f"{target}/usr/lib"})
        self.assertIn(done.returncode, (3, 4), done.stderr)


if __name__ == "__main__":
    unittest.main()
