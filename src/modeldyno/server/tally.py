"""Counting what becomes of the requests."""

from collections.abc import Iterable

import msgspec

from modeldyno.records.server import ServerAccount


class Tally:
    """Counts each request where it happens; `account` makes the record."""

    def __init__(self) -> None:
        self.accepted = 0
        self.answered = 0
        self.failed = 0
        self.cancelled = 0
        self.expired = 0
        self.lost = 0
        self.refused = 0

    def account(self) -> ServerAccount:
        """The counts so far; requests on their way are `unaccounted`."""
        return ServerAccount(
            accepted=self.accepted,
            answered=self.answered,
            failed=self.failed,
            cancelled=self.cancelled,
            expired=self.expired,
            lost=self.lost,
            refused=self.refused,
        )


def settled(account: ServerAccount) -> ServerAccount:
    """The account of a process that is gone: what was on its way there is lost."""
    return msgspec.structs.replace(account, lost=account.lost + account.unaccounted)


def add_accounts(accounts: Iterable[ServerAccount]) -> ServerAccount:
    """The sum, such as of the processes of one server."""
    listed = list(accounts)
    return ServerAccount(
        **{name: sum(getattr(one, name) for one in listed) for name in ServerAccount.__struct_fields__}
    )
