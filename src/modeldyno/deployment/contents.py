"""The files of a bundle as they are used: from disk, or from memory when they are encrypted or must not change."""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import Self

from modeldyno.deployment.bundle import SAMPLES, artifact_files
from modeldyno.deployment.encryption import check_key, decrypt
from modeldyno.errors import InputError
from modeldyno.records.bundle import Bundle, Samples
from modeldyno.records.files import digest_bytes, digest_file, from_json, read_file
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
        content = read_file(path)
        if digest_bytes(content) != self._bundle.files.get(name):
            raise InputError(f"{path} is not the file that was bundled", why="its digest differs, or it is not listed")
        if encryption is None or self._key is None or name not in encryption.files:
            return content
        return decrypt(content, encryption, self._key, name)

    def artifact(self) -> Path:
        """Where a library can open the artifact; of one in memory, a link to it beside links to its further files.

        Raises:
            InputError: see `read`.
        """
        main = self._bundle.artifact.path
        if not self._in_memory and self._bundle.encryption is None:
            return self._directory / main
        if self._links is None:
            self._links = tempfile.TemporaryDirectory(prefix="dyno-")
        # Every session opens its own: libraries may map a file, and read it at places of their own.
        place = Path(tempfile.mkdtemp(dir=self._links.name))
        for name in artifact_files(self._bundle):
            self._link(name, place / name)
        return place / main

    def check_artifact(self) -> None:
        """Make sure that the artifact is still the one that the bundle was opened with.

        Raises:
            InputError: it was changed meanwhile, and is not read from memory.
        """
        if self._bundle.encryption is not None or self._in_memory:
            return  # `read` checks it
        for name in artifact_files(self._bundle):
            if digest_file(self._directory / name) != self._bundle.files[name]:
                raise InputError(
                    f"{self._directory / name} is not the file that is served",
                    why="its digest differs",
                    hint="load the model anew: POST /v2/repository/models/NAME/load at the admin port",
                )

    def _link(self, name: str, link: Path) -> None:
        handle = os.memfd_create(link.name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self._handles.append(handle)
        with open(handle, "wb", closefd=False) as stream:
            stream.write(self.read(name))
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, _SEALS)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"/proc/{os.getpid()}/fd/{handle}")

    def samples(self) -> Samples:
        """The sample requests with their expected answers."""
        return from_json(self.read(SAMPLES), Samples, str(self._directory / SAMPLES))
