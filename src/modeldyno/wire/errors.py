"""What a codec raises when a message breaks its protocol."""


class WireError(Exception):
    """A message that breaks its protocol, in words for the one who sent it.

    Args:
        message: what is wrong, with the offending value.
        status: the HTTP status a server answers with.
    """

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
