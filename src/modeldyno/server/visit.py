"""One request of somebody: what it may use, and what is written down when it ends."""

from modeldyno.server.account import Account
from modeldyno.server.audit import AuditLog, Entry
from modeldyno.server.call import Refusal
from modeldyno.server.gate import Gate
from modeldyno.server.rights import Right


class Visit:
    """From the gate to the answer. `end` may be called more than once; the first time counts.

    Args:
        account: whose key let it in; None where no keys are asked for.
        gate: that let it in.
        audit: where it is written down, if anywhere.
        right: what it asked for.
        payload: the request's body.
    """

    __slots__ = ("_account", "_audit", "_gate", "_has_ended", "_payload", "_right", "_rows")

    def __init__(
        self,
        account: Account | None,
        gate: Gate | None,
        audit: AuditLog | None,
        right: Right,
        payload: bytes | bytearray,
    ) -> None:
        self._account = account
        self._gate = gate
        self._audit = audit
        self._right = right
        self._payload = payload
        self._rows = 0
        self._has_ended = False

    @property
    def tenant(self) -> str:
        """The id of the key; empty where no keys are asked for."""
        return "" if self._account is None else self._account.key.id

    def reserve(self, rows: int) -> Refusal | None:
        """Let the decoded request pass under the key's limits, or say why not."""
        if self._account is not None and self._gate is not None:
            refusal = self._gate.reserve(self._account, rows)
            if refusal is not None:
                return refusal
        self._rows = rows
        return None

    def end(self, status: int) -> None:
        """The request was answered with this HTTP status, or nobody waits for it any more."""
        if self._has_ended:
            return
        self._has_ended = True
        if self._account is not None and self._rows:
            self._account.settle(self._rows, was_answered=status < 400)
        if self._audit is not None:
            self._audit.note(Entry(self.tenant, self._right, self._payload, status, self._rows))
        self._payload = b""
