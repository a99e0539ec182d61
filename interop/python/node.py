"""A node: member of the zone of this user, listens, dials, keeps one session with each other node."""

import asyncio
import sys
import time
from pathlib import Path

import frames as f
from handshake import Channel, answer, dial
from identity import Membership, Peer
from session import NODE_STOPS, Session, Worker
from zone import Directory, Member

DUPLICATE = 2
OPENING = 10


class Refused(Exception):
    """The other node said no, with this reason."""


class Node:
    def __init__(self, home: Path, zone: str, name: str, workers: dict[str, Worker]):
        self._directory = Directory(home, zone)
        self._membership = Membership(name, self._directory.authority, self._directory.access_key, int(time.time()))
        self._workers = workers
        self._terms = f.Hello()
        self._sessions: dict[bytes, Session] = {}
        #: Incarnation and highest session number of each node that was met.
        self._met: dict[bytes, tuple[int, int]] = {}
        self._dialling: dict[bytes, asyncio.Task[Session]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def join(self) -> None:
        """Listens, then announces itself."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        own = self._membership
        self._directory.announce(own.identity.id, own.name, own.incarnation, port)

    def members(self) -> list[Member]:
        """The live members but this one."""
        return [member for member in self._directory.members() if member.id != self._membership.identity.id]

    async def session(self, name: str) -> Session:
        """The session with a node by its name, dialled if there is none."""
        member = next((member for member in self.members() if member.name == name), None)
        if member is None:
            raise LookupError(f"no live node is called {name}")
        pause = 0.025
        for _ in range(5):
            found = self._sessions.get(member.id)
            if found and found.closed is None:
                return found
            task = self._dialling.setdefault(member.id, asyncio.create_task(self._dial(member)))
            try:
                return await asyncio.wait_for(asyncio.shield(task), OPENING)
            except asyncio.CancelledError:
                # A channel of the other side has taken its place, unless it is this call that was given up.
                if not task.cancelled():
                    raise
            except Refused as refused:
                if refused.args != (DUPLICATE,):
                    raise
            finally:
                self._dialling.pop(member.id, None)
            await asyncio.sleep(pause)
            pause *= 2
        raise ConnectionError(f"node {name} refuses every dial")

    def sessions(self) -> list[Session]:
        """The open sessions."""
        return [session for session in self._sessions.values() if session.closed is None]

    async def stop(self) -> None:
        """Leaves the zone and ends all sessions, once the others own what was sent."""
        self._stopping = True
        for session in self._sessions.values():
            await session.drained()
        self._directory.leave()
        self._server.close()
        for session in list(self._sessions.values()):
            session.close(NODE_STOPS)
            await session.ended()

    async def _dial(self, member: Member) -> Session:
        channel = await dial(self._membership, member.host, member.port, member.id)
        known, highest = self._met.get(member.id, (0, 0))
        session = self._sessions.get(member.id)
        own = self._membership.incarnation
        if session and session.closed is None:
            proposal = f.resume(own, known, session.number, owned=session.detach())
        else:
            proposal = f.resume(own, known, highest + 1)
        try:
            channel.write([f.hello(self._terms), proposal])
            terms, answer = await self._first_record(channel)
        except BaseException:
            channel.writer.close()
            raise
        if answer.goes_on:
            if not session or answer.session != session.number or not session.reaches(answer.owned):
                channel.writer.close()
                raise f.Violation("it goes on with a session that was not proposed")
            session.attach(channel, answer.owned)
            return session
        if session:
            session.give_up()
        self._met[member.id] = (channel.peer.incarnation, answer.session)
        return self._open(channel, terms, answer.session)

    async def move(self, name: str) -> bool:
        """Moves the session with a node to a new channel, while it goes on. False: not just now."""
        session = await self.session(name)
        member = next(member for member in self.members() if member.id == session.peer.id)
        if session.is_moving() or session.channel is None or member.id in self._dialling:
            return False
        channel = await dial(self._membership, member.host, member.port, member.id)
        known, own = session.peer.incarnation, self._membership.incarnation
        channel.write([f.hello(self._terms), f.resume(own, known, session.number, course=f.MOVES)])
        try:
            _, answer = await self._first_record(channel)
        except Refused:
            channel.writer.close()
            return False
        if not answer.moves or answer.session != session.number:
            raise f.Violation("it answers another session than was to move")
        session.follow(channel)
        return True

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(OPENING):
                channel = await answer(self._membership, reader, writer)
                terms, proposed = await self._first_record(channel)
        except Exception as reason:
            # It is told nothing.
            print(f"a connection came to nothing: {type(reason).__name__} {reason}", file=sys.stderr)
            writer.close()
            return
        refusal = self._refusal(channel.peer, proposed)
        if refusal is not None:
            channel.write([f.close(refusal, 0)])
            await channel.close()
            return
        peer = channel.peer
        session = self._sessions.get(peer.id)
        if proposed.moves:
            channel.write([f.hello(self._terms), f.resume(self._membership.incarnation, peer.incarnation, proposed.session, course=f.MOVES)])
            session.follow(channel)
            return
        # A dial of this side is no longer wanted, nor what it would be told.
        dialling = self._dialling.pop(peer.id, None)
        if dialling:
            dialling.cancel()
        known, highest = self._met.get(peer.id, (0, 0))
        own = self._membership.incarnation
        if session and session.closed is None and proposed.goes_on and known == peer.incarnation \
                and proposed.session == session.number and session.reaches(proposed.owned):
            channel.write([f.hello(self._terms), f.resume(own, known, session.number, owned=session.detach())])
            session.attach(channel, proposed.owned)
            return
        least = proposed.session + proposed.goes_on
        number = least if known != peer.incarnation else max(least, highest + 1)
        self._met[peer.id] = (peer.incarnation, number)
        # This node keeps nothing of the session that should go on.
        reset = [f.frame(f.RESET, b"\x01")] if proposed.goes_on else []
        channel.write([f.hello(self._terms), f.resume(own, known, number), *reset])
        if session:
            session.give_up()
        self._open(channel, terms, number)

    def _refusal(self, peer: Peer, proposed: f.Resume) -> int | None:
        """Why a node that dialled is told no."""
        if self._stopping:
            return NODE_STOPS
        known, highest = self._met.get(peer.id, (0, 0))
        if known and known != peer.incarnation:
            return None
        session = self._sessions.get(peer.id)
        if proposed.moves:
            stands = session and session.closed is None and session.channel and not session.is_moving()
            return None if stands and session.number == proposed.session else DUPLICATE
        if session and session.closed is None and not proposed.goes_on and proposed.session <= highest:
            return DUPLICATE
        if peer.id in self._dialling and self._membership.identity.id < peer.id:
            return DUPLICATE
        return None

    async def _first_record(self, channel: Channel) -> tuple[f.Hello, f.Resume]:
        read = [frame for frame in f.read(await channel.read()) if frame.kind & 0xC0 != f.IGNORE]
        if read and read[0].kind == f.CLOSE:
            raise Refused(read[0].content[0])
        if len(read) not in (2, 3):
            raise f.Violation("its first record is not HELLO and RESUME")
        resume = f.read_resume(read[1], channel.peer.incarnation)
        if len(read) == 3 and (read[2].kind != f.RESET or resume.goes_on):
            raise f.Violation("its first record holds more than HELLO, RESUME and RESET")
        return f.read_hello(read[0]), resume

    def _open(self, channel: Channel, terms: f.Hello, number: int) -> Session:
        session = Session(channel, number, self._terms, terms, self._workers, self._membership.name)
        self._sessions[channel.peer.id] = session

        async def redial() -> None:
            pause = 0.05
            while session.channel is None and session.closed is None:
                member = next((member for member in self.members() if member.id == channel.peer.id), None)
                if member is None:
                    return session.give_up()
                self._dialling[member.id] = dialling = asyncio.create_task(self._dial(member))
                try:
                    await asyncio.wait_for(dialling, OPENING)
                    return
                except asyncio.CancelledError:
                    # A channel of the other side has taken its place, unless it is this call that was given up.
                    if not dialling.cancelled():
                        raise
                except (Refused, OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
                    pass
                finally:
                    self._dialling.pop(member.id, None)
                await asyncio.sleep(pause)
                pause = min(2 * pause, 5)

        async def run() -> None:
            await session.run(redial)
            if self._sessions.get(channel.peer.id) is session:
                del self._sessions[channel.peer.id]

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return session
