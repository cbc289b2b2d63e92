"""How a check can end before its last line. One that reaches it has passed."""


class BrokenRuleError(Exception):
    """The server broke the rule.

    Args:
        expected: what the rule asks for, in words.
        got: what came instead, where that is not what the last answer shows.
    """

    def __init__(self, expected: str, got: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.got = got


class NotOfferedError(Exception):
    """The server or the model has nothing that the rule is about; the text says what is missing."""


class SkippedError(Exception):
    """What the rule builds on fails already; the text says what."""


class NoAnswerError(Exception):
    """No whole answer came; the text says how it ended."""
