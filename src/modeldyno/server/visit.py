"""One request of somebody: what it may use, and what is written down when it ends."""

import msgspec

from modeldyno.server.call import Refusal
from modeldyno.server.protection.account import Account
from modeldyno.server.protection.audit import AuditLog
from modeldyno.server.protection.gate import Gate
from modeldyno.server.rights import Right


class Visit(msgspec.Struct, eq=False):
    """From the gate to the answer. `end` may be called more than once; the first time counts."""

    account: Account | None
    """Whose key let it in; None where no keys are asked for."""
    gate: Gate | None
    """That let it in."""
    audit: AuditLog | None
    """Where it is written down, if anywhere."""
    right: Right
    """What it asked for."""
    payload: bytes | bytearray
    """The request's body."""
    tenant: str = ""
    """The id of the key; empty where no keys are asked for."""
    rows: int = 0
    """That were let pass."""
    has_ended: bool = False

    def reserve(self, rows: int) -> Refusal | None:
        """Let the decoded request pass under the key's limits, or say why not."""
        account = self.account
        if account is not None:
            if account.is_limited and self.gate is not None:
                refusal = self.gate.limit(account, rows)
                if refusal is not None:
                    return refusal
            account.reserved_rows += rows
        self.rows = rows
        return None

    def end(self, status: int) -> None:
        """The request was answered with this HTTP status, or nobody waits for it any more."""
        if self.has_ended:
            return
        self.has_ended = True
        account, audit, rows = self.account, self.audit, self.rows
        if account is not None and rows:
            account.settle(rows, was_answered=status < 400)
        if audit is not None:
            audit.note(self.tenant, self.right, self.payload, status, rows)
        self.payload = b""
