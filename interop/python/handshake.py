"""The handshake of a channel and its records, over a Noise library."""

import asyncio
import struct
import time

from noise.connection import Keypair, NoiseConnection
from noise.exceptions import NoiseInvalidMessage

from identity import Membership, NotAccepted, Peer

HEADER = b"troupe" + struct.pack("<HH", 1, 1) + bytes(6)
SUITE = b"Noise_XXpsk0_25519_ChaChaPoly_SHA256"
RECORD_MAX = 16384


class Broken(Exception):
    """What arrives is not what was sent: somebody is between."""


def noise(membership: Membership, initiator: bool, ephemeral: bytes | None = None) -> NoiseConnection:
    """The Noise state of one side. `ephemeral` is for examples: it is made anew otherwise."""
    made = NoiseConnection.from_name(SUITE)
    made.set_as_initiator() if initiator else made.set_as_responder()
    made.set_psks(psk=membership.access_key)
    made.set_prologue(HEADER + membership.authority.id)
    made.set_keypair_from_private_bytes(Keypair.STATIC, membership.static_key)
    if ephemeral:
        made.set_keypair_from_private_bytes(Keypair.EPHEMERAL, ephemeral)
    made.start_handshake()
    return made


class Handshake:
    """One side of a handshake: bytes of messages in and out."""

    def __init__(self, membership: Membership, initiator: bool, now: int | None = None, ephemeral: bytes | None = None):
        self.membership = membership
        self.noise = noise(membership, initiator, ephemeral)
        # The library forgets it when the handshake is done; the other side's static key is in it.
        self._state = self.noise.noise_protocol.handshake_state
        self._now = int(time.time()) if now is None else now

    def write(self, payload: bytes = b"") -> bytes:
        message = bytes(self.noise.write_message(payload))
        return struct.pack(">H", len(message)) + message

    def read(self, message: bytes) -> bytes:
        return bytes(self.noise.read_message(message))

    def admit(self, payload: bytes, expect: bytes | None = None) -> Peer:
        peer = self.membership.examine(payload, self._state.rs.public_bytes, self._now)
        if expect is not None and peer.id != expect:
            raise NotAccepted("another node answered")
        return peer


class Channel:
    """Records over a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keys: NoiseConnection, peer: Peer):
        self._reader, self.writer, self._keys = reader, writer, keys
        self.peer = peer

    def write(self, frames: list[bytes]) -> None:
        """Seals the frames, as many to a record as fit, and hands them to the connection."""
        record = b""
        for frame in frames:
            if len(record) + len(frame) > RECORD_MAX - 16:
                self.seal(record)
                record = b""
            record += frame
        if record:
            self.seal(record)

    def seal(self, plaintext: bytes) -> None:
        """Sends one record."""
        sealed = self._keys.encrypt(plaintext)
        self.writer.write(struct.pack(">H", len(sealed)) + sealed)

    async def read(self) -> bytes:
        """The plaintext of the next record."""
        (length,) = struct.unpack(">H", await self._reader.readexactly(2))
        if not 16 <= length <= RECORD_MAX:
            raise Broken("a record has an impossible length")
        sealed = await self._reader.readexactly(length)
        try:
            return self._keys.decrypt(sealed)
        except NoiseInvalidMessage:
            raise Broken("a record does not open") from None

    async def drain(self) -> None:
        await self.writer.drain()

    async def close(self) -> None:
        """Ends this direction, reads on until the other side has ended its own, and closes."""
        try:
            self.writer.write_eof()
            await asyncio.wait_for(self._reader.read(), 1)
        except (OSError, asyncio.TimeoutError):
            pass
        self.writer.close()


async def _message(reader: asyncio.StreamReader, least: int, most: int = 4096) -> bytes:
    (length,) = struct.unpack(">H", await reader.readexactly(2))
    if not least <= length <= most:
        raise NotAccepted("a handshake message has an impossible length")
    return await reader.readexactly(length)


async def dial(membership: Membership, host: str, port: int, expect: bytes) -> Channel:
    reader, writer = await asyncio.open_connection(host, port)
    shake = Handshake(membership, True)
    try:
        writer.write(HEADER + shake.write())
        peer = shake.admit(shake.read(await _message(reader, 96)), expect)
        writer.write(shake.write(membership.presentation()))
    except BaseException:
        writer.close()
        raise
    return Channel(reader, writer, shake.noise, peer)


async def answer(membership: Membership, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Channel:
    if await reader.readexactly(16) != HEADER:
        raise NotAccepted("it speaks another protocol")
    shake = Handshake(membership, False)
    shake.read(await _message(reader, 48, 48))
    writer.write(shake.write(membership.presentation()))
    peer = shake.admit(shake.read(await _message(reader, 64)))
    return Channel(reader, writer, shake.noise, peer)
