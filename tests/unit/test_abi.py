# SPDX-License-Identifier: GPL-2.0-only
"""What is handed over, as its headers say in words and pictures: the compiler has to
find each byte where they say it is."""

import re
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "kernel/overlay/include"
HEADERS = sorted((INCLUDE / "linux/kho/abi").glob("*.h"))

TABLE = re.compile(r"/\*\*\n \* struct (\w+) - .*?\n( \*.*?)\n \*/\nstruct \1 \{\n(.*?)\n\}", re.S)
RULER = re.compile(r"^ \* +byte  0       1       2       3       4       5       6       7$")
ROW = re.compile(r"^ \* +(\d+)  (.*)$")
FIELD = re.compile(r"^\t[^;]*?(\w+)(?:\[[^\]]*\])*(?: __\w+(?:\([^)]*\))?)?;", re.M)

# As much of the kernel as the headers need
KERNEL = """
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#define __packed __attribute__((packed))
#define __aligned(n) __attribute__((aligned(n)))
#define static_assert _Static_assert
#define __stringify(x) #x
#define U32_MAX UINT32_MAX
#define BIT(n) (1UL << (n))
#define __counted_by(n)
#define sizeof_field(type, field) sizeof(((type *)0)->field)
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
"""


class Struct(NamedTuple):
    name: str
    words: str                      # its kernel-doc
    fields: List[str]
    picture: List[Tuple[int, str]]  # from which byte on, what is said there


def picture(words: str) -> List[Tuple[int, str]]:
    """Each label at the byte that it stands below."""
    found, first = [], 0
    for line in words.splitlines():
        if RULER.match(line):
            first = line.index("byte  0") + len("byte  ")
            continue
        row = ROW.match(line) if first else None
        if not row:
            continue
        for label in re.finditer(r"[a-z_]\w*(?:, .*| up to .*)?", row[2]):
            column = row.start(2) + label.start() - first
            assert column % 8 == 0, line
            found.append((int(row[1]) + column // 8, re.split("[, ]", label[0])[0]))
    return found


def structs(header: Path) -> List[Struct]:
    return [Struct(name, words, FIELD.findall(body), picture(words))
            for name, words, body in TABLE.findall(header.read_text())]


def layout(headers: List[Path], wanted: List[Struct]) -> Dict[Tuple[str, str], int]:
    """By struct and field, where the compiler puts it; by struct and '', the size."""
    lines = [KERNEL, *(f'#include <{path.relative_to(INCLUDE)}>' for path in headers), "int main(void)\n{"]
    for one in wanted:
        lines.append(f'\tprintf("{one.name} %zu\\n", sizeof(struct {one.name}));')
        lines += [f'\tprintf("{one.name}.{field} %zu\\n", offsetof(struct {one.name}, {field}));'
                  for field in one.fields]
    with tempfile.TemporaryDirectory() as place:
        for path in headers:
            for name in re.findall(r"#include <(.+)>", path.read_text()):
                empty = Path(place) / "stub" / name
                if not (INCLUDE / name).exists():
                    empty.parent.mkdir(parents=True, exist_ok=True)
                    empty.touch()
        source = Path(place) / "layout.c"
        source.write_text("\n".join([*lines, "\treturn 0;", "}", ""]))
        subprocess.run(["cc", f"-I{INCLUDE}", f"-I{place}/stub", "-o", f"{place}/layout", source], check=True)
        said = subprocess.run([f"{place}/layout"], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in said.splitlines():
        name, at = line.split()
        found[tuple((name + ".").split(".")[:2])] = int(at)
    return found


def stands_for(label: str, field: str) -> bool:
    """A label in a cell of one byte leaves letters out."""
    rest = iter(field)
    return all(letter in rest for letter in label)


class Layout(unittest.TestCase):
    def setUp(self):
        self.all = [one for header in HEADERS for one in structs(header)]

    def test_each_struct_is_looked_at(self):
        """One without words, or with words in another form, is not passed over."""
        said = {name for header in HEADERS
                for name in re.findall(r"^struct (\w+) \{", header.read_text(), re.M)}
        self.assertEqual({one.name for one in self.all}, said)

    def test_each_field_has_words(self):
        for one in self.all:
            with self.subTest(one.name):
                self.assertEqual(re.findall(r"^ \* @(\w+):", one.words, re.M), one.fields)

    def test_pictures_show_the_bytes(self):
        """Every field, at its offset; a struct in the IOMMU's handover has a picture."""
        where = layout(HEADERS, self.all)
        seen = 0
        for one in self.all:
            with self.subTest(one.name):
                if one.name.startswith("iommu"):
                    self.assertTrue(one.picture, "no picture")
                if not one.picture:
                    continue
                seen += 1
                fields = [(where[one.name, field], field) for field in one.fields]
                if one.picture[-1][1] == "zero":
                    fields.append((where[one.name, ""], "zero"))
                self.assertEqual([at for at, _ in one.picture], [at for at, _ in fields])
                for (_, label), (_, field) in zip(one.picture, fields):
                    self.assertTrue(stands_for(label, field), f"{label} for {field}")
        self.assertGreater(seen, 10)

    def test_a_picture_that_is_wrong_is_seen(self):
        rows = " *   byte  0       1       2       3       4       5       6       7\n"
        self.assertEqual(picture(rows + " *      0  magic                           crc\n *      8  next\n"),
                         [(0, "magic"), (4, "crc"), (8, "next")])
        self.assertEqual(picture(rows + " *     16  env, 16 bytes ........\n"), [(16, "env")])
        self.assertFalse(stands_for("max_va", "max_oasz_lg2"))


if __name__ == "__main__":
    unittest.main()
