"""A member of the zone under TROUPE_HOME: asks the node `runner`, serves `echo` and others, until SIGTERM. Prints what it does."""

import asyncio
import os
import signal
from pathlib import Path

import cbor2

import frames as f
from node import Node
from session import Failed, NotHere, Session
from visitor import Visitor, ask_for_life, end_of


def say(*words: object) -> None:
    print(*words, flush=True)


async def echo(text: str) -> str:
    return text


async def grumpy(text: str) -> str:
    raise ValueError(f"no {text} today")


async def sleepy(text: str) -> str:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        say(f"sleepy was told to give up “{text}”")
        raise
    return text


async def betray(node: Node) -> None:
    """Answers what `asker` asked this node over a channel of another one's: the number can be guessed, and must do no good."""
    session = next(session for session in node.sessions() if session.peer.name == "asker")
    (asked,) = session.serving()
    channel = await Visitor("asker").open()
    channel.write([f.frame(f.STAGE, asked + b"\x01"), f.frame(f.FAIL, asked + b"\x02"), f.frame(f.REPLY, asked + b"a lie")])
    ask_for_life(channel)
    say("the channel of the lie is", await end_of(channel))
    await channel.close()


def at_least(count: int, channels: int) -> str:
    return f"{count} channels or more" if channels >= count else "a few channels"


async def outcome(session: Session, worker: str, text: str, timeout: float = 10) -> str:
    try:
        return await session.ask(worker, text, timeout)
    except Failed as failed:
        return str(failed)
    except NotHere:
        return "not here"


async def control(session: Session, kind: str, data: dict[str, object]) -> object:
    answer = cbor2.loads(await session.control(kind.encode() + cbor2.dumps(data)))
    return answer.get("value") if "code" not in answer else f"code {answer['code']}"


async def moved(node: Node, session: Session, texts: list[str]) -> bool:
    """Asks without a pause until the session has moved five times; whether every reply was right."""
    moves, right = 0, True

    async def move() -> None:
        nonlocal moves
        while moves < 5:
            moves += await node.move("runner")
            await asyncio.sleep(0)

    moving = asyncio.create_task(move())
    while not moving.done():
        right = right and await asyncio.gather(*(session.ask("repeater", text, 30) for text in texts)) == texts
    await moving
    return right


async def ask(node: Node, session: Session) -> None:
    say("greeter:", await outcome(session, "greeter", "Python"))
    large = "süß \U0001f36f \ud800" * 100_000
    say("repeater:", await outcome(session, "repeater", large, 30) == large)
    say("many:", await asyncio.gather(*(session.ask("repeater", str(i), 30) for i in range(1000))) == [str(i) for i in range(1000)])
    session.cut_every = 97
    texts = [str(i) * (5000 if i % 100 == 0 else 1) for i in range(1000)]
    say("cut:", await asyncio.gather(*(session.ask("repeater", text, 30) for text in texts)) == texts, "over", at_least(10, session.channels))
    session.cut_every = 0
    say("moved:", await moved(node, session, texts))
    say("nobody:", await outcome(session, "nobody", "?"))
    say("failing:", await outcome(session, "failing", "?"))
    say("slow:", await outcome(session, "slow", "?", 0.2))
    settings = {"mailbox": 100, "overflow": 0, "onFailure": 0, "maxRestarts": 0, "withinMs": 0}
    start = {"name": "counter", "settings": settings, "type": "Counter", "hash": "", "label": "", "args": cbor2.dumps([41])}
    say("start:", await control(session, "S", start))
    say("counter:", await outcome(session, "counter", "one more"))
    listed = await control(session, "L", {"prefix": "c", "limit": 10})
    say("list:", [(entry["name"], entry["node"], entry["type"]) for entry in listed])
    say("start again:", await control(session, "S", start))
    say("stop:", await control(session, "X", {"name": "counter", "timeout": 1000}))
    say("counter:", await outcome(session, "counter", "one more"))


async def main() -> None:
    async def betrayed(text: str) -> str:
        await betray(node)
        return text

    async def scissors(text: str) -> str:
        session = next(session for session in node.sessions() if session.peer.name == "asker")
        session.cut_every = int(text)
        return f"{at_least(10, session.channels)} so far"

    workers = {"scissors": scissors, "echo": echo, "grumpy": grumpy, "sleepy": sleepy, "betrayed": betrayed}
    node = Node(Path(os.environ["TROUPE_HOME"]), "default", "python-peer", workers)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await node.join()
    await ask(node, await node.session("runner"))
    say("ready")
    await stop.wait()
    await node.stop()
    say("stopped")


asyncio.run(main())
