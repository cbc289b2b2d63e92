"""Binding, listening, and passing connections on."""

import socket

import pytest

from modeldyno.errors import UsageError
from modeldyno.server.network.doors import Door
from modeldyno.server.network.listening import bound_sockets, new_loop
from modeldyno.server.workers.entrance import Entrance


def test_a_bound_door_refuses_until_it_is_opened() -> None:
    loop, came = new_loop(), []

    def take(door: Door, connection: socket.socket) -> None:
        came.append(door.name)
        connection.close()

    entrance = Entrance(Door("main", "127.0.0.1", 0, "--port"), loop=loop, on_connection=take)
    address = ("127.0.0.1", entrance.port)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=30)
    entrance.open()
    with socket.create_connection(address, timeout=30):
        while not came:
            loop.run_until_complete(_turn())
    assert ["main"] == came
    entrance.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=30)
    loop.run_until_complete(_turn())
    loop.close()


async def _turn() -> None:
    pass


def test_a_name_with_several_addresses_has_one_free_port_for_all() -> None:
    sockets = bound_sockets("localhost", 0, option="--port")
    try:
        assert 1 == len({one.getsockname()[1] for one in sockets})
    finally:
        for one in sockets:
            one.close()


@pytest.mark.parametrize(
    ("host", "port"), (("192.0.2.1", 0), ("no.such.host.invalid", 0), ("", 0), ("127.0.0.1", 65_536), ("127.0.0.1", -1))
)
def test_an_address_that_cannot_be_listened_on_is_named(host: str, port: int) -> None:
    with pytest.raises(UsageError, match=host or str(port)) as caught:
        bound_sockets(host, port, option="--metrics-port")
    assert caught.value.hint
