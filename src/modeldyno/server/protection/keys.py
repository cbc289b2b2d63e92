"""API keys in an embedded database that several processes share: the only file that imports SQLite."""

import base64
import contextlib
import hashlib
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from modeldyno.clock import Clock, epoch_ms
from modeldyno.errors import InputError, UsageError
from modeldyno.policies.rate_limit import day_of
from modeldyno.records.files import output_problem
from modeldyno.records.security import Key
from modeldyno.secret import Secret

MARK = "dyno"
"""What every key begins with, so that scanners for leaked keys can know them."""
_APPLICATION_ID = 0x64796E6F  # "dyno", in the header of the file
_SECRET_BYTES = 32
_ID_BYTES = 5
_WAIT_S = 5.0
_SCHEMA = """
CREATE TABLE pepper (value BLOB NOT NULL);
CREATE TABLE keys (id TEXT PRIMARY KEY, digest BLOB NOT NULL, record BLOB NOT NULL);
CREATE TABLE usage (id TEXT NOT NULL, day INTEGER NOT NULL, rows INTEGER NOT NULL, PRIMARY KEY (id, day));
"""


class StoredKey(NamedTuple):
    """A key as the file has it."""

    key: Key
    digest: bytes


class FileVersion(NamedTuple):
    """Of a key file, as one connection sees it."""

    written: int
    """SQLite's `data_version`: another one after others wrote."""
    file: tuple[int, int]
    """Device and inode."""
    day: int
    """Since 1970-01-01, UTC: quotas begin anew."""


class KeyFile:
    """Keys, and the rows answered to each today. Use it as a context, on one thread.

    Args:
        path: the database.
        clock: for creation, revocation and the day.
        create: make the file when it is not there; only its owner can read it.

    Raises:
        InputError: there is no such file, or it holds something else.
        OutputError: it cannot be made.
    """

    def __init__(self, path: Path, *, clock: Clock, create: bool = False) -> None:
        self._path = path
        self._clock = clock
        is_new = not path.exists() or (create and path.stat().st_size == 0)
        if is_new and not create:
            raise InputError(f"there is no key file {path}", hint=f"make one: dyno keys create {path} --name NAME")
        if is_new:
            self._make_private()
        try:
            self._database = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as problem:
            raise self._unreadable(problem) from problem
        try:
            self._prepare(is_new)
            pepper: bytes = self._database.execute("SELECT value FROM pepper").fetchone()[0]
            # Set up once: a copy of it costs half of what keying another does, and each request needs one.
            self._keyed = hashlib.blake2b(key=pepper, digest_size=32)
        except (sqlite3.Error, TypeError, ValueError) as problem:
            self._database.close()
            raise self._unreadable(problem) from problem

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def digest_of(self, presented: bytes) -> bytes:
        """What is stored of a key (docs/decisions/0010-api-keys.md says why this is enough)."""
        digest = self._keyed.copy()
        digest.update(presented)
        return digest.digest()

    def _make_private(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):  # another process was first, and makes it the same way
                os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except OSError as problem:
            raise output_problem(self._path, problem) from problem

    def _prepare(self, is_new: bool) -> None:  # noqa: FBT001 - private, and named where it is called
        database = self._database
        if is_new:
            database.execute("PRAGMA journal_mode = WAL")
            with self._transaction():
                if database.execute("PRAGMA application_id").fetchone()[0] == 0:
                    for statement in _SCHEMA.split(";"):
                        database.execute(statement)
                    database.execute("INSERT INTO pepper VALUES (?)", (secrets.token_bytes(_SECRET_BYTES),))
                    database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        if database.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
            raise sqlite3.DatabaseError("it is a database of something else")

    def _unreadable(self, problem: Exception) -> InputError:
        return InputError(
            f"{self._path} is not a readable key file",
            why="it is a directory" if self._path.is_dir() else str(problem),
            hint="restore it from a backup, or make another with: dyno keys create NEW_FILE --name NAME",
        )

    def _unwritable(self, problem: Exception) -> InputError:
        return InputError(
            f"cannot write {self._path}",
            why=str(problem),
            hint="let who runs this write the file and its directory, and see that the disk has space",
        )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def add(self, key: Key) -> tuple[Key, Secret]:
        """Store a key under a new id. Returns it with its secret, which is stored nowhere.

        Raises:
            InputError: the file cannot be written.
        """
        number = _text_of(secrets.token_bytes(_ID_BYTES))
        whole = f"{MARK}_{number}_{_text_of(secrets.token_bytes(_SECRET_BYTES))}".encode()
        named = msgspec.structs.replace(key, id=number, created_at=self._clock.wall_time())
        try:
            with self._transaction():
                self._database.execute(
                    "INSERT INTO keys VALUES (?, ?, ?)",
                    (number, self.digest_of(whole), msgspec.json.encode(named)),
                )
        except sqlite3.Error as problem:
            raise self._unwritable(problem) from problem
        return named, Secret(whole)

    def revoke(self, number: str) -> Key:
        """Take a key out of use for good; a second time changes nothing.

        Raises:
            UsageError: there is no such key.
            InputError: the file cannot be written.
        """
        try:
            with self._transaction():
                row = self._database.execute("SELECT record FROM keys WHERE id = ?", (number,)).fetchone()
                if row is None:
                    raise UsageError(
                        f"there is no key {number!r} in {self._path}", hint=f"dyno keys list {self._path} shows them"
                    )
                key = msgspec.json.decode(row[0], type=Key)
                if key.revoked_at is None:
                    key = msgspec.structs.replace(key, revoked_at=self._clock.wall_time())
                    self._database.execute(
                        "UPDATE keys SET record = ? WHERE id = ?", (msgspec.json.encode(key), number)
                    )
        except sqlite3.Error as problem:
            raise self._unwritable(problem) from problem
        return key

    def read(self) -> dict[str, StoredKey]:
        """All keys by their ids, in the order of their creation, with what each used today.

        Raises:
            InputError: the file cannot be read any more.
        """
        try:
            used = dict(self._database.execute("SELECT id, rows FROM usage WHERE day = ?", (self._today(),)))
            rows = self._database.execute("SELECT id, digest, record FROM keys ORDER BY rowid").fetchall()
            return {
                number: StoredKey(
                    msgspec.structs.replace(msgspec.json.decode(record, type=Key), rows_today=used.get(number, 0)),
                    digest,
                )
                for number, digest, record in rows
            }
        except (sqlite3.Error, msgspec.MsgspecError) as problem:
            raise self._unreadable(problem) from problem

    def count_rows(self, rows: Mapping[str, int]) -> None:
        """Add to what was answered to each key today.

        Raises:
            InputError: the file cannot be written.
        """
        day = self._today()
        try:
            # A power cut may forget the last counts, never a key or a revocation; waiting for the disk twice a second
            # would cost more than they are worth.
            self._database.execute("PRAGMA synchronous = NORMAL")
            with self._transaction():
                self._database.executemany(
                    "INSERT INTO usage VALUES (?, ?, ?) "
                    "ON CONFLICT (id, day) DO UPDATE SET rows = rows + excluded.rows",
                    [(number, day, count) for number, count in rows.items()],
                )
        except sqlite3.Error as problem:
            raise self._unwritable(problem) from problem

    def version(self) -> FileVersion:
        """Another value after another process wrote, after midnight, and after the file was replaced.

        Raises:
            InputError: the file is gone or cannot be read any more.
        """
        try:
            found = self._path.stat()
            written = self._database.execute("PRAGMA data_version").fetchone()[0]
        except (OSError, sqlite3.Error) as problem:
            raise self._unreadable(problem) from problem
        return FileVersion(written, (found.st_dev, found.st_ino), self._today())

    def _today(self) -> int:
        return day_of(epoch_ms(self._clock.wall_time()) // 1000)


def _text_of(random: bytes) -> str:
    """Lower-case letters and digits 2 to 7: nothing that a shell, a URL or an eye could mistake."""
    return base64.b32encode(random).decode().rstrip("=").lower()
