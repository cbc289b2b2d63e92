"""Arguments of what protects a server and a bundle."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from modeldyno.cli.typed import typed
from modeldyno.errors import InputError, UsageError
from modeldyno.units import parse_size_bytes

if TYPE_CHECKING:
    from modeldyno.cli.terminal import Terminal
    from modeldyno.records.server import ProtectionSettings, ServerSettings, TlsFiles
    from modeldyno.secret import Secret

BUNDLE_KEY_VARIABLE = "DYNO_BUNDLE_KEY"
_SMALLEST_AUDIT_BYTES = 10_000
_LOCAL = ("127.0.0.1", "::1", "localhost")


def add_protection(parser: argparse.ArgumentParser) -> None:
    """Declare them for a server."""
    tls = parser.add_argument_group("encryption")
    tls.add_argument("--tls-cert", metavar="FILE", help="PEM file with the server's certificate: HTTPS only")
    tls.add_argument("--tls-key", metavar="FILE", help="PEM file with its key, if that is in a file of its own")
    tls.add_argument("--client-ca", metavar="FILE", help="let in only clients with a certificate of these authorities")
    access = parser.add_argument_group("access")
    access.add_argument("--keys", metavar="FILE", help="ask for API keys, made by: dyno keys create FILE --name NAME")
    access.add_argument(
        "--admin-port", type=int, metavar="N", help="answer load, unload, logging and tracing there (default: nowhere)"
    )
    access.add_argument("--admin-grpc-port", type=int, metavar="N", help="answer the same there over gRPC (nowhere)")
    access.add_argument("--admin-host", metavar="HOST", help="address of both (127.0.0.1)")
    audit = parser.add_argument_group("audit")
    audit.add_argument("--audit", metavar="FILE", help="write down who asked for what, never what was in it")
    audit.add_argument(
        "--audit-on-failure",
        choices=("refuse", "continue"),
        help="while it cannot be written: refuse requests, or continue without (refuse)",
    )
    audit.add_argument(
        "--audit-rotate",
        type=typed(parse_size_bytes),
        metavar="SIZE",
        help="size at which another file begins (100MB)",
    )
    bundle = parser.add_argument_group("bundle")
    bundle.add_argument(
        "--trusted-key", metavar="FILE", help="PEM file with a public key: serve only a bundle signed for it"
    )
    add_bundle_key(bundle, "of an encrypted bundle")
    bundle.add_argument(
        "--trust", action="store_true", help="let bundles run the code they hold (Python files, TorchScript)"
    )


def add_bundle_key(parser: argparse._ActionsContainer, purpose: str) -> None:
    """The key of a bundle's encryption."""
    parser.add_argument(
        "--bundle-key",
        metavar="FILE",
        help=f"key {purpose}: 64 hexadecimal digits (default: the variable {BUNDLE_KEY_VARIABLE})",
    )


def bundle_key_of(path: str | None) -> "Secret | None":
    """The key in the file, or in the environment.

    Raises:
        InputError: the file cannot be read.
        UsageError: that is no key.
    """
    from modeldyno.deployment.encryption import parse_bundle_key

    if path is not None:
        try:
            return parse_bundle_key(Path(path).read_text("ascii"), source=path)
        except UnicodeDecodeError:
            return parse_bundle_key("", source=path)
        except OSError as problem:
            raise InputError(
                f"cannot read the key in {path}", why=problem.strerror or str(problem), hint="check the path"
            ) from problem
    text = os.environ.get(BUNDLE_KEY_VARIABLE)
    return parse_bundle_key(text, source=f"the variable {BUNDLE_KEY_VARIABLE}") if text else None


def tls_of(arguments: argparse.Namespace) -> "TlsFiles | None":
    """The files for TLS.

    Raises:
        UsageError: there is a key or an authority, but no certificate.
    """
    from modeldyno.records.server import TlsFiles

    if arguments.tls_cert is None:
        if arguments.tls_key is not None or arguments.client_ca is not None:
            option = "--tls-key" if arguments.tls_key is not None else "--client-ca"
            raise UsageError(f"{option} means nothing without a certificate", hint="--tls-cert FILE")
        return None
    return TlsFiles(
        certificate=arguments.tls_cert, key=arguments.tls_key or "", client_authorities=arguments.client_ca or ""
    )


def protection_of(arguments: argparse.Namespace) -> "ProtectionSettings":
    """Keys and audit.

    Raises:
        UsageError: something is said of an audit log, and there is none; or its files would be too small.
    """
    from modeldyno.records.server import ProtectionSettings

    rotate_bytes, on_failure = arguments.audit_rotate, arguments.audit_on_failure
    for option, value in (("--audit-rotate", rotate_bytes), ("--audit-on-failure", on_failure)):
        if value is not None and arguments.audit is None:
            raise UsageError(f"{option} means nothing without an audit log", hint="--audit FILE")
    if rotate_bytes is not None and rotate_bytes < _SMALLEST_AUDIT_BYTES:
        raise UsageError(
            f"audit files of {rotate_bytes:,} bytes would hold a few lines each",
            hint="for example --audit-rotate 100MB",
        )
    return ProtectionSettings(
        keys=arguments.keys or "",
        audit=arguments.audit or "",
        audit_on_failure=on_failure or "refuse",
        audit_rotate_bytes=100 * 10**6 if rotate_bytes is None else rotate_bytes,
    )


def admin_host_of(arguments: argparse.Namespace) -> str:
    """Where the admin ports are.

    Raises:
        UsageError: there are none.
    """
    if arguments.admin_host is None:
        return _LOCAL[0]
    if arguments.admin_port is None and arguments.admin_grpc_port is None:
        raise UsageError("--admin-host means nothing without a port", hint="--admin-port 8002, or --admin-grpc-port")
    return str(arguments.admin_host)


def warn_of_open_doors(settings: "ServerSettings", protection: "ProtectionSettings", terminal: "Terminal") -> None:
    """Say what other machines could do that was perhaps not meant."""
    is_local = settings.host in _LOCAL
    if not is_local and not protection.keys and not (settings.tls and settings.tls.client_authorities):
        terminal.say(f"warning: everybody who reaches {settings.host}:{settings.port} may ask this server (--keys)")
    elif not is_local and protection.keys and settings.tls is None:
        terminal.say("warning: keys and data cross the network unencrypted (--tls-cert)")
    has_admin = settings.admin_port is not None or settings.admin_grpc_port is not None
    if has_admin and settings.admin_host not in _LOCAL and not protection.keys:
        terminal.say(f"warning: everybody who reaches {settings.admin_host} may administer this server (--keys)")
