# SPDX-License-Identifier: GPL-2.0-only
"""Stories of 'make chaos': a seed always makes the same one, and one that makes
sense."""

import re
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vm"))
from host import cases, dice, machine  # noqa: E402
from host.base import VM_DIR  # noqa: E402

SEEDS = range(1, 200)
OF_VMS = "PCTASK"


class Dice(unittest.TestCase):
    def setUp(self):
        self.stories = [dice.roll(seed) for seed in SEEDS]

    def test_seed_is_all(self):
        self.assertEqual(dice.roll(7), dice.roll(7))
        self.assertGreater(len({s.args() for s in self.stories}), len(SEEDS) * 9 // 10)
        self.assertEqual({s.mode for s in self.stories}, set(dice.MODES))
        machines = [s.made for s in self.stories]
        self.assertTrue(any(m.shared for m in machines) and any(m.nobodys for m in machines))
        for kind in "x3130-upstream", "00:09.1":
            self.assertTrue(any(kind in line for m in machines for line in m.lines), kind)

    def test_guest_knows_all_events(self):
        source = (VM_DIR / "guest/steps/events.c").read_text()
        known = set(re.findall(r"^\t\{ '(\w)',", source, re.M))
        self.assertEqual(set(dice.EVENTS), known)
        letters = {word[0] for s in self.stories for word in s.old + s.new}
        self.assertEqual(letters, known | set(OF_VMS) | {"Y"})

    def test_words_name_what_is_there(self):
        for story in self.stories:
            kept = sum(" kept " in line for line in story.machine)
            self.assertEqual(len(story.made.owners), kept)
            self.assertEqual(set(story.made.owners), set(range(story.vms)))
            for word in story.old + story.new:
                most = (story.vms if word[0] in OF_VMS else
                        kept if word[0] == "Y" else kept + len(story.made.nobodys))
                self.assertLess(int(word[1:]), most, story)

    def test_machines_can_be_read(self):
        with tempfile.TemporaryDirectory() as folder:
            for story in self.stories[:30]:
                path = Path(folder) / str(story.seed)
                story.write_machine(path)
                made = machine.load(str(path) + story.mode)
                self.assertEqual([d.bdf for d in made.by_role("other") if d.kind != "device"],
                                 story.made.nobodys)
                places = [d.bdf for d in made.devices] + [f"00:{p.addr}" for p in made.ports]
                self.assertEqual(len(places), len(set(places)))
                case = story.case("chaos", str(path))
                self.assertEqual(cases.check_judge(case.judge), case.judge)

    def test_one_word_less(self):
        story = next(s for s in self.stories if s.old and s.new and s.words)
        shorter = [story.without(n) for n in range(story.length())]
        for one in shorter:
            self.assertEqual(one.length(), story.length() - 1)
            self.assertEqual(one.machine, story.machine)
        self.assertEqual(shorter[0].old, story.old[1:])
        self.assertEqual(shorter[-1].words, story.words[:-1])
        self.assertEqual(story.without(len(story.old)).new, story.new[1:])


class Witnesses(unittest.TestCase):
    def test_all_left_out_is_not_nobody(self):
        """Translation that goes off under a bus master is seen all the same."""
        case = cases.Case("one", "one", judge=dice.JUDGE)
        self.assertEqual((case.witnesses(), case.witnessed), (set(), True))
        self.assertFalse(case._replace(judge="plain").witnessed)


if __name__ == "__main__":
    unittest.main()
