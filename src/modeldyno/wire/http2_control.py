"""What an HTTP/2 client says of the connection as a whole: SETTINGS, PING, PRIORITY, GOAWAY (RFC 9113, section 6)."""

from modeldyno.wire.header_block import RequestBlockReader
from modeldyno.wire.http2_frames import (
    ACK,
    LARGEST_PAYLOAD,
    LARGEST_WINDOW,
    ErrorCode,
    FrameSizeError,
    FrameType,
    Setting,
    format_frame,
    parse_settings,
)
from modeldyno.wire.http2_limits import BrokenConnectionError, Patience
from modeldyno.wire.http2_outbox import Outbox

_PRIORITY_BYTES = 5
_PING_BYTES = 8
_LEAST_GOAWAY_BYTES = 8


class Control:
    """Obeys and answers it. One method a type of frame, each called with flags, stream and payload.

    Args:
        outbox: of the connection.
        blocks: told when the client has seen our settings.
        patience: charged for what brings nothing forward.
    """

    __slots__ = ("_blocks", "_charge", "_is_acknowledged", "_is_settled", "_outbox")

    def __init__(self, outbox: Outbox, blocks: RequestBlockReader, patience: Patience) -> None:
        self._outbox = outbox
        self._blocks = blocks
        self._charge = patience.charge
        self._is_settled = False
        self._is_acknowledged = False

    def on_settings(self, flags: int, stream: int, payload: bytes) -> None:
        """SETTINGS, or that ours were seen."""
        if stream:
            raise BrokenConnectionError(ErrorCode.PROTOCOL_ERROR, f"SETTINGS on stream {stream}")
        if flags & ACK:
            self._on_acknowledgement(payload)
            return
        for name, value in parse_settings(payload):
            self._obey(name, value)
        if self._is_settled:
            self._charge()
        self._is_settled = True
        self._outbox.push(format_frame(FrameType.SETTINGS, ACK, 0, b""))

    def _on_acknowledgement(self, payload: bytes) -> None:
        if payload:
            raise FrameSizeError("an acknowledgement of SETTINGS with content")
        if self._is_settled and not self._is_acknowledged:
            self._is_acknowledged = True
            self._blocks.acknowledge()
        else:
            self._charge()

    def _obey(self, name: int, value: int) -> None:
        if name == Setting.INITIAL_WINDOW_SIZE:
            if value > LARGEST_WINDOW or not self._outbox.resize(value):
                raise BrokenConnectionError(ErrorCode.FLOW_CONTROL_ERROR, f"a window of {value} bytes")
        elif (name == Setting.MAX_FRAME_SIZE and not LARGEST_PAYLOAD <= value < 1 << 24) or (
            name == Setting.ENABLE_PUSH and value > 1
        ):
            said = f"the setting {Setting(name).name} with the value {value}"
            raise BrokenConnectionError(ErrorCode.PROTOCOL_ERROR, said)

    def on_ping(self, flags: int, stream: int, payload: bytes) -> None:
        """PING: it comes back."""
        if stream:
            raise BrokenConnectionError(ErrorCode.PROTOCOL_ERROR, f"PING on stream {stream}")
        if len(payload) != _PING_BYTES:
            raise FrameSizeError(f"a PING of {len(payload)} bytes")
        self._charge()
        if not flags & ACK:
            self._outbox.push(format_frame(FrameType.PING, ACK, 0, payload))

    def on_priority(self, flags: int, stream: int, payload: bytes) -> None:  # noqa: ARG002 - all handlers are called alike
        """PRIORITY, which is ignored."""
        if not stream:
            raise BrokenConnectionError(ErrorCode.PROTOCOL_ERROR, "PRIORITY on stream 0")
        if len(payload) != _PRIORITY_BYTES:
            raise FrameSizeError(f"a PRIORITY of {len(payload)} bytes")
        self._charge()

    def on_push_promise(self, flags: int, stream: int, payload: bytes) -> None:  # noqa: ARG002 - as above
        """PUSH_PROMISE, which only servers may send."""
        raise BrokenConnectionError(ErrorCode.PROTOCOL_ERROR, "a push from a client")

    def on_goaway(self, flags: int, stream: int, payload: bytes) -> None:  # noqa: ARG002 - as above
        """GOAWAY: we open no streams, so that it says nothing to us; the client closes when it has its answers."""
        if stream:
            raise BrokenConnectionError(ErrorCode.PROTOCOL_ERROR, f"GOAWAY on stream {stream}")
        if len(payload) < _LEAST_GOAWAY_BYTES:
            raise FrameSizeError(f"a GOAWAY of {len(payload)} bytes")
        self._charge()
