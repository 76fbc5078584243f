# SPDX-License-Identifier: GPL-2.0-only
"""luod: who gets which session, and that nobody can be in another's way. [E3]

With ASan and UBSan, on a made-up kernel; what is a session there is a file that lives as long as somebody has it.
"""

import errno
import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import keeper
from keeper import (CREATE, LIST, NOBODY, OUT, PARK, RETRIEVE, ROOT, UNPARK, Client, Kernel, Manager, as_user, make,
                    request, wait_until)

ROOT_ONLY = unittest.skipUnless(os.getuid() == 0, "takes root, to be two users")


class Sessions(Kernel):
    """What an owner sees."""

    def setUp(self):
        super().setUp()
        self.start()

    def test_a_new_one_is_its_owners_alone(self):
        fd = self.session(self.client(), CREATE, "vm1")
        self.assertTrue(self.alive(self.own("vm1")))
        os.close(fd)
        wait_until(lambda: not self.alive(self.own("vm1")), "undone with its last file")

    def test_a_parked_one_outlives_its_owner(self):
        with self.client() as client:
            self.parked(client, "vm1")
        self.assertTrue(self.alive(self.own("vm1")))
        self.assertEqual(self.client().list(), [(self.uid, self.own("vm1"))])

    def test_an_unparked_one_is_closed_before_the_reply(self):
        client = self.client()
        self.parked(client, "vm1")
        self.good(client.ask(UNPARK, self.own("vm1")))
        self.assertFalse(self.alive(self.own("vm1")))
        self.assertEqual(client.list(), [])

    def test_parked_and_unparked_again_and_again(self):
        client = self.client()
        fd = self.session(client, CREATE, "vm1")
        for _ in range(3):
            self.good(client.ask(PARK, self.own("vm1"), [fd]))
        self.assertEqual(len(client.list()), 1)
        for _ in range(3):
            self.good(client.ask(UNPARK, self.own("vm1")))
        self.assertEqual(client.list(), [])
        wait_until(lambda: self.files() == len(self.OWN) + 1, "nothing but its client")
        self.assertTrue(self.alive(self.own("vm1")))
        os.close(fd)

    def test_it_comes_back_to_its_owner(self):
        self.parked(self.client(), "vm1")
        self.assertEqual(self.kexec(), [self.own("vm1")])
        self.start()
        os.close(self.session(self.client(), RETRIEVE, "vm1"))

    def test_an_owner_who_died_too_early_gets_it_again(self):
        self.parked(self.client(), "vm1")
        self.kexec()
        self.start()
        with self.client() as client:
            os.close(self.session(client, RETRIEVE, "vm1"))
        self.assertTrue(self.alive(self.own("vm1"), "in"))
        client = self.client()
        fd = self.session(client, RETRIEVE, "vm1")
        self.finish(self.own("vm1"))
        os.close(fd)
        self.assertEqual(client.list(), [])
        wait_until(lambda: not self.alive(self.own("vm1"), "in"), "a finished one is let go")
        self.refused(client.ask(RETRIEVE, "vm1"), errno.ENOENT, "finished")

    def test_the_next_update(self):
        """The new session has the name of the one that came, which its owner has not finished."""
        self.parked(self.client(), "vm1")
        self.kexec()
        self.start("--sessions=1")
        client = self.client()
        old = self.session(client, RETRIEVE, "vm1")
        # Where only one can be kept it is not counted.
        self.parked(client, "vm1")
        self.assertEqual(len(client.list()), 2)
        self.good(client.ask(UNPARK, self.own("vm1")))
        self.assertFalse(self.alive(self.own("vm1")))
        self.assertTrue(self.alive(self.own("vm1"), "in"))
        os.close(self.session(client, RETRIEVE, "vm1"))
        os.close(old)

    def test_one_of_this_kernel_is_not_retrieved(self):
        client = self.client()
        self.parked(client, "vm1")
        self.refused(client.ask(RETRIEVE, "vm1"), errno.ENOENT, "vm1")

    def test_names(self):
        client = self.client()
        self.refused(client.ask(CREATE, ""), errno.EINVAL, "empty")
        for name in "a/b", "/", "a\nb", "\x7f", "a\x01":
            self.refused(client.ask(CREATE, name), errno.EINVAL, "slash")
        longest = "n" * (63 - len(self.own("")))
        self.refused(client.ask(CREATE, longest + "n"), errno.ENAMETOOLONG, "63")
        for name in longest, "..", "Jörg's", "a:b \\":
            os.close(self.session(client, CREATE, name))

    def test_taken(self):
        client = self.client()
        fd = self.session(client, CREATE, "vm1")
        self.refused(client.ask(CREATE, "vm1"), errno.EEXIST, "already")
        os.close(fd)
        held = open(self.place / "in" / self.own("vm2"), "w", encoding="ascii")
        fcntl.flock(held, fcntl.LOCK_EX)
        self.refused(client.ask(RETRIEVE, "vm2"), errno.EALREADY, "somebody")
        held.close()
        (self.place / "node").unlink()
        self.refused(client.ask(CREATE, "vm3"), errno.ENODEV, "liveupdate=on")

    def test_killed_luod(self):
        """What it alone had is undone, what others have as well is not."""
        client = self.client()
        self.parked(client, "vm1")
        fd = self.session(client, CREATE, "vm2")
        self.good(client.ask(PARK, self.own("vm2"), [fd]))
        self.stop(signal.SIGKILL)
        self.assertFalse(self.alive(self.own("vm1")))
        self.assertTrue(self.alive(self.own("vm2")))
        os.close(fd)
        self.start()
        self.assertEqual(self.client().list(), [])


class OlderKernel(Kernel):
    """One that cannot be asked whether a session is finished."""

    def test_the_owner_says_so(self):
        self.start(env={"LUO_STANDIN_OLD": "1"})
        client = self.client()
        self.parked(client, "vm1")
        self.kexec()
        self.start(env={"LUO_STANDIN_OLD": "1"})
        client = self.client()
        os.close(self.session(client, RETRIEVE, "vm1"))
        self.finish(self.own("vm1"))
        self.assertEqual(len(client.list()), 1)
        self.good(client.ask(UNPARK, self.own("vm1")))
        self.assertEqual(client.list(), [])


@ROOT_ONLY
class Users(Kernel):
    """Another user is told nothing, and gets nothing."""

    def setUp(self):
        super().setUp()
        self.start()

    def as_nobody(self, call):
        def connected():
            with Client(self.path) as client:
                return call(client)
        answer = as_user(NOBODY, connected)
        self.assertNotIsInstance(answer, str, answer)
        return answer

    def test_not_to_be_retrieved_by_another(self):
        self.parked(self.client(), "vm1")
        self.kexec()
        self.start()
        names = "vm1", "0.vm1"
        codes = self.as_nobody(lambda client: [client.ask(RETRIEVE, name).code for name in names])
        self.assertEqual(codes, [-errno.ENOENT] * 2)
        # nor once luod has a copy itself
        os.close(self.session(self.client(), RETRIEVE, "vm1"))
        codes = self.as_nobody(lambda client: [client.ask(RETRIEVE, name).code for name in names])
        self.assertEqual(codes, [-errno.ENOENT] * 2)

    def test_not_to_be_parked_nor_unparked_by_another(self):
        client = self.client()
        self.parked(client, "vm1")
        fd = self.session(client, CREATE, "vm2")
        codes = self.as_nobody(lambda other: [other.ask(UNPARK, "0.vm1").code, other.ask(PARK, "0.vm2", [fd]).code,
                                              other.ask(UNPARK, "vm1").code])
        self.assertEqual(codes, [-errno.EPERM] * 3)
        self.assertEqual(client.list(), [(0, "0.vm1")])
        os.close(fd)

    def test_lists(self):
        def park(client):
            reply = client.ask(CREATE, "vm1")
            parked = client.ask(PARK, "", reply.fds)
            return reply.code, reply.name, parked.code, client.list()
        name = f"{NOBODY}.vm1"
        self.parked(self.client(), "vm1")
        self.assertEqual(self.as_nobody(park), (0, name, 0, [(NOBODY, name)]))
        self.assertEqual(self.client().list(), [(0, "0.vm1"), (NOBODY, name)])

    def test_the_same_name_of_two_users(self):
        def create(client):
            reply = client.ask(CREATE, "vm1")
            return reply.code, reply.name, client.ask(PARK, "", reply.fds).code
        self.parked(self.client(), "vm1")
        self.assertEqual(self.as_nobody(create), (0, f"{NOBODY}.vm1", 0))
        self.assertEqual(sorted(self.kexec()), ["0.vm1", f"{NOBODY}.vm1"])
        self.start()
        reply = self.as_nobody(lambda client: vars(client.ask(RETRIEVE, "vm1")))
        self.assertEqual((reply["code"], reply["name"]), (0, f"{NOBODY}.vm1"))
        os.close(self.session(self.client(), RETRIEVE, "vm1"))

    def test_root_may_park_any(self):
        """And get it back by that name; a number with a zero before it is no user's."""
        client = self.client()
        name = f"0{NOBODY}.vm"
        made = [self.place / "out" / name for name in ("vm7", name, f"{NOBODY}.vm8")]
        for file in made:
            with open(file, "w+b") as session:
                fcntl.flock(session, fcntl.LOCK_EX)
                self.good(client.ask(PARK, file.name, [session.fileno()]))
        self.assertEqual([uid for uid, _ in client.list()], [0, 0, NOBODY])
        self.assertEqual(self.as_nobody(Client.list), [(NOBODY, f"{NOBODY}.vm8")])
        self.good(client.ask(UNPARK, f"{NOBODY}.vm8"))
        self.assertEqual(len(client.list()), 2)

    def test_root_gets_what_another_has_left(self):
        (self.place / "in" / f"{NOBODY}.vm1").touch()
        self.assertEqual(self.as_nobody(lambda client: client.ask(RETRIEVE, "vm1").code), 0)
        reply = self.good(self.client().ask(RETRIEVE, f"{NOBODY}.vm1"))
        self.assertEqual(len(reply.fds), 1)
        os.close(reply.fds[0])


class Messages(Kernel):
    """What is no request ends that connection, and costs nobody else anything."""

    GOOD = request(LIST)

    def setUp(self):
        super().setUp()
        self.start()
        self.idle()
        self.witness = self.client()
        self.parked(self.witness, "witness")
        # An answer comes before what was needed for it is closed.
        wait_until(lambda: self.threads() == 1, "all is closed")
        self.before = self.files()

    def tearDown(self):
        self.assertEqual(self.witness.list(), [(self.uid, self.own("witness"))])
        wait_until(lambda: self.files() == self.before, f"{self.before} files again")
        wait_until(lambda: self.threads() == 1, "all is closed")

    def ends(self, data, fds=(), code=errno.EPROTO):
        client = self.client()
        client.send(data, fds)
        self.refused(client.receive(), code)
        self.assertIsNone(client.receive())
        client.close()

    def test_no_requests(self):
        for data in (self.GOOD[:-1], self.GOOD[:4], b"x", self.GOOD + b"\0", bytes(4096), b"\xff" * len(self.GOOD),
                     request(LIST, magic=0), request(LIST, reserved=1), request(0), request(6), request(2**32 - 1),
                     request(CREATE, b"n" * 64), request(CREATE, b"a\0b")):
            self.ends(data)
        self.ends(request(LIST, version=2), code=errno.EPROTONOSUPPORT)

    def test_files_where_none_belong(self):
        with open("/dev/null", "rb") as null:
            fds = [null.fileno()]
            for op in CREATE, RETRIEVE, UNPARK, LIST:
                self.ends(request(op, "vm1"), fds)
            self.ends(b"x", fds * 253)
            self.ends(request(LIST), fds * 253)
            self.ends(request(PARK, "vm1"), fds * 2)
        self.ends(request(PARK, "vm1"))

    def test_not_a_session(self):
        client = self.client()
        (self.place / "anon_inode:[luo_session] x").touch()
        for path in "/dev/null", "/proc/self/mem", self.place, self.place / "anon_inode:[luo_session] x":
            fd = os.open(path, os.O_RDONLY)
            self.refused(client.ask(PARK, self.own("vm1"), [fd]), errno.EMEDIUMTYPE, "session")
            os.close(fd)
        fd = os.memfd_create("[luo_session] x")
        self.refused(client.ask(PARK, self.own("vm1"), [fd]), errno.EMEDIUMTYPE)
        os.close(fd)
        client.close()

    def test_it_hangs_up_in_the_middle(self):
        for op in CREATE, RETRIEVE, PARK, UNPARK, LIST:
            for _ in range(20):
                with Client(self.path) as client:
                    with open("/dev/null", "rb") as null:
                        client.send(request(op, self.own("vm1")), [null.fileno()] if op == PARK else ())
        # a session that nobody has taken is undone
        wait_until(lambda: not self.alive(self.own(self.own("vm1"))), "undone")

    def test_many_requests_at_once(self):
        client = self.client()
        for _ in range(50):
            client.send(request(UNPARK, self.own("none")))
        for _ in range(50):
            self.good(client.receive())
        client.close()

    def test_a_killed_client(self):
        for _ in range(20):
            pid = os.fork()
            if not pid:
                client = Client(self.path)
                client.send(request(CREATE, "killed"))
                os.kill(os.getpid(), signal.SIGKILL)
            os.waitpid(pid, 0)
        wait_until(lambda: not self.alive(self.own("killed")), "undone")


class InTheWay(Kernel):
    """Nobody waits for somebody else."""

    def served(self):
        """Others are."""
        client = self.client()
        self.parked(client, "other")
        self.good(client.ask(UNPARK, self.own("other")))
        client.close()

    def test_a_client_that_does_not_read(self):
        self.start("--sessions=1000")
        slow = self.client()
        for i in range(400):
            self.parked(slow, f"vm{i}")
        for _ in range(20):
            slow.send(request(LIST))
        self.served()
        for _ in range(20):
            names = []
            while (reply := self.good(slow.receive())).name:
                names.append(reply.name)
            self.assertEqual(names, [self.own(f"vm{i}") for i in range(400)])

    def test_a_busy_node(self):
        self.start("--wait=60000")
        with open(self.place / "node", "rb") as node:
            fcntl.flock(node, fcntl.LOCK_EX)
            waits, goes = self.client(), self.client()
            waits.send(request(CREATE, "vm1"))
            goes.send(request(CREATE, "vm2"))
            self.assertEqual(self.client().list(), [])
            goes.close()
        self.good(waits.receive())
        self.served()
        self.assertFalse(self.alive(self.own("vm2")))

    def test_a_node_that_stays_busy(self):
        self.start("--wait=100")
        with open(self.place / "node", "rb") as node:
            fcntl.flock(node, fcntl.LOCK_EX)
            self.refused(self.client().ask(CREATE, "vm1"), errno.EBUSY, "luctl check")

    @staticmethod
    def lingers():
        """A file that the last one to close it has to wait for: a connection with words nobody reads."""
        server = socket.create_server(("127.0.0.1", 0))
        fd = socket.create_connection(server.getsockname())
        fd.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
        fd.setblocking(False)
        try:
            while True:
                fd.send(bytes(65536))
        except BlockingIOError:
            return server, fd

    def passes(self, client, op, count):
        """Passes such a file, and is not the last one to close it. Returns what ends the waiting."""
        server, fd = self.lingers()
        self.luod.send_signal(signal.SIGSTOP)
        client.send(request(op, self.own("vm1")), [fd.fileno()] * count)
        fd.close()
        self.luod.send_signal(signal.SIGCONT)
        return server

    def test_a_file_that_takes_for_ever_to_close(self):
        self.start()
        for op, count in (PARK, 1), (PARK, 2), (LIST, 1):
            client = self.client()
            server = self.passes(client, op, count)
            self.assertLess(client.receive().code, 0)
            self.served()
            self.assertGreater(self.threads(), 1)
            server.close()
            wait_until(lambda: self.threads() == 1, "closed at last")
            client.close()

    def test_a_request_that_is_never_read(self):
        """Its file is closed with the connection, which is to be in nobody's way either."""
        self.start()
        client = self.client()
        servers = [self.passes(client, PARK, 1) for _ in range(2)]
        # the second waits until the file of the first is closed
        client.receive()
        client.close()
        self.served()
        # with the second one, when it is seen that the client is gone before the first is closed
        wait_until(lambda: self.threads() > 1, "something is being closed")
        for server in servers:
            server.close()
        wait_until(lambda: self.threads() == 1, "closed at last")

    def test_a_thousand_connections(self):
        self.start("--clients=1000", "--clients-all=1000")
        self.idle()
        clients = [self.client() for _ in range(1000)]
        for client in clients:
            client.send(request(UNPARK, self.own("none")))
        for client in clients:
            self.good(client.receive())
        late = self.client()
        self.refused(late.receive(), errno.EUSERS, "too many")
        self.assertIsNone(late.receive())
        for client in clients:
            client.close()
        self.idle()
        self.served()

    @ROOT_ONLY
    def test_the_clients_of_a_user(self):
        self.start("--clients=3")
        self.idle()
        clients = [self.client() for _ in range(3)]
        for client in clients:
            client.list()
        self.refused(self.client().receive(), errno.EUSERS)

        def other():
            with Client(self.path) as client:
                return client.list()
        self.assertEqual(as_user(NOBODY, other), [])

    def test_the_sessions_of_a_user(self):
        self.start("--sessions=2")
        client = self.client()
        fd = self.session(client, CREATE, "vm0")
        for name in "vm1", "vm2":
            self.parked(client, name)
        self.refused(client.ask(CREATE, "vm3"), errno.EDQUOT, "--sessions")
        self.refused(client.ask(PARK, self.own("vm0"), [fd]), errno.EDQUOT)
        self.good(client.ask(UNPARK, self.own("vm1")))
        self.good(client.ask(PARK, self.own("vm0"), [fd]))
        os.close(fd)

    def test_the_sessions_of_all(self):
        self.start("--sessions-all=1")
        client = self.client()
        self.parked(client, "vm1")
        self.refused(client.ask(CREATE, "vm2"), errno.EDQUOT, "--sessions-all")

    def test_out_of_file_descriptors(self):
        self.start("--clients=100", most_files=40)
        self.idle()
        first = self.client()
        kept = self.session(first, CREATE, "vm1")
        # An answer comes before what was needed for it is closed.
        wait_until(lambda: self.threads() == 1, "all is closed")
        # Those for which there is no file wait to be taken, also after they have left.
        others = [self.client() for _ in range(45)]
        wait_until(lambda: self.files() == 40, "it has all it may have")
        self.refused(first.ask(CREATE, "vm2"), errno.EMFILE)
        self.refused(first.ask(PARK, self.own("vm1"), [kept]), errno.EMFILE, "file descriptor")
        self.assertIn("takes no connection for now", self.log())
        # Once for a shortage; what was refused gave a file back for a moment, which may end one.
        self.assertLessEqual(self.log().count("takes no connection"), 3)
        for other in others:
            other.close()
        wait_until(lambda: self.files() <= len(self.OWN) + 1, "they are given back")
        client = self.client()
        self.good(client.ask(PARK, self.own("vm1"), [kept]))
        os.close(kept)
        self.served()


class Systemd(Kernel):
    """A service manager that keeps what it is given, and gives it back."""

    def setUp(self):
        super().setUp()
        self.manager = Manager(self.place)
        self.addCleanup(self.manager.close)

    def begin(self, fds=(), names=()):
        self.start(env={"NOTIFY_SOCKET": self.manager.path}, fds=fds, names=names)
        self.manager.hear_until("READY")

    def again(self):
        """luod is started anew with all that is stored, and has the only copies."""
        names, stored = zip(*self.manager.stored.items())
        self.manager.stored = {}
        self.begin(stored, names)
        for fd in stored:
            os.close(fd)

    def begin_again(self):
        """The same, but the manager goes on having them, as it does."""
        names, stored = zip(*self.manager.stored.items())
        self.begin(stored, names)

    def test_what_is_parked_is_stored_and_comes_back(self):
        self.begin()
        client = self.client()
        self.parked(client, "vm: ö\\")
        self.manager.hear_until("FDSTORE")
        self.assertEqual(list(self.manager.stored), [f"out-{self.uid}.vm\\x3a\\x20\\xc3\\xb6\\x5c"])
        self.stop(signal.SIGKILL)
        name = self.own("vm: ö\\")
        self.assertTrue(self.alive(name))
        self.again()
        self.assertIn("was given 1 sessions back", self.log())
        client = self.client()
        self.assertEqual(client.list(), [(self.uid, name)])
        self.manager.barriers = False
        self.manager.stored = {f"out-{self.uid}.vm\\x3a\\x20\\xc3\\xb6\\x5c": os.open("/dev/null", os.O_RDONLY)}
        client.send(request(UNPARK, name))
        self.manager.hear_until("BARRIER")
        self.assertEqual(self.manager.stored, {})
        # luod has closed its copy, and waits until the manager has
        wait_until(lambda: not self.alive(name), "closed")
        client.sock.settimeout(0.2)
        self.assertRaises(TimeoutError, client.receive)
        client.sock.settimeout(30)
        self.assertEqual(self.client().list(), [])
        self.manager.answer()
        self.good(client.receive())

    def test_what_came_with_the_kexec(self):
        """systemd has it from the kernel, so that the kernel would say that somebody has it."""
        session = open(self.place / "in" / self.own("vm1"), "r+b", opener=lambda path, flags: os.open(path, flags | os.O_CREAT))
        fcntl.flock(session, fcntl.LOCK_EX)
        self.manager.stored["out-whatever"] = os.dup(session.fileno())
        session.close()
        self.begin_again()
        # It is not for the next kernel any more, and called so.
        words = [list(said)[0] + " " + said.get("FDNAME", "") for said in self.manager.said]
        self.assertEqual(words, ["FDSTOREREMOVE out-whatever", f"FDSTORE in-{self.own('vm1')}", "READY "])
        client = self.client()
        self.refused(client.ask(RETRIEVE, "vm2"), errno.ENOENT)
        os.close(self.session(client, RETRIEVE, "vm1"))
        self.assertTrue(self.alive(self.own("vm1"), "in"))

    def test_a_retrieved_one_is_stored(self):
        (self.place / "in" / self.own("vm1")).touch()
        self.begin()
        with self.client() as client:
            os.close(self.session(client, RETRIEVE, "vm1"))
        self.manager.hear_until("FDSTORE")
        self.stop(signal.SIGKILL)
        self.assertTrue(self.alive(self.own("vm1"), "in"))
        self.again()
        client = self.client()
        os.close(self.session(client, RETRIEVE, "vm1"))
        self.finish(self.own("vm1"))
        self.manager.stored[f"in-{self.own('vm1')}"] = os.open("/dev/null", os.O_RDONLY)
        self.assertEqual(client.list(), [])
        self.manager.hear_until("FDSTOREREMOVE")
        self.assertEqual(self.manager.stored, {})

    def test_socket_activation(self):
        path = self.place / "activated"
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.bind(str(path))
        sock.listen(10)
        early = self.client(path)
        early.send(request(LIST))
        with open("/dev/null", "rb") as null:
            self.begin([null.fileno(), sock.fileno()], ["odd", "luod.socket"])
        self.good(early.receive())
        self.assertFalse(self.path.exists())
        self.assertIn("no use for file descriptor 'odd'", self.log())
        self.stop()
        self.assertTrue(path.exists())
        sock.close()

    def test_a_manager_in_the_abstract(self):
        self.manager.sock.close()
        self.manager.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.sock.settimeout(30)
        name = f"luod-test-{os.getpid()}"
        self.manager.sock.bind("\0" + name)
        self.manager.path = "@" + name
        self.begin()


class Command(Kernel):
    """How it is started."""

    def run_luod(self, *args):
        done = subprocess.run([str(self.program), *args], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False, timeout=120)
        return done.returncode, done.stdout

    def test_help_and_version(self):
        version = (ROOT / "VERSION").read_text().strip()
        self.assertEqual(self.run_luod("--version"), (0, f"luod {version}\n"))
        status, said = self.run_luod("--help")
        self.assertEqual(status, 0)
        page = (ROOT / "luod/luod.8.scd").read_text()
        options = re.findall(r"--[a-z-]+", said)
        self.assertEqual(sorted(set(options)), sorted(set(re.findall(r"^\*.*?(--[a-z-]+)", page, re.M))))
        for option, value in re.findall(r"(--[a-z-]+)=\S+ .*\((\d+)\)", said):
            self.assertRegex(page, rf"(?s)\*{option}\*=.{{0,300}}\b{value}\b")

    def test_mistakes(self):
        for args in ["--sessions=0"], ["--sessions=x"], ["--wait=-1"], ["--clients=99999999"], ["--odd"], ["odd"]:
            status, said = self.run_luod(*args)
            self.assertEqual(status, 2, said)
            self.assertIn("luod", said)
        status, said = self.run_luod("--socket=/nowhere/socket/luod")
        self.assertEqual((status, said), (1, "luod: cannot listen at /nowhere/socket/luod: No such file or directory\n"))

    def test_it_is_spared_by_its_name(self):
        """systemd < 255 leaves alone what begins with '@' in the end, and it is not changed."""
        self.start(prefix=("bash", "-c", 'exec -a @luod "$@"', "bash"))
        self.assertTrue(Path(f"/proc/{self.luod.pid}/cmdline").read_bytes().startswith(b"@luod\0"))

    def test_a_socket_that_was_left(self):
        self.start()
        self.stop(signal.SIGKILL)
        self.assertTrue(self.path.exists())
        self.start()
        status, said = self.run_luod(f"--socket={self.path}")
        self.assertEqual(status, 1)
        self.assertIn("in use", said)
        self.assertEqual(self.client().list(), [])
        self.stop()
        self.assertFalse(self.path.exists())

    @unittest.skipUnless(shutil.which("mandoc"), "there is no mandoc")
    def test_man_page(self):
        make("-C", "luod")
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", str(OUT / "luod/luod.8")], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))


# A rule, what takes it out of the sources, and which test has to fail then
MUTANTS = {
    "who parks and unparks": ("request.c", "name_owner(client->name) == client->uid", "1",
                              Users, "test_not_to_be_parked_nor_unparked_by_another"),
    "who gets what is kept": ("request.c", "if (!kept && !client->uid)", "if (!kept)",
                              Users, "test_not_to_be_retrieved_by_another"),
    "who sees what is kept": ("kept.c", "(!uid || k->owner == uid)", "1", Users, "test_lists"),
    "a number has one form": ("name.c", "(*kernel == '0' && digits > 1)", "0", Users, "test_root_may_park_any"),
    "a copy until it is finished": ("request.c", "if (!k->incoming || !session_finished(k->fd))", "if (1)",
                                    Sessions, "test_an_owner_who_died_too_early_gets_it_again"),
    "the node is closed": ("calls-session.c", "\tclose(fd);", "", Sessions, "test_parked_and_unparked_again_and_again"),
    "a thread closes": ("closer.c", "if (!waiting && begin(job))", "if (!work(job))",
                        InTheWay, "test_a_file_that_takes_for_ever_to_close"),
    "what is wrong is closed": ("client.c", "closer_give(m->fds, m->count, client)", "closer_give(m->fds, 0, client)",
                                Messages, "test_files_where_none_belong"),
    "what could not come is seen": ("client.c", "if (m.cut)", "if (0)", InTheWay, "test_out_of_file_descriptors"),
    "undone when the store is": ("request.c", "client->barrier = notify_barrier()", "client->barrier = -1",
                                 Systemd, "test_what_is_parked_is_stored_and_comes_back"),
}


class Mutants(unittest.TestCase):
    """Each of these tests fails without the rule it is for."""

    def mutant(self, place, file, old, new):
        """luod without it."""
        sources, shared = Path(place) / "sources", Path(place) / "shared"
        shutil.copytree(ROOT / "luod", sources)
        shutil.copytree(ROOT / "lib/src", shared)
        path = next(folder / file for folder in (sources, shared) if (folder / file).exists())
        text = path.read_text()
        self.assertEqual(text.count(old), 1, old)
        path.write_text(text.replace(old, new))
        make("-f", "tests/unit/user/luod.mk", "luod", "SANITIZE=-O0 -Wno-unused", f"SOURCES={sources}",
             f"SHARED={shared}", f"LO={place}")

    @staticmethod
    def result(place, case, test, patience):
        result = unittest.TestResult()
        with mock.patch.object(keeper, "PATIENCE", patience), mock.patch.object(Kernel, "program", Path(place) / "luod"):
            case(test).run(result)
        return result

    def test_each(self):
        for rule, (file, old, new, case, test) in MUTANTS.items():
            with self.subTest(rule), tempfile.TemporaryDirectory(prefix="luod-mutant-") as place:
                self.mutant(place, file, old, new)
                result = self.result(place, case, test, 3)
                if result.skipped:
                    self.skipTest(result.skipped[0][1])
                self.assertTrue(result.failures + result.errors, f"{test} passes without it")

    def test_none(self):
        """They pass when nothing is taken out."""
        with tempfile.TemporaryDirectory(prefix="luod-mutant-") as place:
            self.mutant(place, "name.c", "uint64_t uid = 0;", "uint64_t uid = 0;")
            for _, _, _, case, test in MUTANTS.values():
                result = self.result(place, case, test, keeper.PATIENCE)
                self.assertEqual(result.failures + result.errors, [], test)


@unittest.skipUnless(shutil.which("valgrind"), "there is no valgrind")
class Valgrind(Kernel):
    @classmethod
    def setUpClass(cls):
        make("-f", "tests/unit/user/luod.mk", "luod", "SANITIZE=", "LO=$(OUT)/luod-plain")

    program = OUT / "luod-plain/luod"

    def test_all_requests(self):
        self.start(prefix=("valgrind", "-q", "--error-exitcode=9", "--track-fds=no"))
        client = self.client()
        self.parked(client, "vm1")
        self.refused(client.ask(RETRIEVE, "vm1"), errno.ENOENT)
        self.assertEqual(len(client.list()), 1)
        self.good(client.ask(UNPARK, self.own("vm1")))
        client.send(b"x")
        self.refused(client.receive(), errno.EPROTO)
        self.stop()


@unittest.skipUnless(shutil.which("clang"), "there is no clang; 'make fuzz-user' takes it")
class Fuzz(unittest.TestCase):
    def test_short(self):
        make("-f", "tests/unit/user/luod.mk", "fuzz")
        with tempfile.TemporaryDirectory(prefix="luod-fuzz-") as place:
            # What it finds goes into the first folder.
            done = subprocess.run([str(OUT / "luod-test/fuzz"), "-runs=1000", "-seed=1", f"-artifact_prefix={place}/",
                                   place, str(ROOT / "tests/fuzz/luod")], text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, check=False, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])
