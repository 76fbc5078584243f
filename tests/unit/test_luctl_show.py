# SPDX-License-Identifier: GPL-2.0-only
"""What luctl shows, watches and reaps, on machines made up here."""

import json
import re
import shutil
import subprocess
import threading
import xml.etree.ElementTree as xml

import luctl

IOMMU = "/sys/kernel/liveupdate/iommu"
SESSION = "anon_inode:[luo_session] "
PRESERVED = """\
out unit 0 intel-iommu dmar0 6
out unit 1 intel-iommu - 4
out domain 0 0 vtdss 13 1,1,2,9 0x2 0x123456789abcd00
out domain 1 1 vtdss - - 0x7 -
out device 0000:00:04.0 preserved
out device 0000:00:05.0 preserved
out device 0000:01:00.0 preserved
out attachment 0000:00:04.0 - 0 2
out attachment 0000:00:05.0 - 0 2
out attachment 0000:01:00.0 7 1 -
"""
CAME = """\
in unit 0 intel-iommu dmar0 6
in domain 0 0 vtdss 13 1,1,2,9 0x2 0x5
in device 0000:00:04.0 claimed
in device 0000:00:05.0 incoming
in device 0000:00:06.0 rejected
in attachment 0000:00:05.0 - 0 2
"""
FILES = [("0x1", "memfd-v2", "preserved"), ("0x2", "iommufd-v1", "preserved"),
         ("0x100", "vfio-pci-v1", "preserved"), ("0x101", "vfio-pci-v1", "preserved")]


class Show(luctl.Case):
    def setUp(self):
        super().setUp()
        self.file(IOMMU, PRESERVED)
        self.session("vm1", files=FILES)
        self.session("a<b&\"\\134", files=[("0x8", "iommufd-v1", "preserved")])
        self.process(812, "qemu", SESSION + "vm1", "/memfd:ram (deleted)", "/memfd:ram (deleted)", "/dev/kvm")

    def test_json(self):
        found = self.answer("show")
        out = found["out"]
        self.assertEqual([u["name"] for u in out["units"]], ["dmar0", None])
        self.assertEqual([(d["levels"], d["session"]) for d in out["domains"]], [([1, 1, 2, 9], "vm1"), (None, None)])
        self.assertEqual(len(out["devices"]), 3)
        self.assertEqual(out["attachments"][2], {"bdf": "0000:01:00.0", "pasid": 7, "domain": 1, "did": None})
        self.assertEqual(found["in"], {"units": [], "domains": [], "devices": [], "attachments": []})
        self.assertEqual(len(found["sessions"][0]["files"]), 4)
        self.assertEqual(found["sessions"][0]["holders"][0]["memory"][0]["name"], "ram")
        self.assertEqual(found["cannot"], [])

    def test_words(self):
        out = self.luctl("show").out
        for words in ("unit dmar0  intel-iommu, 6 table pages", "13 table pages (1,1,2,9 by level), of vm1",
                      "0000:01:00.0  preserved, PASID 7", "0x100  vfio-pci-v1  preserved", "pid 812 (qemu) has it"):
            self.assertIn(words, out)

    def test_one_iommufd_token_in_two_sessions(self):
        """As libliveupdate has it. Then who has a device open has the session."""
        self.session("vm2", files=FILES)
        self.device("0000:00:05.0", cdev="vfio3")

        def owner():
            return self.answer("show")["out"]["domains"][0]["session"]
        self.assertIsNone(owner())
        self.process(900, "qemu", SESSION + "vm2", "/dev/vfio/devices/vfio3")
        self.assertEqual(owner(), "vm2")
        self.process(900, "qemu", SESSION + "vm2", "/dev/vfio/devices/vfio3", SESSION + "vm1")
        self.assertIsNone(owner())

    def test_unit_of_a_device(self):
        """Where the kernel does not say of which one a domain is."""
        self.file(IOMMU, "out unit 3 intel-iommu dmar1 4\nout domain 0 - vtdss 7 - - 0x1\n"
                  "out device 0000:00:05.0 preserved\nout attachment 0000:00:05.0 - 0 2\n")
        self.assertIsNone(self.answer("show")["out"]["domains"][0]["unit"])
        self.link("/sys/bus/pci/devices/0000:00:05.0/iommu", "../../virtual/iommu/dmar0")
        self.assertIsNone(self.answer("show")["out"]["domains"][0]["unit"])
        self.link("/sys/bus/pci/devices/0000:00:05.0/iommu", "../../virtual/iommu/dmar1")
        self.assertEqual(self.answer("show")["out"]["domains"][0]["unit"], 3)

    def test_no_token(self):
        self.file(IOMMU, "out domain 0 - vtdss 7 - - 0x1\n")
        self.file("/sys/kernel/liveupdate/sessions", "")
        self.session("notes", files=[("0x2", "memfd-v2", "preserved")])
        self.session("vm1", files=FILES)
        self.assertEqual(self.answer("show")["out"]["domains"][0]["session"], "vm1")
        self.assertIn("all levels", self.luctl("show", "--svg").out)

    def test_svg(self):
        text = self.luctl("show", "--svg").out
        picture = xml.fromstring(text)
        words = " ".join("".join(t.itertext()) for t in picture.iter("{http://www.w3.org/2000/svg}text"))
        for expected in ("dmar0", "0000:00:04.0", "level 4", "9 pages", "session vm1", "a<b&\"\\134",
                         "tables not counted", "For the next kernel"):
            self.assertIn(expected, words)
        self.assertEqual(text.count("<path d=\"M"), 2 + 3 + 1)
        height = int(picture.get("height"))
        for box in picture.iter("{http://www.w3.org/2000/svg}rect"):
            self.assertLessEqual(int(box.get("y") or 0) + int(box.get("height")), height)

    def test_dot(self):
        text = self.luctl("show", "--dot").out
        self.assertIn('"out 0000:00:04.0" -> "out domain 0"', text)
        self.assertIn('"out domain 0" -> "session vm1"', text)
        self.assertIn('session a<b&\\"\\\\134', text)
        if shutil.which("dot"):
            subprocess.run(["dot", "-Tsvg"], input=text, text=True, check=True, stdout=subprocess.DEVNULL)

    def test_nothing(self):
        self.file(IOMMU, "")
        self.file("/sys/kernel/liveupdate/sessions", "")
        self.assertEqual(self.luctl("show").out, "nothing is preserved\n")
        self.assertIn("Nothing is preserved", self.luctl("show", "--svg").out)
        self.answer("show")

    def test_after_the_jump(self):
        self.file(IOMMU, CAME)
        self.file("/sys/kernel/liveupdate/sessions", "")
        self.session("vm1", "retrieved", FILES)
        found = self.answer("show")["in"]
        self.assertEqual([d["state"] for d in found["devices"]], ["claimed", "incoming", "rejected"])
        self.assertIn("device 0000:00:06.0  rejected", self.luctl("show").out)
        self.assertIn("From the kernel before", self.luctl("show", "--svg").out)

    def test_older_kernel(self):
        self.gone(IOMMU)
        self.gone("/sys/kernel/liveupdate/sessions")
        found = self.answer("show")
        self.assertEqual(len(found["cannot"]), 2)
        self.assertEqual([(s["name"], s["state"]) for s in found["sessions"]], [("vm1", "unknown")])
        self.assertIn("are not known", self.luctl("show").out)

    def test_what_no_kernel_says(self):
        """Lines of a newer one, and half ones, are left out."""
        for text in ("out unit 0\n", "out\n\n \n", "both unit 0 a b 1\n", "out thing 1 2 3\n", "\n" * 9,
                     "out unit " + "9" * 99 + " a b c d e f g h i j k l m n\n", "out unit 1 " + "x" * 5000 + " y 2\n",
                     "out domain 0 0 k 1 1,2,3,4,5,6,7,8,9,10,11,,x 0x1 0x2\n", "out domain 0 0 k 1 -1 0x1 0x2\n"):
            self.file(IOMMU, text)
            self.answer("show")
            self.luctl("show", "--svg")
        self.file(IOMMU, "")
        for text in ("file 0x1 a b\n", "session\n", "session outgoing 1\n", "session outgoing x y\n",
                     "session odd 0 a\nfile 1\nfile 0x1 " + "k" * 500 + " s\n"):
            self.file("/sys/kernel/liveupdate/sessions", text)
            self.answer("show")

    def test_one_way_at_a_time(self):
        self.assertEqual(self.luctl("show", "--json", "--svg").code, 2)


class Status(luctl.Case):
    def test_json(self):
        self.session("vm1", files=FILES)
        self.file(IOMMU, CAME)
        self.process(640, "luo-agent", "/dev/liveupdate")
        found = self.answer("status")
        self.assertEqual((found["node"], found["node_holders"]), (True, [640]))
        self.assertEqual(found["writes"], luctl.WRITES.split())
        self.assertEqual([d["old_tables"] for d in found["devices"]], [False, True, False])
        self.assertIsNone(found["loaded"])

    def test_words(self):
        self.session("vm1", files=FILES)
        out = self.luctl("status").out
        for words in ("writes and reads kho-v4", "nobody has /dev/liveupdate open", "loaded    nothing",
                      "vm1  outgoing, 4 files; nobody has it"):
            self.assertIn(words, out)

    def test_kernel_without_it(self):
        for name in ("writes", "reads", "sessions", "iommu"):
            self.gone(f"/sys/kernel/liveupdate/{name}")
        self.gone("/dev/liveupdate")
        found = self.answer("status")
        self.assertEqual((found["writes"], found["node"], len(found["cannot"])), (None, False, 2))
        out = self.luctl("status").out
        self.assertIn("it hands over no devices", out)
        self.assertIn("boot with liveupdate=on", out)


class Watch(luctl.Case):
    def lines(self, out):
        import schema
        form = json.loads((luctl.ROOT / "luctl/schema/watch.json").read_text())
        found = [json.loads(line) for line in out.splitlines()]
        for one in found:
            schema.check(one, form)
        return found

    def test_nothing_left(self):
        self.session("vm1", "finished")
        self.session("vm2")
        done = self.luctl("watch")
        self.assertEqual((done.code, done.out), (0, "all sessions are finished\n"))

    def test_in_time(self):
        self.session("vm1", "incoming", FILES)
        done = self.luctl("watch", "--timeout", "0")
        self.assertEqual(done.code, 1)
        self.assertIn("not all sessions were finished in time", done.err)
        self.assertIn("vm1 (incoming, 0 of 4 files taken)", done.out)

    def test_progress(self):
        """Each step is a line; the next is done when that line was read."""
        taken = [(token, kind, "retrieved") for token, kind, _ in FILES]
        self.session("vm1", "incoming", FILES)
        self.file(IOMMU, CAME)
        steps = [lambda: self.change("retrieved", taken), lambda: self.file(IOMMU, ""),
                 lambda: self.file("/sys/kernel/liveupdate/sessions", "")]
        program, needs = luctl.built()
        watch = subprocess.Popen([program, "watch", "--json", "--root", self.root], env=needs, text=True,
                                 stdout=subprocess.PIPE)
        guard = threading.Timer(60, watch.kill)
        guard.start()
        out = ""
        for line in watch.stdout:
            out += line
            if steps:
                steps.pop(0)()
        guard.cancel()
        self.assertEqual(watch.wait(), 0)
        watch.stdout.close()
        found = self.lines(out)
        self.assertEqual([(f["left"], f["old_tables"]) for f in found], [(1, 1), (1, 1), (1, 0), (0, 0)])
        self.assertEqual([s["taken"] for f in found for s in f["sessions"]], [0, 4, 4])

    def change(self, state, files):
        """At once, as the kernel lists it."""
        new = self.place / "new"
        new.write_text(f"session {state} {len(files)} vm1\n" + "".join(f"file {t} {k} {s}\n" for t, k, s in files))
        new.rename(self.root / "sys/kernel/liveupdate/sessions")

    def test_cannot_tell(self):
        self.gone("/sys/kernel/liveupdate/sessions")
        self.assertEqual(self.luctl("watch").code, 2)
        self.assertEqual(self.luctl("watch", "--timeout", "soon").code, 2)
        self.assertEqual(self.luctl("watch", "--timeout", "-1").code, 2)


class Reap(luctl.Case):
    """What it refuses, and what it would do; tests/vm has one that is done."""

    def test_dry_run(self):
        self.session("old vm", "incoming", FILES)
        self.file(IOMMU, CAME)
        done = self.luctl("reap", "--dry-run", "old vm")
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertIn("block the DMA of device 0x100", done.out)
        self.assertIn("Nothing was changed", done.out)

    def refused(self, why, name, *args, code=1):
        done = self.luctl("reap", *args, name)
        self.assertEqual((done.code, done.out), (code, ""))
        self.assertIn(why, done.err)

    def test_refused(self):
        self.session("vm1", files=FILES)
        self.session("vm2", "retrieved", FILES)
        self.process(812, "qemu", SESSION + "vm2")
        for args in ((), ("--dry-run",)):
            self.refused("there is no session vm3", "vm3", *args)
            self.refused("is of this kernel", "vm1", *args)
            self.refused("pid 812 (qemu) has vm2", "vm2", *args)

    def test_in_a_store(self):
        self.session("vm2", "retrieved", FILES)
        self.process(1, "systemd", SESSION + "vm2")
        self.refused("'systemctl clean --what=fdstore UNIT' takes it out", "vm2")

    def test_cannot_tell(self):
        self.gone("/sys/kernel/liveupdate/sessions")
        self.refused("cannot be told", "vm1", "--dry-run", code=2)
        self.assertEqual(self.luctl("reap").code, 2)


class Words(luctl.Case):
    """--help, the man page and the completions know the same."""

    def help_of(self, *verb):
        program, needs = luctl.built()
        done = subprocess.run([program, *verb, "--help"], env=needs, text=True, check=True, stdout=subprocess.PIPE)
        return done.stdout

    def verbs(self):
        found = re.findall(r"^  ([a-z]+) ", self.help_of(), re.M)
        self.assertIn("update", found)
        return found

    def options(self, verb):
        return set(re.findall(r"^  (--[a-z-]+)", self.help_of(verb), re.M))

    def test_bash(self):
        for verb in self.verbs():
            words = self.completed(verb, "--")
            self.assertEqual(set(words), self.options(verb), verb)
        self.assertEqual(set(self.completed("")), {*self.verbs(), "--help", "--version"})

    def completed(self, *words):
        script = (f"source {luctl.ROOT}/luctl/completion/luctl.bash; COMP_WORDS=(luctl {' '.join(words)}); "
                  f"[[ ${{#COMP_WORDS[@]}} -gt {len(words)} ]] || COMP_WORDS+=(''); "
                  f"COMP_CWORD={len(words)}; _luctl; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
        done = subprocess.run(["bash", "-c", script], text=True, check=True, stdout=subprocess.PIPE)
        return done.stdout.split()

    def test_zsh(self):
        text = (luctl.ROOT / "luctl/completion/_luctl").read_text()
        shared = set(re.findall(r"--[a-z-]+", text.split("next=(")[1].split("\n\t)")[0]))
        for verb in self.verbs():
            part = re.search(rf"^\t{verb}\)\n(.*?);;", text, re.M | re.S).group(1)
            found = set(re.findall(r"'\*?(--[a-z-]+)", part)) | (shared if "$next" in part else set())
            self.assertEqual(found, self.options(verb), verb)
            self.assertIn(f"'{verb}:", text)
        if shutil.which("zsh"):
            subprocess.run(["zsh", "-n", luctl.ROOT / "luctl/completion/_luctl"], check=True)

    def test_man_page(self):
        text = (luctl.ROOT / "luctl/man/luctl.1.scd").read_text()
        part = text.split("\n# OPTIONS\n")[1].split("\n# FINDINGS\n")[0]
        described = re.findall(r"^\*(--[a-z-]+)\*", part, re.M)
        self.assertEqual(described, sorted(described))
        self.assertEqual(set(described), {"--version"}.union(*(self.options(verb) for verb in self.verbs())))
        part = text.split("\n# VERBS\n")[1].split("\n# OPTIONS\n")[0]
        self.assertEqual(re.findall(r"^\*([a-z]+)\*", part, re.M), self.verbs())

    def test_codes_of_findings(self):
        """Each that can refuse or leave something open is in the man page."""
        text = (luctl.ROOT / "luctl/man/luctl.1.scd").read_text().split("\n# FINDINGS\n")[1].split("\n# EXIT")[0]
        described = set(re.findall(r"_([a-z-]+)_", text)) - {"ok", "note", "unknown", "refused"}
        used = set()
        for source in (luctl.ROOT / "luctl").glob("check-*.c"):
            words = " ".join(source.read_text().split())
            used |= set(re.findall(r'(?:REFUSED|UNKNOWN)[^;]{0,60}?, "[a-z]+", "([a-z-]+)"', words))
            used |= set(re.findall(r'refuse\(&?l, "([a-z-]+)"', words))
        self.assertGreater(len(used), 20)
        self.assertEqual(described, used)

    def test_page_is_clean(self):
        page = self.place / "luctl.1"
        done = subprocess.run([luctl.ROOT / "scripts/page", luctl.ROOT / "luctl/man/luctl.1.scd"],
                              check=True, stdout=subprocess.PIPE)
        page.write_bytes(done.stdout)
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], text=True, check=False,
                              stdout=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_mistakes(self):
        for words in ((), ("dance",), ("status", "--svg"), ("status", "it"), ("check", "a", "b"),
                      ("check", "--for"), ("reap",)):
            program, needs = luctl.built()
            done = subprocess.run([program, *words], env=needs, text=True, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertIn("luctl", done.stderr)

    def test_full_disk(self):
        program, needs = luctl.built()
        with open("/dev/full", "w") as full:
            done = subprocess.run([program, "--help"], env=needs, text=True, check=False, stdout=full,
                                  stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 2)
        self.assertIn("could not be written", done.stderr)


class Installed(luctl.Case):
    def test_static_and_install(self):
        """The static one needs nothing; an installed tree has all there is."""
        luctl.make("-C", "luctl", f"OUT={luctl.ROOT}/build/user", "install", f"DESTDIR={self.place}", "PREFIX=/usr")
        there = {str(p.relative_to(self.place / "usr")) for p in (self.place / "usr").rglob("*") if p.is_file()}
        self.assertEqual(there, {"sbin/luctl", "lib/luctl/luctl.static", "share/man/man1/luctl.1",
                                 "share/bash-completion/completions/luctl", "share/zsh/site-functions/_luctl",
                                 *(f"share/luctl/schema/{v}.json" for v in ("check", "show", "status", "watch"))})
        static = self.place / "usr/lib/luctl/luctl.static"
        self.assertNotIn(b"/lib64/ld-linux", static.read_bytes())
        done = subprocess.run([static, "status", "--root", self.root], text=True, check=True, stdout=subprocess.PIPE)
        self.assertIn("nobody has /dev/liveupdate open", done.stdout)
        self.assertEqual(subprocess.run([static, "--version"], text=True, check=True, stdout=subprocess.PIPE).stdout,
                         f"luctl {(luctl.ROOT / 'VERSION').read_text()}")
