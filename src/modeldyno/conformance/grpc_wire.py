"""gRPC to the server under check."""

from typing import Any

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import DecodeError

from modeldyno.clock import Clock
from modeldyno.conformance.endings import BrokenRuleError, NoAnswerError
from modeldyno.conformance.trail import Trail, excerpt
from modeldyno.errors import TargetError
from modeldyno.loadgen.access import Access
from modeldyno.loadgen.grpc_caller import GrpcCaller
from modeldyno.records.grpc_status import GrpcStatus
from modeldyno.wire.errors import WireError
from modeldyno.wire.grpc_call import CallStatus
from modeldyno.wire.v2_messages import message_class, method_path


class GrpcWire:
    """Calls the methods of one server.

    Args:
        url: `grpc://` or `grpcs://`.
        access: what lets us in.
        clock: for time limits.
        timeout_ns: for each call.
        trail: where evidence goes.

    Raises:
        UsageError: not such a URL.
    """

    def __init__(self, url: str, access: Access, *, clock: Clock, timeout_ns: int, trail: Trail) -> None:
        self.url = url
        self.trail = trail
        self._caller = GrpcCaller(url, access, clock=clock, timeout_ns=timeout_ns)

    def call(self, method: str, request: Any = None) -> tuple[CallStatus, Any]:
        """How the call of a method ended, and its parsed answer when it ended well.

        Raises:
            NoAnswerError: no answer came.
            BrokenRuleError: the answer is not the message that the method returns.
        """
        sent = message_class(f"{method}Request")() if request is None else request
        shown = f"{method} {excerpt(MessageToJson(sent, indent=None).encode())}"
        try:
            status, content = self._caller.call(method_path(method), bytes(sent.SerializeToString()))
        except (TargetError, WireError) as problem:
            self.trail.add(shown, str(problem))
            why = getattr(problem, "why", "") or str(problem)
            raise NoAnswerError(f"{problem}: {why}") from problem
        if status.code != GrpcStatus.OK:
            self.trail.add(shown, str(status))
            return status, None
        try:
            answer = message_class(f"{method}Response").FromString(content)
        except DecodeError as problem:
            self.trail.add(shown, excerpt(content))
            raise BrokenRuleError(f"a {method}Response", f"a message that is none: {problem}") from problem
        self.trail.add(shown, f"OK {excerpt(MessageToJson(answer, indent=None).encode())}")
        return status, answer

    def demand(self, method: str, request: Any = None) -> Any:
        """The answer of a call that must end well.

        Raises:
            BrokenRuleError: it does not.
            NoAnswerError: no answer came.
        """
        status, answer = self.call(method, request)
        if answer is None:
            raise BrokenRuleError("the status OK", str(status))
        return answer
