"""What a token streamer does: settings as plain data, so that they can be handed to a process of its own."""

import msgspec

from modeldyno.errors import UsageError


class Streaming(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When which tokens are written. `..._every` counts streams from 1; 0 is never; the first that holds is done.

    Raises:
        UsageError: no streamer can do that.
    """

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes any free one."""
    model: str = "known"
    first_token_ns: int = 20_000_000
    """From the last byte of the request to its first token."""
    gap_ns: int = 5_000_000
    """From one token to the next; 0 writes all of them at once."""
    tokens: int = 64
    """In an answer to a request that does not say how many."""
    role_first: bool = False
    """Write the head and, in a chat, the empty piece with the role as soon as the request is there; otherwise they
    come in one write with the first token. A client that takes the first byte for the first token then errs."""
    dimensions: int = 8
    """Of an embedding."""
    cut_every: int = 0
    """Close the connection half-way through the tokens."""
    unfinished_every: int = 0
    """End the answer half-way through the tokens, as HTTP would have it, but without finish reason or end mark."""
    hang_every: int = 0
    """Write nothing any more half-way through the tokens."""

    def __post_init__(self) -> None:
        if self.tokens < 1 or self.dimensions < 1:
            raise UsageError(f"an answer of {self.tokens} tokens or {self.dimensions} dimensions cannot be")
        if self.first_token_ns < 0 or self.gap_ns < 0:
            raise UsageError(f"{self.first_token_ns} ns to the first token and {self.gap_ns} ns to the next cannot be")
