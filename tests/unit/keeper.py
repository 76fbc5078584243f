# SPDX-License-Identifier: GPL-2.0-only
"""luod on a made-up kernel (user/luo-standin.c), and those who talk to it."""

import array
import fcntl
import os
import pickle
import resource
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import traceback
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build/unit"
NOBODY = 65534
CREATE, RETRIEVE, PARK, UNPARK, LIST = range(1, 6)
MAGIC, VERSION = 0x444F554C, 1
REQUEST, REPLY = struct.Struct("=IIII64s"), struct.Struct("=IIiI64s256s")
# What takes longer than this on a busy machine hangs.
PATIENCE = 120


def make(*args):
    """A Makefile of user space, or the reason why it fails."""
    done = subprocess.run(["make", "-s", *args, f"OUT={OUT}"], cwd=ROOT, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise AssertionError(f"make {' '.join(args)}:\n{done.stdout}")


def request(op, name=b"", magic=MAGIC, version=VERSION, reserved=0):
    return REQUEST.pack(magic, version, op, reserved, name if isinstance(name, bytes) else name.encode())


class Reply:
    def __init__(self, data, fds):
        self.magic, self.version, self.code, self.uid, name, text = REPLY.unpack(data)
        self.name, self.text = (part.partition(b"\0")[0].decode(errors="replace") for part in (name, text))
        self.fds = fds


class Client:
    """A connection."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(path))

    def send(self, data, fds=()):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([data], rights)

    def receive(self):
        """The next reply, or None when luod has hung up."""
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, REPLY.size + 1, 16)
        except ConnectionResetError:
            return None
        return Reply(data, fds) if data else None

    def ask(self, op, name=b"", fds=()):
        self.send(request(op, name), fds)
        return self.receive()

    def list(self):
        self.send(request(LIST))
        names = []
        while (reply := self.receive()).name:
            names.append((reply.uid, reply.name))
        assert not reply.code
        return names

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def as_user(uid, call):
    """What call() returns in a process of that user."""
    ends = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            answer = call()
        except BaseException:  # pylint: disable=broad-exception-caught
            answer = traceback.format_exc()
        with os.fdopen(ends[1], "wb") as out:
            pickle.dump(answer, out)
        os._exit(0)
    os.close(ends[1])
    with os.fdopen(ends[0], "rb") as out:
        answer = pickle.load(out)
    os.waitpid(pid, 0)
    return answer


def wait_until(true, what):
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not in {PATIENCE} s")
        time.sleep(0.01)


class Manager:
    """What systemd does for a service: takes what it wants stored, and says when it has done so."""

    def __init__(self, place):
        self.path = str(place / "notify")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.settimeout(PATIENCE)
        self.sock.bind(self.path)
        self.stored, self.said = {}, []
        self.barriers = True  # are answered at once
        self.waiting = []

    def hear(self):
        """Takes one message in."""
        data, fds, _, _ = socket.recv_fds(self.sock, 4096, 4)
        words = dict(line.split("=", 1) for line in data.decode().splitlines())
        self.said.append(words)
        if "FDSTORE" in words:
            self.stored[words["FDNAME"]] = fds.pop()
        elif "FDSTOREREMOVE" in words:
            os.close(self.stored.pop(words["FDNAME"]))
        elif "BARRIER" in words:
            self.waiting += fds
            fds = []
            if self.barriers:
                self.answer()
        for fd in fds:
            os.close(fd)
        return words

    def hear_until(self, word):
        while word not in self.hear():
            pass

    def answer(self):
        while self.waiting:
            os.close(self.waiting.pop())

    def close(self):
        self.answer()
        for fd in self.stored.values():
            os.close(fd)
        self.sock.close()


class Kernel(unittest.TestCase):
    """A made-up kernel in self.place, and luod on it."""

    program = OUT / "luod-test/luod"
    # What luod has open when nobody is connected and nothing kept
    OWN = "stdin", "stdout", "stderr", "signals", "closer", "closed", "socket"

    @classmethod
    def setUpClass(cls):
        make("-f", "tests/unit/user/luod.mk", "luod")

    def setUp(self):
        self.place = Path(tempfile.mkdtemp(prefix="luod-test-"))
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.place.chmod(0o755)
        for folder in "in", "out":
            (self.place / folder).mkdir()
        (self.place / "node").touch()
        self.path = self.place / "socket"
        self.luod = None
        self.uid = os.getuid()

    def start(self, *options, env=(), fds=(), names=(), most_files=None, prefix=()):
        """Starts it. fds and names: what a service manager passes, from 3 on."""
        extra = {"LUO_STANDIN": str(self.place), "ASAN_OPTIONS": "detect_leaks=0"} | dict(env)

        def before():
            for at, fd in enumerate(fds):
                os.dup2(fd, 3 + at)
            if fds:
                os.environ["LISTEN_PID"] = str(os.getpid())
            if most_files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))

        if fds:
            # LISTEN_PID can only be known by the process itself.
            extra |= {"LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": ":".join(names)}
            prefix = ("sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *prefix)
        else:
            extra["LISTEN_FDS"] = ""
        with open(self.place / "log", "ab") as log:
            self.luod = subprocess.Popen(
                [*prefix, str(self.program), f"--socket={self.path}", f"--node={self.place}/node", *options],
                env=os.environ | extra, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=before,
                pass_fds=tuple(range(3, 3 + len(fds))))
        self.addCleanup(self.stop)
        if not fds:
            wait_until(self.listens, "luod listens")

    def listens(self):
        self.assertIsNone(self.luod.poll(), self.log())
        try:
            with Client(self.path) as client:
                client.list()
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        return True

    def log(self):
        return (self.place / "log").read_text()

    def stop(self, how=signal.SIGTERM):
        """Ends it, and looks at what it said."""
        if self.luod is None:
            return
        self.luod.send_signal(how)
        status = self.luod.wait(PATIENCE)
        self.luod = None
        self.assertNotRegex(self.log(), "ERROR: |runtime error")
        self.assertEqual(status, -how if how == signal.SIGKILL else 0, self.log())

    def client(self, path=None):
        client = Client(path or self.path)
        self.addCleanup(client.close)
        return client

    def own(self, name):
        return f"{self.uid}.{name}"

    def alive(self, name, kind="out"):
        """Somebody has it."""
        file = self.place / kind / name
        if not file.exists():
            return False
        with open(file, "rb") as probe:
            try:
                fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def kexec(self):
        """What is alive is in the next kernel, where nobody has it yet."""
        for file in (self.place / "in").iterdir():
            file.unlink()
        names = [file.name for file in (self.place / "out").iterdir() if self.alive(file.name)]
        self.stop(signal.SIGKILL)
        for file in list((self.place / "out").iterdir()):
            if file.name in names:
                file.rename(self.place / "in" / file.name)
            else:
                file.unlink()
        return names

    def finish(self, name):
        """What its owner does with an incoming session in the end."""
        (self.place / "in" / name).write_text("finished")

    def files(self):
        """How many luod has open."""
        return len(os.listdir(f"/proc/{self.luod.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.luod.pid}/task"))

    def idle(self):
        """Until the connection that start() has tried is closed there as well."""
        wait_until(lambda: self.threads() == 1 and self.files() == len(self.OWN), "nobody is connected")

    def good(self, reply):
        self.assertIsNotNone(reply, self.log())
        self.assertEqual((reply.magic, reply.version), (MAGIC, VERSION))
        self.assertEqual(reply.code, 0, reply.text)
        for fd in reply.fds:
            os.set_inheritable(fd, False)
        return reply

    def refused(self, reply, code, *words):
        self.assertIsNotNone(reply, self.log())
        self.assertEqual(reply.code, -code, reply.text)
        self.assertEqual(reply.fds, [])
        for word in words:
            self.assertIn(word, reply.text)

    def session(self, client, op, name):
        """The file descriptor of one."""
        reply = self.good(client.ask(op, name))
        self.assertEqual(len(reply.fds), 1)
        self.assertEqual(reply.name, self.own(name))
        return reply.fds[0]

    def parked(self, client, name):
        """A new one, of which only luod has a copy in the end."""
        fd = self.session(client, CREATE, name)
        self.good(client.ask(PARK, self.own(name), [fd]))
        os.close(fd)
