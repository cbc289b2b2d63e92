"""The addresses of a server, each with what is answered there."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import msgspec

from modeldyno.clock import Clock
from modeldyno.records.server import ServerSettings
from modeldyno.server.network.http1 import Listener
from modeldyno.server.network.listening import ConnectionListener
from modeldyno.server.network.tls import HTTP1, HTTP2, Certificates

DoorName = Literal["main", "admin", "metrics", "grpc", "admin-grpc"]
Urls = Mapping[DoorName, str]
"""Of the doors that a server has; `main` is always one."""


class Door(NamedTuple):
    """One address."""

    name: DoorName
    host: str
    port: int
    option: str
    """By which the user chooses the port."""

    @property
    def is_grpc(self) -> bool:
        """Whether gRPC is spoken there, not HTTP/1.1."""
        return self.name in ("grpc", "admin-grpc")

    @property
    def opens_admin(self) -> bool:
        """Whether administration is answered there."""
        return self.name in ("admin", "admin-grpc")

    def url(self, port: int, *, is_encrypted: bool) -> str:
        """The base URL with the real port; addresses of IPv6 in brackets."""
        scheme = ("grpc" if self.is_grpc else "http") + ("s" if is_encrypted else "")
        return f"{scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{port}"

    def new_listener(
        self,
        settings: ServerSettings,
        *,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        on_drained: Callable[[], None],
        certificates: Certificates | None,
    ) -> ConnectionListener:
        """What accepts, or adopts, the connections that come here."""
        own = msgspec.structs.replace(settings, host=self.host, port=self.port)
        if not self.is_grpc:
            tls = None if certificates is None else certificates.context(HTTP1)
            return Listener(own, loop=loop, clock=clock, on_drained=on_drained, tls=tls)
        from modeldyno.server.network.grpc import (
            GrpcListener,  # protobuf takes 10 MB, which a server of HTTP alone can spare
        )

        tls = None if certificates is None else certificates.context(HTTP2)
        return GrpcListener(own, loop=loop, clock=clock, on_drained=on_drained, tls=tls)


def doors_of(settings: ServerSettings) -> list[Door]:
    """The addresses that the settings have a port for; the main one first."""
    doors = [Door("main", settings.host, settings.port, "--port")]
    if settings.admin_port is not None:
        doors.append(Door("admin", settings.admin_host, settings.admin_port, "--admin-port"))
    if settings.metrics_port is not None:
        doors.append(Door("metrics", settings.host, settings.metrics_port, "--metrics-port"))
    if settings.grpc_port is not None:
        doors.append(Door("grpc", settings.host, settings.grpc_port, "--grpc-port"))
    if settings.admin_grpc_port is not None:
        doors.append(Door("admin-grpc", settings.admin_host, settings.admin_grpc_port, "--admin-grpc-port"))
    return doors
