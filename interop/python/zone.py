"""The zone directory of one user on one machine: keys, records, locks."""

import fcntl
import ipaddress
import os
import stat
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from identity import Identity, is_name

RECORD = struct.Struct("<8s32sQQI16sQB16sIHBB")
# The role of a member that runs workers.
NODE = 0
FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class NameTaken(Exception):
    """A live node of the zone has this name."""


@dataclass(frozen=True)
class Member:
    id: bytes
    name: str
    incarnation: int
    host: str
    port: int
    role: int


def machine() -> tuple[bytes, int]:
    """Boot identifier and network namespace; zero where the system does not tell."""
    try:
        boot = bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", ""))
        return boot, os.stat("/proc/self/ns/net").st_ino
    except OSError:
        return bytes(16), 0


def locked(file: int) -> bool:
    """Whether a live node holds the record. The look lasts until the file is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True


class Directory:
    def __init__(self, home: Path, zone: str):
        self.folder = home / "zones" / zone
        self.nodes = self.folder / "nodes"
        self.authority = Identity(self._key("authority.key", b"A"))
        self.access_key = self._key("access.key", b"K")
        self._boot, self._network = machine()
        self._own: tuple[Path, int] | None = None

    def _key(self, name: str, letter: bytes) -> bytes:
        file = os.open(self.folder / name, os.O_RDONLY | FLAGS)
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o777 != 0o600:
                raise PermissionError(f"{name} is not this user's alone")
            content = os.read(file, 41)
        finally:
            os.close(file)
        if len(content) != 40 or content[:8] != b"troupe" + letter + b"\x01":
            raise ValueError(f"{name} is no key of this version")
        return content[8:]

    def members(self) -> list[Member]:
        """The live members, in whatever role."""
        found = []
        for entry in self.nodes.iterdir():
            try:
                file = os.open(entry, os.O_RDONLY | FLAGS)
            except FileNotFoundError:
                continue
            try:
                if locked(file):
                    member = self._read(os.read(file, 512))
                    if member and f"{member.name}.node" == entry.name:
                        found.append(member)
            finally:
                os.close(file)
        return found

    def _read(self, content: bytes) -> Member | None:
        if len(content) < RECORD.size:
            return None
        magic, id, incarnation, _, _, boot, network, family, ip, _, port, role, length = RECORD.unpack_from(content)
        name = content[RECORD.size:]
        if magic != b"troupeN\x02" or family not in (4, 6) or role > 2 or len(name) != length or not is_name(name):
            return None
        elsewhere = any(one and other and one != other for one, other in
                        [(int.from_bytes(boot, "big"), int.from_bytes(self._boot, "big")), (network, self._network)])
        address = ipaddress.IPv4Address(ip[:4]) if family == 4 else ipaddress.IPv6Address(ip)
        return None if elsewhere else Member(id, name.decode(), incarnation, str(address), port, role)

    def announce(self, id: bytes, name: str, incarnation: int, port: int) -> None:
        """Puts the record of a node that listens on this port of 127.0.0.1 in place, and holds its lock."""
        ip = ipaddress.IPv4Address("127.0.0.1").packed.ljust(16, b"\0")
        record = RECORD.pack(b"troupeN\x02", id, incarnation, time.time_ns() // 1_000_000, os.getpid(), self._boot,
                             self._network, 4, ip, 0, port, NODE, len(name)) + name.encode()
        path = self.nodes / f"{name}.node"
        while True:
            draft = self.folder / "drafts" / os.urandom(8).hex()
            file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FLAGS, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.write(file, record)
                os.link(draft, path)
                os.unlink(draft)
                self._own = (path, file)
                return
            except FileExistsError:
                os.unlink(draft)
                self._make_room(path, name)
            except (BlockingIOError, FileNotFoundError):
                # Somebody was just looking at the draft.
                draft.unlink(missing_ok=True)
            os.close(file)

    def _make_room(self, path: Path, name: str) -> None:
        try:
            file = os.open(path, os.O_RDONLY | FLAGS)
        except FileNotFoundError:
            return
        try:
            if locked(file):
                raise NameTaken(name)
            zone = os.open(self.folder / "zone.lock", os.O_WRONLY | os.O_CREAT | FLAGS, 0o600)
            try:
                fcntl.flock(zone, fcntl.LOCK_EX)
                if self._is_at(file, path):
                    path.unlink()
            finally:
                os.close(zone)
        finally:
            os.close(file)

    @staticmethod
    def _is_at(file: int, path: Path) -> bool:
        try:
            there, own = os.lstat(path), os.fstat(file)
        except FileNotFoundError:
            return False
        return (there.st_ino, there.st_dev) == (own.st_ino, own.st_dev)

    def leave(self) -> None:
        """Takes the record away."""
        if self._own:
            path, file = self._own
            self._own = None
            if self._is_at(file, path):
                path.unlink()
            os.close(file)
