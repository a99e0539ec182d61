"""Who a node is: identifiers, signatures, the credential of a zone's authority, and what a node presents in a handshake."""

import os
import struct
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

SKEW = 60
DAY = 24 * 3600
ALL_CAPABILITIES = 0x1F
NAME_CHARACTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


class NotAccepted(Exception):
    """The other side is no member, or not the node it should be. It is told nothing."""


def is_name(name: bytes) -> bool:
    return 1 <= len(name) <= 128 and NAME_CHARACTERS.issuperset(name)


def signed_bytes(domain: bytes, parts: list[bytes]) -> bytes:
    """Domain and parts, each behind its length."""
    return b"".join(struct.pack("<I", len(part)) + part for part in [domain, *parts])


class Identity:
    """An Ed25519 key pair; of a node or of an authority."""

    def __init__(self, seed: bytes | None = None):
        self._key = Ed25519PrivateKey.from_private_bytes(seed or os.urandom(32))
        self.public_key = self._key.public_key().public_bytes_raw()
        self.id = sha256(self.public_key).digest()

    def sign(self, domain: bytes, parts: list[bytes]) -> bytes:
        return self._key.sign(signed_bytes(domain, parts))


def check(public_key: bytes, domain: bytes, parts: list[bytes], signature: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed_bytes(domain, parts))
    except InvalidSignature:
        raise NotAccepted(f"a signature for {domain.decode()} does not fit") from None


def issue(authority: Identity, public_key: bytes, name: str, not_before: int, expires: int) -> bytes:
    """A credential: this identity is a member of the authority's zone."""
    encoded = name.encode()
    signed = struct.pack("<B32s32sQQBB", 1, authority.id, public_key, not_before, expires, ALL_CAPABILITIES, len(encoded))
    signed += encoded
    return signed + authority.sign(b"troupe credential 1", [signed])


@dataclass(frozen=True)
class Peer:
    """The node at the other end, as its checked presentation tells."""

    id: bytes
    name: str
    public_key: bytes
    incarnation: int
    capabilities: int
    expires: int


class Membership:
    """What a node brings to each handshake."""

    def __init__(self, name: str, authority: Identity, access_key: bytes, now: int, *, identity: Identity | None = None,
                 static_key: bytes | None = None, incarnation: int | None = None):
        self.name = name
        self.authority = authority
        self.access_key = access_key
        self.identity = identity or Identity()
        self.static_key = static_key or os.urandom(32)
        self.incarnation = incarnation or int.from_bytes(os.urandom(8), "little") | 1
        self.expires = now + DAY
        self._static_public = X25519PrivateKey.from_private_bytes(self.static_key).public_key().public_bytes_raw()
        self._credential = issue(authority, self.identity.public_key, name, now, self.expires)

    def presentation(self) -> bytes:
        times = struct.pack("<QQ", self.incarnation, self.expires)
        parts = [self.authority.id, self._static_public, times[:8], times[8:]]
        binding = times + self.identity.sign(b"troupe channel key 1", parts)
        return struct.pack("<H", len(self._credential)) + self._credential + binding

    def examine(self, payload: bytes, static_public: bytes, now: int) -> Peer:
        """Checks all that the other side presented."""
        if len(payload) < 2:
            raise NotAccepted("the presentation is cut short")
        (length,) = struct.unpack_from("<H", payload)
        credential, binding = payload[2:2 + length], payload[2 + length:]
        if len(credential) != length or length < 148 or len(binding) != 80:
            raise NotAccepted("the presentation is cut short or too long")
        version, zone, public_key, not_before, expires, capabilities, size = struct.unpack_from("<B32s32sQQBB", credential)
        name = credential[83:83 + size]
        if version != 1 or length != 147 + size or not is_name(name) or capabilities & ~ALL_CAPABILITIES or expires <= not_before:
            raise NotAccepted("the credential can't be read")
        if zone != self.authority.id:
            raise NotAccepted("the credential is of another zone")
        check(self.authority.public_key, b"troupe credential 1", [credential[:-64]], credential[-64:])
        if not not_before <= now + SKEW or not now < expires + SKEW:
            raise NotAccepted("the credential does not hold now")
        incarnation, bound_until = struct.unpack_from("<QQ", binding)
        check(public_key, b"troupe channel key 1", [zone, static_public, binding[:8], binding[8:16]], binding[16:])
        if now >= bound_until + SKEW:
            raise NotAccepted("the binding has expired")
        node = sha256(public_key).digest()
        if node == self.identity.id:
            raise NotAccepted("this node has dialled itself")
        return Peer(node, name.decode(), public_key, incarnation, capabilities, min(expires, bound_until))
