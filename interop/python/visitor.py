"""A member that is not in the directory and says what it likes: for what a proper node never does."""

import asyncio
import os
import time
from pathlib import Path

import cbor2

import frames as f
from handshake import Channel, dial
from identity import Membership
from zone import Directory

SILENCE, ACCEPTED = "no word", "accepted"
OWN = f.Hello()
#: The request by which one finds out whether a channel still stands.
ASKED = f.name8(1234)


class Visitor:
    """Opens channels to the node of a name, as whoever it likes."""

    def __init__(self, name: str) -> None:
        self._directory = Directory(Path(os.environ["TROUPE_HOME"]), "default")
        self.host = next(member for member in self._directory.members() if member.name == name)

    def membership(self, **changed: object) -> Membership:
        given = {"name": "visitor", "authority": self._directory.authority, "access_key": self._directory.access_key, "now": int(time.time())}
        return Membership(**{**given, **changed})

    async def dial(self, membership: Membership) -> Channel:
        return await dial(membership, self.host.host, self.host.port, self.host.id)

    async def open(self, membership: Membership | None = None, session: int = 1) -> Channel:
        """An open channel, or its refusal as `Refused`."""
        membership = membership or self.membership()
        channel = await self.dial(membership)
        channel.write([f.hello(OWN), f.resume(membership.incarnation, 0, session)])
        first = [frame.kind for frame in f.read(await channel.read())]
        if first != [f.HELLO, f.RESUME]:
            raise Refused(f"kinds {first}")
        return channel


class Refused(Exception):
    """The first record was not HELLO and RESUME."""


async def end_of(channel: Channel) -> str:
    """How the other side ends the channel, or that it has answered `ask_for_life`."""
    try:
        while True:
            for frame in f.read(await channel.read()):
                if frame.kind == f.CLOSE:
                    return f"CLOSE {frame.content[0]}"
                if frame.kind == f.REPLY and frame.content[:8] == ASKED:
                    return ACCEPTED
    except (asyncio.IncompleteReadError, ConnectionError):
        return SILENCE


def ask_for_life(channel: Channel) -> None:
    """Asks for something whose answer has seen all that was sent before, on the thread of the other side's JavaScript too."""
    kind, flags, fields = f.message(None, request=ASKED, remaining=10_000)
    channel.write([f.frame(kind, fields + b"L" + cbor2.dumps({"prefix": "", "limit": 0}), flags)])
