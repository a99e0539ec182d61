"""A session: numbers, windows, pieces, places, requests in both directions; on one channel, and then on the next."""

import asyncio
import json
import struct
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import frames as f
from handshake import Broken, Channel

NO_SUCH_WORKER, WORKER_FAILED, NODE_UNREACHABLE, NOT_PERMITTED = 2, 5, 7, 9
GRANT_MESSAGES, GRANT_BYTES = 64, 262144
OVERHEAD = 64
MESSAGES, REPLIES = 0, 1
RUNNING = 2
NODE_STOPS, VIOLATION, REPLACED = 1, 4, 6
GRACE = 0.05
#: A session without a channel is given up after so long, in seconds.
ABSENCE = 30


class Failed(Exception):
    """A request failed: code, whether the handler may have begun, cause, stage of a timeout."""

    def __init__(self, code: int, *, maybe_executed: bool = False, cause: str = "", stage: int | None = None):
        super().__init__(f"code {code}, maybe executed {maybe_executed}, cause {cause!r}, stage {stage}")
        self.code, self.maybe_executed, self.cause, self.stage = code, maybe_executed, cause, stage


class NotHere(Exception):
    """No worker of this name on the other node."""


class Cut(Exception):
    """This side cuts the connection, to see what becomes of it."""


@dataclass
class Places:
    """What a side may send to one worker, or what the other side may."""

    messages: int = 0
    size: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Parts:
    """A body that comes in pieces."""

    head: f.Frame
    total: int
    body: bytearray


@dataclass
class Kept:
    """A numbered frame that the other side is not known to own: as it was written, and when."""

    frames: list[bytes]
    since: float

    def again(self) -> list[bytes]:
        """As it is to be sent now: with the time that is left, or EMPTY if there is none."""
        first = self.frames[0]
        if first[0] != f.MSG or not first[1] & f.REQUEST:
            return self.frames
        (remaining,) = struct.unpack_from("<I", first, 12)
        if remaining == f.NO_LIMIT:
            return self.frames
        left = remaining - int((time.monotonic() - self.since) * 1000)
        if left <= 0:
            return [f.frame(f.EMPTY)]
        return [first[:12] + struct.pack("<I", left) + first[16:], *self.frames[1:]]

    def request(self) -> tuple[f.Name8 | str | None, int]:
        """Target of a request, and how many bytes its body has."""
        first = self.frames[0]
        message = f.read_message(f.Frame(first[0], first[1], first[4:]))
        at = 4 + message.body_at
        return message.target, struct.unpack_from("<I", first, at + 4)[0] if first[1] & f.PIECES else len(first) - at


#: A worker: text of a message to text of the reply.
Worker = Callable[[str], Awaitable[str]]


class Session:
    def __init__(self, channel: Channel, number: int, own: f.Hello, other: f.Hello, workers: dict[str, Worker], name: str):
        self.channel: Channel | None = channel
        self.peer, self.number = channel.peer, number
        self._kept: deque[Kept] = deque()
        self._writing: list[bytes] = []
        self._attached = asyncio.Event()
        #: The channel that follows when the one that is read is at its end.
        self._next_channel: Channel | None = None
        self._followed = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        #: Cut the connection after so many frames, again and again; for whoever wants to see what becomes of that.
        self.cut_every = 0
        #: Channels that it has had.
        self.channels = 1
        self._own, self._other, self._workers, self._name = own, other, workers, name
        self._handles = {f.name8(slot): worker for slot, worker in enumerate(workers)}
        self._sent = self._owned = self._told = self._acknowledged = 0
        self._started, self._limits = [0, 0], list(other.windows)
        self._window_moved = [asyncio.Event(), asyncio.Event()]
        self._turn = [asyncio.Lock(), asyncio.Lock()]
        self._received, self._announced = [0, 0], list(own.windows)
        self._next = 0
        self._parts: dict[int, Parts] = {}
        self._questions: dict[str, list[asyncio.Future[bytes | None]]] = {}
        self._places: dict[bytes, Places] = {}
        self._granted = {handle: Places() for handle in self._handles}
        self._asked: dict[bytes, asyncio.Future[bytes]] = {}
        self._bound: set[bytes] = set()
        self._serving: dict[bytes, asyncio.Task[None]] = {}
        self.closed: int | None = None
        self._end = asyncio.Event()

    def serving(self) -> list[bytes]:
        """The correlations of the requests that wait for a worker of this node."""
        return list(self._serving)

    # What goes out.

    def _write(self, *parts: bytes) -> None:
        for part in parts:
            # A body in pieces takes its number with the last of them.
            kind, flags = part[0], part[1]
            if kind != f.FRAG and not kind & f.NUMBERED:
                continue
            self._writing.append(part)
            if not flags & 1 if kind == f.FRAG else kind in (f.MSG, f.REPLY, f.FAIL) and flags & f.PIECES:
                continue
            self._kept.append(Kept(self._writing, time.monotonic()))
            self._writing = []
            self._sent += 1
        if self.channel is None:
            return
        out = list(parts)
        if self._owned > self._told:
            self._told = self._owned
            out.append(f.frame(f.ACK, struct.pack("<Q", self._owned)))
        self.channel.write(out)

    async def _send(self, flow: int | None, head: tuple[int, int, bytes], body: bytes) -> None:
        """A frame with a body: behind its window, in pieces if it must."""
        self._next += 1
        pieces = f.with_body(head, body, self._next)
        if flow is None:
            self._write(*pieces)
            return
        async with self._turn[flow]:
            while self._started[flow] >= self._limits[flow]:
                self._window_moved[flow].clear()
                await self._window_moved[flow].wait()
            self._started[flow] += len(body) + OVERHEAD
            self._write(*pieces)
        if self.channel:
            await self.channel.drain()

    # Asking.

    async def find(self, worker: str) -> bytes:
        """The handle of a worker of the other node."""
        answer = asyncio.get_running_loop().create_future()
        self._questions.setdefault(worker, []).append(answer)
        self._write(f.frame(f.WHERE, worker.encode()))
        handle = await answer
        if handle is None:
            raise NotHere(worker)
        return handle

    async def ask(self, worker: str, text: str, timeout: float) -> str:
        """Sends a request and waits for its outcome; raises Failed."""
        deadline = asyncio.get_running_loop().time() + timeout
        handle = await self.find(worker)
        places = self._places.setdefault(handle, Places())
        while places.messages == 0 or places.size <= 0:
            self._write(f.credit(handle, f.ASK, 1, 0))
            places.changed.clear()
            await places.changed.wait()
            if self._places.get(handle) is not places:
                raise Failed(NO_SUCH_WORKER if self.closed is None else NODE_UNREACHABLE)
        body = f.write_text(text)
        places.messages -= 1
        places.size -= len(body)
        remaining = max(0, int((deadline - asyncio.get_running_loop().time()) * 1000))
        return f.read_text(await self._request(handle, body, remaining, MESSAGES, deadline))

    async def control(self, request: bytes) -> bytes:
        """Asks the control service."""
        return await self._request(None, request, 30_000, None, asyncio.get_running_loop().time() + 30)

    async def _request(self, target: bytes | None, body: bytes, remaining: int, flow: int | None, deadline: float) -> bytes:
        loop = asyncio.get_running_loop()
        self._next += 1
        correlation = f.name8(self._next)
        answer = self._asked[correlation] = loop.create_future()
        await self._send(flow, f.message(target, request=correlation, remaining=remaining), body)
        try:
            return await asyncio.wait_for(answer, deadline + GRACE - loop.time())
        except asyncio.TimeoutError:
            raise Failed(1, maybe_executed=True, stage=0) from None
        finally:
            del self._asked[correlation]

    # What comes in.

    async def run(self, redial: Callable[[], Awaitable[None]]) -> None:
        """Runs until the session ends, and says so to whoever waits. `redial` sees to another channel when one is lost."""
        reading = self.channel
        while self.closed is None:
            self._moved = False
            self._reading = asyncio.create_task(self._read(reading))
            await asyncio.wait([self._reading])
            if self.closed is not None:
                break
            if self._moved and await self._follows():
                await reading.close()
                reading, self._next_channel = self._next_channel, None
                self._followed.clear()
                continue
            if self.channel is not None and self.channel not in (reading, self._next_channel):
                reading = self.channel
                continue
            self._attached.clear()
            self.detach()
            dialling = asyncio.create_task(redial())
            try:
                await asyncio.wait_for(self._attached.wait(), ABSENCE)
            except asyncio.TimeoutError:
                self.closed = 0
            dialling.cancel()
            reading = self.channel
        for task in self._serving.values():
            task.cancel()
        for places in self._places.values():
            places.changed.set()
        self._places.clear()
        for answer in [*self._asked.values(), *(one for many in self._questions.values() for one in many)]:
            if not answer.done():
                answer.set_exception(Failed(NODE_UNREACHABLE, maybe_executed=True))
        if self.channel:
            await self.channel.close()
        self._end.set()

    async def _follows(self) -> bool:
        """Whether another channel follows, which the other side may know of a moment before this one."""
        try:
            await asyncio.wait_for(self._followed.wait(), 2)
            return True
        except asyncio.TimeoutError:
            return False

    async def _read(self, channel: Channel) -> None:
        """Reads until the channel ends."""
        try:
            while self.closed is None and not self._moved:
                for frame in f.read(await channel.read()):
                    before = self._owned
                    self._take(frame)
                    if self.cut_every and self._owned > before and self._owned % self.cut_every == 0:
                        raise Cut
                if self._owned > self._told:
                    self._write()
                if self.channel:
                    await self.channel.drain()
        except f.Violation as violation:
            print(f"node {self.peer.name} broke the protocol: {violation}", file=sys.stderr)
            self.close(VIOLATION)
        except (asyncio.IncompleteReadError, OSError, Broken, Cut):
            pass

    # From one channel to the next.

    def detach(self) -> int:
        """Reads no more from the channel at hand; how many frames this side owns, which holds until another is attached."""
        for channel in (self.channel, self._next_channel):
            if channel:
                channel.writer.transport.abort()
        self.channel = self._next_channel = None
        self._followed.clear()
        if self._reading:
            self._reading.cancel()
        return self._owned

    def reaches(self, expected: int) -> bool:
        """Whether the other side can be sent all that it lacks."""
        return self._acknowledged <= expected <= self._sent

    def give_up(self) -> None:
        """The session is over: the other side keeps nothing of it."""
        self.closed = 0
        self._attached.set()
        self.detach()

    def attach(self, channel: Channel, expected: int) -> None:
        """Goes on over another channel, whose other side expects this frame next."""
        self._acknowledge(expected)
        self._told = self._owned
        for parts in self._parts.values():
            flow = self._flow(parts.head)
            if flow is not None:
                self._received[flow] -= parts.total + OVERHEAD
        self._parts.clear()
        self.channel = channel
        self.channels += 1
        out = [f.frame(f.WINDOW, struct.pack("<Q", limit), flow) for flow, limit in enumerate(self._announced)]
        for kept in self._kept:
            again = kept.again()
            if again[0][0] == f.EMPTY and kept.frames[0][0] != f.EMPTY:
                target, size = kept.request()
                places = self._places.get(target)
                if target is not None:
                    self._started[MESSAGES] -= size + OVERHEAD
                if places:
                    places.messages += 1
                    places.size += size
                kept.frames = again
            out += again
        channel.write(out)
        self._attached.set()

    def follow(self, channel: Channel) -> None:
        """Moves to another channel: what was written goes the old way, CLOSE behind it; the old one is read to its CLOSE first."""
        self._write(f.close(REPLACED, self._sent))
        self.channel = self._next_channel = channel
        self.channels += 1
        self._followed.set()

    def is_moving(self) -> bool:
        """Whether a channel is still read to its end while another follows."""
        return self._next_channel is not None

    def _acknowledge(self, count: int) -> None:
        for _ in range(count - self._acknowledged):
            self._kept.popleft()
        self._acknowledged = count

    def close(self, reason: int) -> None:
        if self.closed is None:
            self.closed = reason
            self._write(f.close(reason, self._sent))
            self._attached.set()

    async def drained(self) -> None:
        """Waits until the other side owns all that was sent."""
        self._write(f.frame(f.PING, struct.pack("<Q", 1)))
        while self._acknowledged < self._sent and not self._end.is_set():
            await asyncio.sleep(0.001)

    async def ended(self) -> None:
        await self._end.wait()

    def _take(self, frame: f.Frame) -> None:
        kind = frame.kind
        if kind in (f.MSG, f.REPLY, f.FAIL):
            if frame.flags & f.PIECES:
                self._begin(frame)
                return
            self._with_body(frame, self._fields(frame))
        elif kind == f.FRAG:
            self._piece(frame)
            return
        elif kind in self._TAKES:
            self._TAKES[kind](self, frame)
        elif not kind & f.IGNORE:
            raise f.Violation(f"frame kind {kind:#04x} is out of place")
        if kind & f.NUMBERED:
            self._owned += 1

    def _fields(self, frame: f.Frame) -> int:
        """How many bytes stand before the body."""
        if frame.kind == f.MSG:
            return f.read_message(frame).body_at
        return 8 if frame.kind == f.REPLY else 9

    def _flow(self, frame: f.Frame) -> int | None:
        if frame.kind != f.MSG:
            return REPLIES
        return None if frame.flags & f.CONTROL else MESSAGES

    def _admit(self, frame: f.Frame, length: int) -> None:
        flow = self._flow(frame)
        if flow is None:
            return
        if self._received[flow] >= self._announced[flow]:
            raise f.Violation("it sent beyond its window")
        self._received[flow] += length + OVERHEAD

    def _begin(self, frame: f.Frame) -> None:
        at = self._fields(frame)
        if len(frame.content) != at + 8:
            raise f.Violation("the head of a body has another length")
        number, total = struct.unpack_from("<II", frame.content, at)
        held = sum(parts.total for parts in self._parts.values())
        if not 1 <= total <= self._own.max_message or held + total > self._own.max_reassembly \
                or len(self._parts) >= self._own.max_pieces or number in self._parts:
            raise f.Violation("it sent more in pieces than this node takes in")
        self._admit(frame, total)
        self._parts[number] = Parts(frame, total, bytearray())

    def _piece(self, frame: f.Frame) -> None:
        if len(frame.content) < 5:
            raise f.Violation("a piece is empty")
        (number,) = struct.unpack_from("<I", frame.content)
        parts = self._parts.get(number)
        if parts is None:
            raise f.Violation("it sent a piece of what it did not begin")
        parts.body += frame.content[4:]
        if len(parts.body) > parts.total or (len(parts.body) == parts.total) != bool(frame.flags & 1):
            raise f.Violation("the pieces of a body are not as long as it said")
        if frame.flags & 1:
            del self._parts[number]
            at = self._fields(parts.head)
            self._deliver(parts.head, parts.head.content[:at], bytes(parts.body))
            self._owned += 1

    def _with_body(self, frame: f.Frame, at: int) -> None:
        if len(frame.content) < at:
            raise f.Violation("a frame is cut off")
        self._admit(frame, len(frame.content) - at)
        self._deliver(frame, frame.content[:at], frame.content[at:])

    def _deliver(self, frame: f.Frame, fields: bytes, body: bytes) -> None:
        flow = self._flow(frame)
        if frame.kind == f.MSG:
            self._message(frame, body)
        else:
            self._answered(frame, fields, body)
        if flow is not None and self._received[flow] + self._own.windows[flow] - self._announced[flow] >= self._own.windows[flow] // 4:
            # Nothing is kept here longer than it takes to hand it on.
            self._announced[flow] = self._received[flow] + self._own.windows[flow]
            self._write(f.frame(f.WINDOW, struct.pack("<Q", self._announced[flow]), flow))

    def _answered(self, frame: f.Frame, fields: bytes, body: bytes) -> None:
        answer = self._asked.get(fields[:8])
        if answer is None or answer.done():
            return
        if frame.kind == f.REPLY:
            answer.set_result(body)
        else:
            answer.set_exception(Failed(fields[8], maybe_executed=bool(frame.flags & 1), cause=f.read_text(body)))

    def _message(self, frame: f.Frame, body: bytes) -> None:
        message = f.read_message(frame)
        if message.sender is not None and message.sender not in self._bound:
            raise f.Violation("a message came from a sender that was never bound")
        if message.target is None:
            self._refuse_control(message)
            return
        if frame.flags & f.BYTES:
            raise f.Violation("it sent bytes to a worker")
        handle = message.target
        if isinstance(handle, str):
            handle = next((own for own, name in self._handles.items() if name == handle), b"")
        name = self._handles.get(handle)
        waits = message.request is not None or message.remaining != 0
        if name and waits:
            granted = self._granted[handle]
            if granted.messages == 0 or granted.size <= 0:
                raise f.Violation("a message came without a place")
            granted.messages -= 1
            granted.size -= len(body)
        if message.request is not None:
            self._serving[message.request] = asyncio.create_task(self._serve(message, name, f.read_text(body)))

    async def _serve(self, message: f.Message, name: str | None, text: str) -> None:
        request = message.request or b""
        try:
            if name is None:
                await self._send(REPLIES, (f.FAIL, 0, request + bytes([NO_SUCH_WORKER])), b"")
                return
            limit = None if message.remaining == f.NO_LIMIT else message.remaining / 1000
            try:
                reply = await asyncio.wait_for(self._workers[name](text), limit)
            except asyncio.TimeoutError:
                self._write(f.frame(f.STAGE, request + bytes([RUNNING])))
            except Exception as failure:
                cause = json.dumps({"name": type(failure).__name__, "message": str(failure)})
                await self._send(REPLIES, (f.FAIL, 1, request + bytes([WORKER_FAILED])), cause.encode())
            else:
                await self._send(REPLIES, (f.REPLY, 0, request), f.write_text(reply))
        finally:
            self._serving.pop(request, None)

    def _refuse_control(self, message: f.Message) -> None:
        if message.request is None or not message.flags & f.BYTES:
            raise f.Violation("a control request without a number, or as text")
        cause = json.dumps({"message": f"node {self._name} starts and stops nothing for others"}).encode()
        self._write(*f.with_body((f.FAIL, 0, message.request + bytes([NOT_PERMITTED])), cause, 0))

    def _on_ack(self, frame: f.Frame) -> None:
        (count,) = self._numbers(frame, "<Q")
        if not self._acknowledged <= count <= self._sent:
            raise f.Violation("it acknowledged what was not sent, or less than before")
        self._acknowledge(count)

    def _on_window(self, frame: f.Frame) -> None:
        (limit,), flow = self._numbers(frame, "<Q"), frame.flags & 1
        if limit < self._limits[flow]:
            raise f.Violation("it moved a window back")
        self._limits[flow] = limit
        self._window_moved[flow].set()

    def _on_ping(self, frame: f.Frame) -> None:
        self._numbers(frame, "<Q")
        self._write(f.frame(f.PONG, frame.content))

    def _on_close(self, frame: f.Frame) -> None:
        reason, last = self._numbers(frame, "<BQ")
        if last != self._owned:
            raise f.Violation("it closed after other frames than came")
        if reason == REPLACED:
            self._moved = True
        else:
            self.closed = reason

    def _on_where(self, frame: f.Frame) -> None:
        name = f.read_name(frame.content)
        handle = next((handle for handle, worker in self._handles.items() if worker == name), None)
        self._write(f.frame(f.HERE, (handle or b"") + frame.content, 1 if handle else 0))

    def _on_here(self, frame: f.Frame) -> None:
        at = 8 if frame.flags & 1 else 0
        for answer in self._questions.pop(f.read_name(frame.content[at:]), []):
            if not answer.done():
                answer.set_result(frame.content[:8] if at else None)

    def _on_gone(self, frame: f.Frame) -> None:
        self._bound.discard(frame.content)
        places = self._places.pop(frame.content, None)
        if places:
            places.changed.set()

    def _on_bind(self, frame: f.Frame) -> None:
        f.read_name(frame.content[8:])
        self._bound.add(frame.content[:8])

    def _on_credit(self, frame: f.Frame) -> None:
        handle, what, _, messages, size = self._numbers(frame, "<8sBBII")
        if what == f.GRANT:
            places = self._places.get(handle)
            if places:
                places.messages += messages
                places.size += size
                places.changed.set()
            return
        granted = self._granted.get(handle)
        if what == f.RETURN and granted:
            granted.messages -= min(messages, granted.messages)
        elif what == f.ASK and granted:
            size = max(0, GRANT_BYTES - granted.size)
            granted.messages += GRANT_MESSAGES
            granted.size += size
            self._write(f.credit(handle, f.GRANT, GRANT_MESSAGES, size))
        elif what == f.ASK:
            self._write(f.frame(f.GONE, handle))
        elif what != f.RETURN:
            raise f.Violation("a CREDIT of no known kind")

    def _on_cancel(self, frame: f.Frame) -> None:
        task = self._serving.get(frame.content)
        if task:
            task.cancel()

    def _on_stage(self, frame: f.Frame) -> None:
        answer = self._asked.get(frame.content[:8])
        if answer and not answer.done():
            answer.set_exception(Failed(1, maybe_executed=frame.content[8] != 1, stage=frame.content[8]))

    @staticmethod
    def _numbers(frame: f.Frame, form: str) -> tuple:
        if len(frame.content) != struct.calcsize(form):
            raise f.Violation(f"frame kind {frame.kind:#04x} has another length")
        return struct.unpack(form, frame.content)

    def _nothing(self, _: f.Frame) -> None:
        pass

    _TAKES = {f.ACK: _on_ack, f.WINDOW: _on_window, f.PING: _on_ping, f.PONG: _nothing, f.CLOSE: _on_close,
              f.WHERE: _on_where, f.HERE: _on_here, f.GONE: _on_gone, f.BIND: _on_bind, f.CREDIT: _on_credit,
              f.CANCEL: _on_cancel, f.STAGE: _on_stage, f.EMPTY: _nothing}
