"""Frames: the bytes between two nodes inside the records. Writers give bytes, the reader gives one `Frame` after the other."""

import re
import struct
from dataclasses import dataclass
from typing import Iterator

from identity import is_name

HELLO, RESUME, RESET, ACK, WINDOW, PING, PONG, CLOSE, FRAG = range(0x01, 0x0A)
MSG, REPLY, FAIL, CANCEL, STAGE, WHERE, HERE, GONE, BIND, CREDIT, EMPTY = range(0x41, 0x4C)
IGNORE, NUMBERED = 0x80, 0x40
PIECES, BYTES = 0x80, 0x40
REQUEST, CONTROL, SENDER, EXTENSIONS, BY_NAME, TO_CONTROL = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
FRAME_MAX = 16368
NO_LIMIT = 0xFFFFFFFF
GRANT, ASK, RETURN = 0, 1, 2
GOES_ON, MOVES = 1, 2
MIB = 1 << 20
SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
#: Handle or correlation: eight bytes that mean nothing but equality.
Name8 = bytes


class Violation(Exception):
    """The other side broke the protocol."""


@dataclass(frozen=True)
class Hello:
    max_message: int = 16 * MIB
    max_reassembly: int = 32 * MIB
    windows: tuple[int, int] = (17 * MIB, 17 * MIB)
    max_pieces: int = 64
    accept_code: bool = False


@dataclass(frozen=True)
class Frame:
    kind: int
    flags: int
    content: bytes


def frame(kind: int, content: bytes = b"", flags: int = 0) -> bytes:
    return struct.pack("<BBH", kind, flags, len(content)) + content


def name8(slot: int, generation: int = 1) -> Name8:
    return struct.pack("<II", slot, generation)


def hello(terms: Hello) -> bytes:
    content = struct.pack("<QQIIIIH", 0, 0, terms.max_message, terms.max_reassembly, *terms.windows, terms.max_pieces)
    return frame(HELLO, content, 1 if terms.accept_code else 0)


def resume(incarnation: int, known: int, session: int, owned: int | None = None, course: int | None = None) -> bytes:
    """`owned`: the session goes on; otherwise it begins, or does what `course` says."""
    flags = course if course is not None else 0 if owned is None else GOES_ON
    return frame(RESUME, struct.pack("<QQQQ", incarnation, known, session, owned or 0), flags)


def credit(target: Name8, what: int, messages: int, size: int) -> bytes:
    return frame(CREDIT, target + struct.pack("<BBII", what, 0, messages, size))


def close(reason: int, last: int) -> bytes:
    return frame(CLOSE, struct.pack("<BQ", reason, last))


def message(target: Name8 | None, *, request: Name8 | None = None, sender: Name8 | None = None, remaining: int = NO_LIMIT) -> tuple[int, int, bytes]:
    """Kind, flags and what stands before the body. No target: the control service."""
    flags = (REQUEST if request else 0) | (SENDER if sender else 0) | (0 if target else CONTROL | TO_CONTROL | BYTES)
    return MSG, flags, (request or b"") + struct.pack("<I", remaining) + (sender or b"") + (target or b"")


def with_body(head: tuple[int, int, bytes], body: bytes, number: int) -> list[bytes]:
    """One frame, or a head and its pieces."""
    kind, flags, fields = head
    if 4 + len(fields) + len(body) <= FRAME_MAX:
        return [frame(kind, fields + body, flags)]
    made = [frame(kind, fields + struct.pack("<II", number, len(body)), flags | PIECES)]
    step = FRAME_MAX - 8
    for at in range(0, len(body), step):
        piece = body[at:at + step]
        made.append(frame(FRAG, struct.pack("<I", number) + piece, 1 if at + step >= len(body) else 0))
    return made


def read(record: bytes) -> Iterator[Frame]:
    """The frames of a record."""
    at = 0
    while at < len(record):
        if at + 4 > len(record):
            raise Violation("a frame is cut off")
        kind, flags, length = struct.unpack_from("<BBH", record, at)
        if at + 4 + length > len(record):
            raise Violation("a frame is longer than its record")
        yield Frame(kind, flags, record[at + 4:at + 4 + length])
        at += 4 + length


def read_hello(read: Frame) -> Hello:
    if read.kind != HELLO or len(read.content) < 34 or read.flags & ~1:
        raise Violation("it did not begin with HELLO")
    _, _, longest, held, messages, replies, pieces = struct.unpack_from("<QQIIIIH", read.content)
    if min(longest, messages, replies, pieces) < 1 or held < longest:
        raise Violation("its HELLO leaves no room for a message")
    return Hello(longest, held, (messages, replies), pieces, bool(read.flags & 1))


@dataclass(frozen=True)
class Resume:
    session: int
    goes_on: bool
    moves: bool
    owned: int


def read_resume(read: Frame, incarnation: int) -> Resume:
    if read.kind != RESUME or len(read.content) != 32 or read.flags not in (0, GOES_ON, MOVES):
        raise Violation("HELLO was not followed by RESUME")
    own, _, session, owned = struct.unpack("<QQQQ", read.content)
    if own != incarnation or not 0 < session < 1 << 63 or owned and read.flags != GOES_ON:
        raise Violation("its RESUME contradicts the handshake or itself")
    return Resume(session, read.flags == GOES_ON, read.flags == MOVES, owned)


def read_name(name: bytes) -> str:
    if not is_name(name):
        raise Violation("a name is none")
    return name.decode()


def read_text(body: bytes) -> str:
    """WTF-8: UTF-8 that may hold lone surrogates, never a pair of them."""
    try:
        text = body.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise Violation("a text is not WTF-8") from None
    if SURROGATES.search(text):
        raise Violation("a text holds a character in two halves")
    return text


def write_text(text: str) -> bytes:
    # Two halves that stand beside each other are one character on the wire.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass").encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class Message:
    flags: int
    request: Name8 | None
    remaining: int
    sender: Name8 | None
    target: Name8 | str | None
    #: Where the body begins, or its number and length.
    body_at: int


def read_message(read: Frame) -> Message:
    """What stands before the body of a MSG."""
    flags, content, at = read.flags, read.content, 0

    def take(length: int) -> bytes:
        nonlocal at
        at += length
        if at > len(content):
            raise Violation("a MSG is cut off")
        return content[at - length:at]

    request = take(8) if flags & REQUEST else None
    (remaining,) = struct.unpack("<I", take(4))
    sender = take(8) if flags & SENDER else None
    where = flags & (BY_NAME | TO_CONTROL)
    if where == BY_NAME | TO_CONTROL or flags & CONTROL and where != TO_CONTROL:
        raise Violation("a MSG has flags without meaning")
    target: Name8 | str | None = None
    if where == BY_NAME:
        target = read_name(take(take(1)[0]))
    elif where == 0:
        target = take(8)
    if flags & EXTENSIONS:
        take(struct.unpack("<H", take(2))[0])
    return Message(flags, request, remaining, sender, target, at)
