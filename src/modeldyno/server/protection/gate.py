"""Who asks, and whether they may."""

from collections.abc import Mapping

from modeldyno.clock import Clock
from modeldyno.server.call import Refusal
from modeldyno.server.protection.account import Account
from modeldyno.server.protection.key_ring import KeyRing
from modeldyno.server.rights import Right

_MISSING = "a key is needed: send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
_INVALID = "this key is not valid: unknown, revoked or expired"
"""One answer for all three: which it is would help who tries keys."""


class Gate:
    """Lets in by API key. It knows no transport: headers are those of HTTP or the metadata of gRPC."""

    def __init__(self, ring: KeyRing, *, clock: Clock) -> None:
        self._ring = ring
        self._clock = clock

    def check(self, headers: Mapping[bytes, bytes], right: Right) -> Account | Refusal:
        """The account that has the right, or 401, 403 or 503 and why.

        Args:
            headers: names in lower case.
            right: what is asked.
        """
        now_ns = self._clock.now_ns()
        if now_ns > self._ring.stale_ns:
            return Refusal(503, "keys cannot be checked now; try again later", 1)
        presented = presented_key(headers)
        if presented is None:
            return Refusal(401, _MISSING)
        account = self._ring.find(presented, now_ns)
        if account is None:
            return Refusal(401, _INVALID)
        if not account.may(right):
            of = "" if right.model is None else f" of model {right.model!r}"
            return Refusal(403, f"this key does not allow {right.verb}{of}")
        return account

    def id_of(self, headers: Mapping[bytes, bytes]) -> str:
        """The id of the valid key among these headers; empty without one."""
        presented = presented_key(headers)
        account = None if presented is None else self._ring.find(presented, self._clock.now_ns())
        return "" if account is None else account.id

    def limit(self, account: Account, rows: int) -> Refusal | None:
        """Let `rows` pass under the key's limits, or 429 and when to come back."""
        return account.limit(rows, self._clock.now_ns(), self._ring.day_ends_in_s)


def presented_key(headers: Mapping[bytes, bytes]) -> bytes | None:
    """The key that a client sent, whatever it is worth."""
    text = headers.get(b"authorization")
    if text is None:
        return headers.get(b"x-api-key")
    if text.startswith(b"Bearer "):
        return text[7:].strip()
    scheme, _, rest = text.partition(b" ")
    return rest.strip() if scheme.lower() == b"bearer" else None
