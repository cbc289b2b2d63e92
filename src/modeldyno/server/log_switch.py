"""What the server writes to its log, changed while it runs."""

import logging
from collections.abc import Callable

from modeldyno.wire.v2_settings import LogSettings

_LOG = logging.getLogger("modeldyno.server")


class LogSwitch(logging.Filter):
    """Turns kinds of messages of the server's log on and off; they are on at first as logging was set up."""

    def __init__(self) -> None:
        super().__init__()
        self.on_turned: Callable[[LogSettings], None] | None = None
        """Told of each `turn`: the other processes of the server are to do the same."""
        self.settings = LogSettings(
            log_info=_LOG.isEnabledFor(logging.INFO),
            log_warning=_LOG.isEnabledFor(logging.WARNING),
            log_error=_LOG.isEnabledFor(logging.ERROR),
            log_verbose_level=int(_LOG.isEnabledFor(logging.DEBUG)),
        )

    def turn(self, settings: LogSettings) -> None:
        """Write from now on what the settings say, in all processes of the server."""
        self.apply(settings)
        if self.on_turned is not None:
            self.on_turned(settings)

    def apply(self, settings: LogSettings) -> None:
        """Write from now on what the settings say, in this process."""
        self.settings = settings
        # The filter tells kinds apart; the level only must not be above them.
        _LOG.setLevel(logging.DEBUG if settings.log_verbose_level else logging.INFO)
        if self not in _LOG.filters:
            _LOG.addFilter(self)

    def close(self) -> None:
        """Leave the log as it was."""
        if self in _LOG.filters:
            _LOG.removeFilter(self)
            _LOG.setLevel(logging.NOTSET)

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter`."""
        settings = self.settings
        if settings.log_verbose_level:
            return True
        if record.levelno >= logging.ERROR:
            return settings.log_error
        if record.levelno >= logging.WARNING:
            return settings.log_warning
        return record.levelno >= logging.INFO and settings.log_info
