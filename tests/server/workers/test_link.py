"""Messages and connections between two ends of a link, on a real loop."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import msgspec

from modeldyno.server.network.listening import new_loop
from modeldyno.server.workers.link import Link, new_pair, tell
from modeldyno.server.workers.member import NOTHING
from modeldyno.server.workers.messages import Adopt, Closed, Done, FromWorker, Leaving, Stop, ToWorker

_LOOK_S = 0.01
_LOOKS = 3000


class Ends:
    """A supervisor's end that is read, and a worker's that is not."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        own, self.other = new_pair()
        self.heard: list[FromWorker] = []
        self.ended = 0
        self.link: Link[FromWorker] = Link(
            own, FromWorker, loop=loop, on_message=lambda message, _: self.heard.append(message), on_end=self._end
        )

    def _end(self) -> None:
        self.ended += 1

    async def wait_until(self, holds: Callable[[], bool]) -> None:
        for _ in range(_LOOKS):
            if holds():
                return
            await asyncio.sleep(_LOOK_S)
        raise TimeoutError

    def close(self) -> None:
        self.link.close()
        self.other.close()


def run(work: Callable[[Ends], Awaitable[None]]) -> None:
    loop = new_loop()

    async def all_of_it() -> None:
        ends = Ends(loop)
        try:
            await work(ends)
        finally:
            ends.close()

    loop.run_until_complete(all_of_it())
    loop.close()


def test_messages_come_in_order_and_then_the_end() -> None:
    async def work(ends: Ends) -> None:
        for message in (Closed("main"), Leaving(), Done(NOTHING)):
            tell(ends.other, message)
        ends.other.close()
        await ends.wait_until(lambda: ends.ended == 1)
        assert [Closed("main"), Leaving(), Done(NOTHING)] == ends.heard
        tell(ends.other, Leaving())  # nobody hears it, and nobody minds

    run(work)


def test_what_the_other_end_does_not_take_yet_is_kept_but_a_connection_is_not_taken() -> None:
    async def work(ends: Ends) -> None:
        sent = 0
        heard: list[ToWorker] = []

        def read_one() -> None:
            content, descriptors, _, _ = socket.recv_fds(ends.other, 1 << 16, 1)
            for descriptor in descriptors:
                socket.socket(fileno=descriptor).close()
            heard.append(msgspec.msgpack.decode(content, type=ToWorker))

        def read_on() -> bool:
            try:
                while True:
                    read_one()
            except BlockingIOError:
                return len(heard) == sent + 3

        one, other = socket.socketpair()
        with one, other:
            while ends.link.hand(Adopt("main"), one):
                sent += 1
                assert sent < 100_000
            for _ in range(3):
                ends.link.send(Stop())
            read_one()  # there would be room for it now, but not in front of what waits
            assert not ends.link.hand(Adopt("main"), one)
        ends.other.settimeout(0.0)
        await ends.wait_until(read_on)
        assert [Adopt("main")] * sent + [Stop()] * 3 == heard

    run(work)


def test_a_connection_comes_with_its_message() -> None:
    async def work(ends: Ends) -> None:
        came: list[tuple[ToWorker, socket.socket | None]] = []
        link: Link[ToWorker] = Link(
            ends.other,
            ToWorker,
            loop=asyncio.get_running_loop(),
            on_message=lambda message, connection: came.append((message, connection)),
            on_end=lambda: None,
        )
        one, other = socket.socketpair()
        with one:
            assert ends.link.hand(Adopt("grpc"), one)
            assert -1 != one.fileno()  # it is still ours to give to another
        ends.link.send(Stop())
        await ends.wait_until(lambda: len(came) == 2)
        (adopt, passed), (stop, nothing) = came
        assert (Adopt("grpc"), Stop(), None) == (adopt, stop, nothing)
        assert passed is not None
        assert not passed.get_inheritable()
        with other, passed:
            other.sendall(b"hello")
            assert b"hello" == passed.recv(10)
        link.close()

    run(work)


def test_the_last_words_follow_what_was_still_to_be_sent() -> None:
    async def work(ends: Ends) -> None:
        ends.link.send(Stop())
        with ends.link.release() as released:
            assert released.gettimeout() is None
            ends.link.send(Stop())  # after the end nothing is sent
            released.sendall(msgspec.msgpack.encode(Adopt("main")))
        heard = [msgspec.msgpack.decode(ends.other.recv(100), type=ToWorker) for _ in range(2)]
        assert [Stop(), Adopt("main")] == heard

    run(work)
