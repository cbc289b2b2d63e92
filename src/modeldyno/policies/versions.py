"""Which versions of a model to serve, and which of them answers requests that name none."""

import msgspec

from modeldyno.errors import UsageError

_EXAMPLES = "latest:1 (the default), latest:3, all, or some by number: 1,3"


class VersionChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which of the versions that are there to serve; Triton's `version_policy`."""

    latest: int | None = 1
    """So many of the highest; None: all, or those of `only`."""
    only: frozenset[str] = frozenset()
    """These, as far as they are there."""

    def choose(self, versions: list[str]) -> list[str]:
        """Those to serve, lowest first."""
        ordered = sorted(versions, key=order_of)
        if self.only:
            return [version for version in ordered if version in self.only]
        return ordered if self.latest is None else ordered[-self.latest :]

    def __str__(self) -> str:
        """As it is written on the command line."""
        if self.only:
            return ",".join(sorted(self.only, key=order_of))
        return "all" if self.latest is None else f"latest:{self.latest}"


def order_of(version: str) -> tuple[int, str]:
    """A key to sort by: numbers by their value, anything else before them."""
    return (int(version) if version.isdecimal() else -1, version)


def is_version(name: str) -> bool:
    """Whether a folder of this name is a version: a whole number above 0 without leading zeros, as in Triton."""
    return name.isascii() and name.isdigit() and not name.startswith("0")


def parse_versions(text: str) -> VersionChoice:
    """A choice from how it is written.

    Raises:
        UsageError: it is none.
    """
    kind, has_number, number = text.partition(":")
    if text == "all":
        return VersionChoice(latest=None)
    if kind == "latest" and has_number and is_version(number):
        return VersionChoice(latest=int(number))
    names = [name.strip() for name in text.split(",")]
    if all(is_version(name) for name in names):
        return VersionChoice(latest=None, only=frozenset(names))
    raise UsageError(f"{text!r} does not say which versions to serve", hint=_EXAMPLES)
