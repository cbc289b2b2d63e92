"""`dyno seal`."""

import argparse

from modeldyno.cli.protection import add_bundle_key, bundle_key_of
from modeldyno.cli.terminal import Terminal
from modeldyno.errors import ExitCode

DESCRIPTION = """Copy a bundle, signed (Ed25519) so that a server can tell its author, or with its artifact and samples
encrypted (AES-256-GCM) so that only a server with the key can read them, or both."""
EXAMPLES = """  openssl genpkey -algorithm ed25519 -out author.pem
  openssl pkey -in author.pem -pubout -out author.pub.pem
  openssl rand -hex 32 > bundle.key
  dyno seal out/digits.bundle --sign author.pem --bundle-key bundle.key --out sealed/digits.bundle
  dyno serve sealed/digits.bundle --trusted-key author.pub.pem --bundle-key bundle.key"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("bundle", metavar="BUNDLE", help="directory written by dyno tune or dyno combine")
    parser.add_argument("--out", required=True, metavar="DIRECTORY", help="where the sealed copy goes")
    parser.add_argument("--sign", metavar="FILE", help="PEM file with the private key to sign with")
    add_bundle_key(parser, "to encrypt with")
    parser.add_argument("--force", action="store_true", help="replace a bundle that is there")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Call the api and print."""
    from modeldyno.api.sealing import seal
    from modeldyno.records.bundle import Bundle
    from modeldyno.records.files import to_json

    sealed = seal(
        arguments.bundle,
        out=arguments.out,
        signing_key=arguments.sign,
        bundle_key=bundle_key_of(arguments.bundle_key),
        force=arguments.force,
    )
    if arguments.json:
        terminal.record(to_json(sealed))
        return ExitCode.OK
    is_encrypted = isinstance(sealed, Bundle) and sealed.encryption is not None
    how = [word for word, is_so in (("signed", arguments.sign), ("encrypted", is_encrypted)) if is_so]
    options = " --trusted-key PUBLIC.pem" * bool(arguments.sign) + " --bundle-key FILE" * is_encrypted
    terminal.result(f"bundle {arguments.out}   {' and '.join(how)}\nnext   dyno serve {arguments.out}{options}")
    return ExitCode.OK
