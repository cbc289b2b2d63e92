"""One request of somebody: what it may use, and what is written down when it ends."""

from modeldyno.server.call import Refusal
from modeldyno.server.protection.account import Account
from modeldyno.server.protection.audit import AuditLog
from modeldyno.server.protection.gate import Gate
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

    def __init__(
        self,
        account: Account | None,
        gate: Gate | None,
        audit: AuditLog | None,
        right: Right,
        payload: bytes | bytearray,
    ) -> None:
        self._account = account
        self.tenant = "" if account is None else account.id
        """The id of the key; empty where no keys are asked for."""
        self._gate = gate
        self._audit = audit
        self._right = right
        self._payload = payload
        self._rows = 0
        """That were let pass."""
        self._has_ended = False

    def reserve(self, rows: int) -> Refusal | None:
        """Let the decoded request pass under the key's limits, or say why not."""
        account = self._account
        if account is not None:
            if account.is_limited and self._gate is not None:
                refusal = self._gate.limit(account, rows)
                if refusal is not None:
                    return refusal
            account.reserved_rows += rows
        self._rows = rows
        return None

    def end(self, status: int) -> None:
        """The request was answered with this HTTP status, or nobody waits for it any more."""
        if self._has_ended:
            return
        self._has_ended = True
        account, audit, rows = self._account, self._audit, self._rows
        if account is not None and rows:
            account.settle(rows, was_answered=status < 400)
        if audit is not None:
            audit.note(self.tenant, self._right, self._payload, status, rows)
        self._payload = b""
