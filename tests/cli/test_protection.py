import io

import pytest

from modeldyno.cli.protection import warn_of_open_doors
from modeldyno.cli.terminal import Terminal
from modeldyno.records.server import ProtectionSettings, ServerSettings, TlsFiles

ALL = "0.0.0.0"  # noqa: S104 - that is what is warned of
TLS = TlsFiles(certificate="server.pem")
MUTUAL_TLS = TlsFiles(certificate="server.pem", client_authorities="ca.pem")


@pytest.mark.parametrize(
    ("settings", "keys", "warning"),
    (
        (ServerSettings(), "", ""),
        (ServerSettings(host=ALL), "", "everybody"),
        (ServerSettings(host=ALL, tls=TLS), "", "everybody"),
        (ServerSettings(host=ALL, tls=MUTUAL_TLS), "", ""),
        (ServerSettings(host=ALL), "keys.db", "unencrypted"),
        (ServerSettings(host=ALL, tls=TLS), "keys.db", ""),
        (ServerSettings(admin_port=8003), "", ""),
        (ServerSettings(admin_port=8003, admin_host=ALL), "", "administer"),
        (ServerSettings(admin_port=8003, admin_host=ALL), "keys.db", ""),
    ),
)
def test_doors_that_are_open_to_other_machines_are_told(settings: ServerSettings, keys: str, warning: str) -> None:
    said = io.StringIO()
    warn_of_open_doors(settings, ProtectionSettings(keys=keys), Terminal(io.StringIO(), said, quiet=False))
    assert warning in said.getvalue()
    assert bool(warning) == bool(said.getvalue())
