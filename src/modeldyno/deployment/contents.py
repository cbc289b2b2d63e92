"""The files of a bundle as they are used: from disk, or from memory when they are encrypted or must not change."""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import Self

from modeldyno.deployment.bundle import SAMPLES
from modeldyno.deployment.encryption import check_key, decrypt
from modeldyno.errors import InputError
from modeldyno.records.bundle import Bundle, Samples
from modeldyno.records.files import digest_bytes, from_json
from modeldyno.secret import Secret

_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


class Contents:
    """Gives out the files of an opened bundle until the context is left.

    What is decrypted is in memory only, in a file without a name (memfd_create(2)) that cannot be written any more.

    Args:
        directory: of the bundle.
        bundle: as `open_bundle` gave it.
        key: of its encryption.
        in_memory: whether plain files too are read once, checked and used from memory, so that what is loaded is
            what was checked, whoever can write the directory.

    Raises:
        InputError: it is encrypted, and the key is missing or another's.
    """

    def __init__(self, directory: Path, bundle: Bundle, *, key: Secret | None = None, in_memory: bool = False) -> None:
        self._directory = directory
        self._bundle = bundle
        self._in_memory = in_memory
        self._key = None if bundle.encryption is None else check_key(bundle.encryption, key, source=str(directory))
        self._handles: list[int] = []
        self._links: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            os.close(handle)
        if self._links is not None:
            self._links.cleanup()

    def read(self, name: str) -> bytes:
        """A file's content, decrypted.

        Raises:
            InputError: it is gone, was changed, or cannot be decrypted.
        """
        path, encryption = self._directory / name, self._bundle.encryption
        try:
            content = path.read_bytes()
        except OSError as problem:
            raise InputError(f"cannot read {path}", why=problem.strerror or str(problem)) from problem
        if digest_bytes(content) != self._bundle.files.get(name):
            raise InputError(f"{path} is not the file that was bundled", why="its digest differs, or it is not listed")
        if encryption is None or self._key is None or name not in encryption.files:
            return content
        return decrypt(content, encryption, self._key, name)

    def path_of(self, name: str) -> Path:
        """Where a library can open the file; of one in memory, a link to it with the same ending.

        Raises:
            InputError: see `read`.
        """
        if not self._in_memory and self._bundle.encryption is None:
            return self._directory / name
        handle = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self._handles.append(handle)
        with open(handle, "wb", closefd=False) as stream:
            stream.write(self.read(name))
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, _SEALS)
        if self._links is None:
            self._links = tempfile.TemporaryDirectory(prefix="dyno-")
        link = Path(self._links.name) / f"{len(self._handles)}-{name}"
        link.symlink_to(f"/proc/{os.getpid()}/fd/{handle}")
        return link

    def samples(self) -> Samples:
        """The sample requests with their expected answers."""
        return from_json(self.read(SAMPLES), Samples, str(self._directory / SAMPLES))
