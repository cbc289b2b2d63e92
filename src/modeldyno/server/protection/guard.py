"""What stands between the listeners and the router where keys are asked for or requests are written down."""

from collections.abc import Mapping

from modeldyno.server.call import Refusal
from modeldyno.server.exchange import Exchange, Handler
from modeldyno.server.protection.account import Account
from modeldyno.server.protection.audit import AuditLog
from modeldyno.server.protection.gate import Gate
from modeldyno.server.rights import Right, right_of, segments_of
from modeldyno.server.tally import Tally
from modeldyno.server.visit import Visit
from modeldyno.wire.http1_request import HttpRequest

_MOST_REMEMBERED = 1000
UNRECORDED = Refusal(503, "the audit log cannot be written; no request is answered without it", 1)


class Guard:
    """Keys and audit together, for any transport; one of the two may be absent."""

    def __init__(self, gate: Gate | None, audit: AuditLog | None) -> None:
        self._gate = gate
        self._audit = audit

    def is_open(self) -> bool:
        """Whether requests can be let in at all, for readiness."""
        return self._audit is None or not self._audit.refuses()

    def enter(self, headers: Mapping[bytes, bytes], right: Right, payload: bytes | bytearray) -> Visit | Refusal:
        """Let a request in, or say why not; what is refused here is written down here.

        Args:
            headers: names in lower case; of gRPC, the metadata.
            right: what the request needs.
            payload: its body.
        """
        gate, audit = self._gate, self._audit
        if audit is not None and audit.refuses():
            return UNRECORDED
        account: Account | None = None
        if gate is not None:
            checked = gate.check(headers, right)
            if not isinstance(checked, Account):
                if audit is not None:
                    audit.note(gate.id_of(headers), right, payload, checked.status, 0)
                return checked
            account = checked
        return Visit(account, gate, audit, right, payload)


class GuardedRouter:
    """A `Handler` that lets a request through to another when the guard does.

    Args:
        router: the other.
        guard: of all listeners.
        tally: counts the inference requests that are refused here.
    """

    def __init__(self, router: Handler, guard: Guard, tally: Tally) -> None:
        self._router = router
        self._guard = guard
        self._tally = tally
        self._rights: dict[tuple[bytes, bytes], Right] = {}

    def handle(self, request: HttpRequest, exchange: Exchange) -> None:
        """See `Handler`."""
        right = self._rights.get((request.method, request.target))
        if right is None:
            self._handle_new(request, exchange)
            return
        visit = self._guard.enter(request.headers, right, request.body)
        if isinstance(visit, Visit):
            exchange.visit = visit
            self._router.handle(request, exchange)
        else:
            self._refuse(visit, right, exchange)

    def _handle_new(self, request: HttpRequest, exchange: Exchange) -> None:
        """Handle what was not asked before."""
        right = right_of(request.method, segments_of(request.target))
        if right is None:
            self._answer_probe(request, exchange)
            return
        visit = self._guard.enter(request.headers, right, request.body)
        if isinstance(visit, Refusal):
            self._refuse(visit, right, exchange)
            return
        # Only what was let in: anybody else could fill the memory with paths.
        if len(self._rights) < _MOST_REMEMBERED:
            self._rights[request.method, request.target] = right
        exchange.visit = visit
        self._router.handle(request, exchange)

    def _answer_probe(self, request: HttpRequest, exchange: Exchange) -> None:
        if segments_of(request.target)[-1] == "ready" and not self._guard.is_open():
            exchange.refuse(UNRECORDED.status, UNRECORDED.message)
        else:
            self._router.handle(request, exchange)

    def _refuse(self, refusal: Refusal, right: Right, exchange: Exchange) -> None:
        self._tally.refused += right.verb == "infer"
        if refusal.status == 401:
            exchange.refuse(401, refusal.message, b'WWW-Authenticate: Bearer realm="modeldyno"\r\n')
        else:
            exchange.reply(refusal)
