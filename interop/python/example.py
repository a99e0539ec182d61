"""Repeats the worked example of docs/wire.md with this implementation and compares every block of it: `example.py PAGE`."""

import re
import struct
import sys
import warnings

import frames as f
from handshake import HEADER, Handshake
from identity import Identity, Membership

NOW = 1_800_000_000
GREETER, MAIN, REQUEST = f.name8(5), f.name8(0), f.name8(7)


def page_blocks(page: str) -> list[tuple[str, bytes]]:
    found = re.findall(r"^```hex (.*)\n((?:.*\n)*?)```$", page, re.MULTILINE)
    return [(name, bytes.fromhex(re.sub(r"#.*", "", text))) for name, text in found]


def member(name: str, seed: int, static: int, incarnation: int) -> Membership:
    key = lambda byte: bytes([byte]) * 32
    return Membership(name, Identity(key(1)), key(3), NOW, identity=Identity(key(seed)), static_key=key(static),
                      incarnation=incarnation)


def conversation() -> list[tuple[str, bytes]]:
    asker, runner = member("asker", 4, 5, 0x1111111111111111), member("runner-1", 2, 7, 0x2222222222222222)
    blocks = [("prologue", HEADER + asker.authority.id), ("runner presentation", runner.presentation()),
              ("asker presentation", asker.presentation())]
    near, far = Handshake(asker, True, NOW, bytes([6]) * 32), Handshake(runner, False, NOW, bytes([8]) * 32)
    sent = near.write()
    far.read(sent[2:])
    blocks.append(("header and message 1", HEADER + sent))
    sent = far.write(runner.presentation())
    near.admit(near.read(sent[2:]), runner.identity.id)
    blocks.append(("message 2", sent))
    sent = near.write(asker.presentation())
    far.admit(far.read(sent[2:]))
    blocks.append(("message 3", sent))
    blocks.append(("handshake hash", near.noise.get_handshake_hash()))

    count = {"asker": 0, "runner": 0}

    def say(who: str, *parts: bytes) -> None:
        plaintext = b"".join(parts)
        seal, opens = (near, far) if who == "asker" else (far, near)
        record = seal.noise.encrypt(plaintext)
        assert opens.noise.decrypt(record) == plaintext
        blocks.append((f"{who} frames {count[who]}", plaintext))
        blocks.append((f"{who} record {count[who]}", struct.pack(">H", len(record)) + record))
        count[who] += 1

    def ack(owned: int) -> bytes:
        return f.frame(f.ACK, struct.pack("<Q", owned))

    hello, token = f.hello(f.Hello(accept_code=True)), struct.pack("<Q", 1)
    say("asker", hello, f.resume(asker.incarnation, 0, 1))
    say("runner", hello, f.resume(runner.incarnation, 0, 1))
    say("asker", f.frame(f.PING, token), f.frame(f.WHERE, b"greeter"))
    say("runner", f.frame(f.PONG, token), f.frame(f.HERE, GREETER + b"greeter", 1), ack(1))
    say("asker", f.credit(GREETER, f.ASK, 1, 0), ack(1))
    say("runner", f.credit(GREETER, f.GRANT, 64, 262144), ack(2))
    message = f.with_body(f.message(GREETER, request=REQUEST, sender=MAIN, remaining=30_000), b"Alice", 0)
    say("asker", f.frame(f.BIND, MAIN + b"main"), *message, ack(2))
    say("runner", *f.with_body((f.REPLY, 0, REQUEST), b"Hello, Alice!", 0), ack(4))
    say("asker", ack(3), f.close(1, 4))
    return blocks


def main() -> None:
    # The library warns of fixed ephemeral keys, rightly.
    warnings.filterwarnings("ignore", message="One of ephemeral keypairs")
    with open(sys.argv[1], encoding="utf-8") as page:
        documented = page_blocks(page.read())
    made = conversation()
    for one, other in zip(documented, made):
        if one != other:
            sys.exit(f"the page says of “{one[0]}”:\n{one[1].hex()}\nthis implementation of “{other[0]}”:\n{other[1].hex()}")
    if len(documented) != len(made):
        sys.exit(f"the page has {len(documented)} blocks, this implementation {len(made)}")
    print(f"{len(made)} blocks are the same")


main()
