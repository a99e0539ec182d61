"""Breaks each rule of docs/wire.md against the node `runner`, a channel and an identity each, and compares what that did with what the page
says: CLOSE for a violation, no word before the channel is open, nothing for what only looks odd.
"""

import asyncio
import struct
import sys
import time
from collections.abc import Callable

import frames as f
from handshake import HEADER, Handshake
from visitor import ACCEPTED, OWN, SILENCE, Visitor, ask_for_life, end_of

VIOLATION = "CLOSE 4"
TOKEN = struct.pack("<Q", 0x1234)


def number(value: int) -> bytes:
    return struct.pack("<Q", value)


def request(target: bytes | None, other: int = 0) -> bytes:
    """A request, with flags turned round."""
    kind, flags, content = f.message(target, request=f.name8(1), remaining=10_000)
    return f.frame(kind, content + b"x", flags ^ other)


def unasked(target: bytes, other: int = 0, sender: bytes | None = None) -> bytes:
    """A message that waits for nothing and needs no place: all right but for what is changed in it."""
    kind, flags, content = f.message(target, remaining=0, sender=sender)
    return f.frame(kind, content + b"x", flags ^ other)


def extended(extensions: bytes, length: int | None = None) -> bytes:
    """A message by name that waits for nothing, with extensions."""
    content = struct.pack("<IB6sH", 0, 6, b"nobody", len(extensions) if length is None else length) + extensions
    return f.frame(f.MSG, content, f.BY_NAME | f.EXTENSIONS)


def head(id: int, total: int) -> bytes:
    """The head of an answer to nothing, whose body comes in pieces."""
    return f.frame(f.REPLY, f.name8(99) + struct.pack("<II", id, total), f.PIECES)


def piece(id: int, content: bytes, last: bool) -> bytes:
    return f.frame(f.FRAG, struct.pack("<I", id) + content, int(last))


def reply(text: bytes) -> bytes:
    return f.frame(f.REPLY, f.name8(99) + text)


def violations(greeter: bytes) -> dict[str, list[bytes]]:
    """Frames for an open channel; the last of them is too much."""
    control = f.CONTROL | f.TO_CONTROL
    return {
        "an unknown kind": [f.frame(0x3F)],
        "an unknown numbered kind": [f.frame(0x7F)],
        "a flag without meaning": [f.frame(f.ACK, number(0), 2)],
        "content that is too short": [f.frame(f.PING, TOKEN[:-1])],
        "content that is too long": [f.frame(f.PING, TOKEN + b"x")],
        "a frame beyond its record": [f.frame(f.PING, TOKEN)[:-1]],
        "a second HELLO": [f.hello(OWN)],
        "a second RESUME": [f.resume(1, 0, 1)],
        "RESET": [f.frame(f.RESET, b"\x01")],
        "an ACK of what was not sent": [f.frame(f.ACK, number(1))],
        "an ACK that goes down": [f.frame(f.WHERE, b"greeter"), b"", f.frame(f.ACK, number(1)), f.frame(f.ACK, number(0))],
        "a WINDOW that goes down": [f.frame(f.WINDOW, number(5))],
        "a piece without a head": [piece(7, b"x", True)],
        "an empty piece": [head(1, 2), piece(1, b"", False)],
        "pieces beyond the length": [head(1, 2), piece(1, b"xyz", True)],
        "a last piece too early": [head(1, 2), piece(1, b"x", True)],
        "no last piece at the end": [head(1, 2), piece(1, b"xy", False)],
        "a number of a body twice at once": [head(1, 2), head(1, 2)],
        "an empty body in pieces": [head(1, 0)],
        "a body that is too long": [head(1, OWN.max_message + 1)],
        "too many bodies at once": [head(id, 2) for id in range(OWN.max_pieces + 1)],
        "beyond the window, with bodies that are not all there": [head(1, OWN.max_message), head(2, OWN.max_message), head(3, 1)],
        "a message without a place": [request(greeter)],
        "a message by name without a place": [f.frame(f.MSG, struct.pack("<IB7s", f.NO_LIMIT, 7, b"greeter"), f.BY_NAME)],
        "a sender that is not bound": [unasked(greeter, sender=f.name8(3))],
        "bytes to a worker": [unasked(greeter, f.BYTES)],
        "a worker's message that claims to be control": [unasked(greeter, f.CONTROL)],
        "two targets": [f.frame(f.MSG, bytes(4) + b"\x06nobody", f.BY_NAME | f.TO_CONTROL)],
        "a control request as text": [request(None, f.BYTES)],
        "a control request without a number": [f.frame(f.MSG, bytes(4) + b"L", control | f.BYTES)],
        "extensions that are too long": [extended(bytes(514))],
        "an extension that is cut off": [extended(b"\x01\x05x")],
        "extensions beyond the frame": [extended(b"", 9)],
        "a name that is none": [f.frame(f.WHERE, b"a/b")],
        "an empty name": [f.frame(f.WHERE)],
        "a name of 129 bytes": [f.frame(f.WHERE, b"a" * 129)],
        "a CREDIT of no known kind": [f.credit(greeter, 3, 1, 1)],
        "a PONG of 65 times": [f.frame(f.PONG, TOKEN + bytes(4 * 65))],
        "text that is not WTF-8": [reply(b"\xff")],
        "a character in two halves": [reply(b"\xed\xa0\xbd\xed\xb8\x80")],
        "a failure of bytes": [f.frame(f.FAIL, f.name8(99) + b"\x05x", f.BYTES)],
        "a CLOSE after other frames than came": [f.close(1, 3)],
        "a CLOSE for no known reason": [f.close(9, 0)],
    }


def oddities(greeter: bytes) -> dict[str, list[bytes]]:
    """Frames that an open channel takes, whatever they are good for."""
    unknown = f.name8(77)
    return {
        "unknown kinds that may be skipped": [f.frame(0xBF, b"anything", 0xFF), f.frame(0xFF)],
        "answers to nothing": [reply(b"late"), f.frame(f.FAIL, unknown + b"\x05"), f.frame(f.STAGE, unknown + b"\x02"), f.frame(f.STAGE, unknown + b"\xff")],
        "giving up what was not asked": [f.frame(f.CANCEL, unknown), f.frame(f.CANCEL, unknown, 1)],
        "handles of nobody": [f.frame(f.GONE, unknown), f.credit(unknown, f.GRANT, 5, 5), f.credit(unknown, f.RETURN, 5, 0), f.credit(unknown, f.ASK, 5, 0)],
        "places given back that were never had": [f.credit(greeter, f.RETURN, 5, 0)],
        "a message that does not wait, to a worker, to nobody, by name": [
            unasked(greeter), unasked(unknown), extended(b"\x01\x02ab\xc8\x00")],
        "a message of a worker that was bound": [f.frame(f.BIND, f.name8(3) + b"me"), unasked(greeter, sender=f.name8(3))],
        "a message behind the end of its sender": [f.frame(f.BIND, f.name8(3) + b"me"), f.frame(f.GONE, f.name8(3)), unasked(greeter, sender=f.name8(3))],
        "a request to nobody": [request(unknown)],
        "EMPTY, and a PONG that nobody asked for": [f.frame(f.EMPTY), f.frame(f.PONG, TOKEN + bytes(4 * 64))],
        "a lone surrogate": [reply(b"\xed\xa0\xbd")],
        "a short body in pieces, and frames between them": [head(1, 2), piece(1, b"x", False), head(2, 1), f.frame(f.EMPTY), piece(2, b"z", True), piece(1, b"y", True)],
        "an empty record": [b""],
    }


async def frames_case(visitor: Visitor, frames: list[bytes]) -> str:
    channel = await visitor.open()
    for frame in frames:
        if frame:
            channel.write([frame])
        else:
            channel.seal(b"")
    ask_for_life(channel)
    end = await end_of(channel)
    await channel.close()
    return end


async def first_record_case(visitor: Visitor, *frames: bytes) -> str:
    channel = await visitor.dial(visitor.membership(incarnation=5))
    channel.write(list(frames))
    end = await end_of(channel)
    await channel.close()
    return end


async def raw_case(visitor: Visitor, sent: bytes) -> str:
    """Bytes in place of a handshake."""
    reader, writer = await asyncio.open_connection(visitor.host.host, visitor.host.port)
    writer.write(sent)
    try:
        return SILENCE if await reader.read(1) == b"" else "an answer"
    except ConnectionError:
        return SILENCE
    finally:
        writer.close()


async def broken_record(visitor: Visitor) -> str:
    channel = await visitor.open()
    channel.writer.write(struct.pack(">H", 20) + bytes(20))
    return await end_of(channel)


async def second_dial(visitor: Visitor, session: int) -> str:
    """The same node dials again: what becomes of the new channel and of the old one."""
    membership = visitor.membership()
    first = await visitor.open(membership)
    channel = await visitor.dial(membership)
    channel.write([f.hello(OWN), f.resume(membership.incarnation, 0, session)])
    frames = [frame for frame in f.read(await channel.read())]
    if frames[0].kind == f.CLOSE:
        return f"new: CLOSE {frames[0].content[0]}"
    return f"new: opened, old: {await end_of(first)}"


async def resumed(visitor: Visitor, frames: Callable[[int], list[bytes]]) -> str:
    """What is answered to a first record that speaks of an earlier session, with this incarnation of the other node."""
    channel = await visitor.dial(visitor.membership(incarnation=5))
    channel.write([f.hello(OWN), *frames(channel.peer.incarnation)])
    answer = list(f.read(await channel.read()))
    await channel.close()
    if answer[0].kind == f.CLOSE:
        return f"CLOSE {answer[0].content[0]}"
    answer = answer[1:]
    said = [f"RESUME {answer[0].flags} session {struct.unpack_from('<Q', answer[0].content, 16)[0]}"]
    return ", ".join(said + [f"RESET {frame.content[0]}" for frame in answer[1:]])


async def cases(visitor: Visitor) -> list[tuple[str, str, str]]:
    """Name, what the page says, what came."""
    found: list[tuple[str, str, str]] = []

    async def add(name: str, expected: str, case) -> None:
        found.append((name, expected, await case))

    probe = await visitor.open()
    probe.write([f.frame(f.WHERE, b"greeter")])
    greeter = b""
    while not greeter:
        here = [frame.content[:8] for frame in f.read(await probe.read()) if frame.kind == f.HERE]
        greeter = here[0] if here else b""

    for name, frames in violations(greeter).items():
        await add(name, VIOLATION, frames_case(visitor, frames))
    for name, frames in oddities(greeter).items():
        await add(name, ACCEPTED, frames_case(visitor, frames))
    await add("a record that does not open", SILENCE, broken_record(visitor))

    hello, resume = f.hello(OWN), f.resume(5, 0, 1)
    await add("RESUME before HELLO", SILENCE, first_record_case(visitor, resume, hello))
    await add("HELLO alone", SILENCE, first_record_case(visitor, hello))
    await add("more than HELLO and RESUME", SILENCE, first_record_case(visitor, hello, resume, f.frame(f.PING, TOKEN)))
    await add("RESET in place of RESUME", SILENCE, first_record_case(visitor, hello, f.frame(f.RESET, b"\x01")))
    await add("another incarnation than the handshake's", SILENCE, first_record_case(visitor, hello, f.resume(6, 0, 1)))
    await add("RESET behind a session that goes on", SILENCE, first_record_case(visitor, hello, f.resume(5, 1, 1, owned=0), f.frame(f.RESET, b"\x01")))
    await add("a session that goes on and moves", SILENCE, first_record_case(visitor, hello, f.frame(f.RESUME, struct.pack("<QQQQ", 5, 0, 1, 0), f.GOES_ON | f.MOVES)))
    await add("a session that begins behind its beginning", SILENCE, first_record_case(visitor, hello, f.frame(f.RESUME, struct.pack("<QQQQ", 5, 0, 1, 7))))
    await add("session 0", SILENCE, first_record_case(visitor, hello, f.resume(5, 0, 0)))
    await add("session 2^63", SILENCE, first_record_case(visitor, hello, f.resume(5, 0, 1 << 63)))
    for name, terms in {"no longest body": f.Hello(max_message=0), "less held than one body": f.Hello(max_reassembly=1), "no window": f.Hello(windows=(1, 0)), "no pieces": f.Hello(max_pieces=0)}.items():
        await add(f"a HELLO with {name}", SILENCE, first_record_case(visitor, f.hello(terms), resume))

    now = int(time.time())
    start = Handshake(visitor.membership(), True).write()
    await add("another magic", SILENCE, raw_case(visitor, b"trouper" + HEADER[7:] + start))
    await add("another version", SILENCE, raw_case(visitor, HEADER[:6] + b"\x02" + HEADER[7:] + start))
    await add("a header with a byte that should be zero", SILENCE, raw_case(visitor, HEADER[:15] + b"\x01" + start))
    await add("a first message of another length", SILENCE, raw_case(visitor, HEADER + struct.pack(">H", 49)))
    stranger = Handshake(visitor.membership(access_key=bytes(32)), True).write()
    await add("another access key", SILENCE, raw_case(visitor, HEADER + stranger))
    for name, changed in {"that has expired": {"now": now - 2 * 86_400}, "that does not hold yet": {"now": now + 3_600}}.items():
        membership = visitor.membership(**changed, incarnation=5)
        channel = await visitor.dial(membership)
        channel.write([hello, resume])
        await add(f"a credential {name}", SILENCE, end_of(channel))

    await add("a second dial with the same number", "new: CLOSE 2", second_dial(visitor, 1))
    await add("a second dial with a higher number", f"new: opened, old: {SILENCE}", second_dial(visitor, 2))
    await add("a session that nobody keeps", "RESUME 0 session 10, RESET 1", resumed(visitor, lambda known: [f.resume(5, known, 9, owned=3)]))
    await add("a session with an earlier life", "RESUME 0 session 10, RESET 2", resumed(visitor, lambda known: [f.resume(5, known + 1, 9, owned=3)]))
    await add("a session to be moved that is not there", "CLOSE 2", resumed(visitor, lambda known: [f.resume(5, known, 1, course=f.MOVES)]))
    await add("a session given up", "RESUME 0 session 4", resumed(visitor, lambda known: [f.resume(5, known, 4), f.frame(f.RESET, b"\x03")]))
    return found


async def main() -> None:
    found = await cases(Visitor("runner"))
    wrong = [f"{name}: the page says {expected}, it was {came}" for name, expected, came in found if came != expected]
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(found)} of {len(found)} as the page says")


asyncio.run(main())
