"""Arrays of NumPy files mapped into memory: the system reads what is looked at."""

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import DataError, first_line

_LOCAL_HEADER_BYTES = 30


def map_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Every array in a .npz or .npy file, mapped; the one of a .npy file has no name.

    A compressed member is unpacked into a file without a name first, which goes when the array goes.

    Raises:
        DataError: damaged, holding pickled objects, or no space for unpacking.
    """
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as stream:
                return {"": _mapped(stream, 0)}
        return _archived(path)
    except (ValueError, zipfile.BadZipFile, EOFError, OSError) as problem:
        raise DataError(f"cannot read {path}", why=first_line(problem)) from problem


def _archived(path: Path) -> dict[str, NDArray[Any]]:
    arrays = {}
    with zipfile.ZipFile(path) as archive, path.open("rb") as stream:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if member.compress_type == zipfile.ZIP_STORED:
                arrays[name] = _mapped(stream, _content_start(stream, member))
                continue
            with archive.open(member) as packed, tempfile.TemporaryFile() as unpacked:
                shutil.copyfileobj(packed, unpacked, 2**20)
                unpacked.flush()
                arrays[name] = _mapped(unpacked, 0)
    return arrays


def _content_start(stream: IO[bytes], member: zipfile.ZipInfo) -> int:
    """Behind the local header, whose lengths may differ from those in the archive's directory (APPNOTE 4.3.7)."""
    stream.seek(member.header_offset)
    header = stream.read(_LOCAL_HEADER_BYTES)
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    return member.header_offset + _LOCAL_HEADER_BYTES + lengths


def _mapped(stream: IO[bytes], start: int) -> NDArray[Any]:
    stream.seek(start)
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_column, dtype = read_header(stream)
    if dtype.hasobject:
        raise ValueError("it holds pickled Python objects, which are never loaded")
    if not all(shape):
        return np.zeros(shape, dtype)
    return np.memmap(stream, dtype=dtype, mode="r", offset=stream.tell(), shape=shape, order="F" if by_column else "C")
