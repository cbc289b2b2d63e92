"""The folder that artifacts are left in: empty before, or with what the same verb left there and its record names."""

from pathlib import Path

from modeldyno.errors import OutputError
from modeldyno.records.derivation import Derivation
from modeldyno.records.files import output_problem, read_record
from modeldyno.reports.estimates import plural

_SHOWN = 3


class ArtifactFolder:
    """Knows which files in a folder are the user's and which were written by us.

    Args:
        place: the folder.
        record: name of the record in it.
    """

    def __init__(self, place: Path, record: str) -> None:
        self._place = place
        self._record = record
        self._others: tuple[str, ...] = ()

    def take(self, *, force: bool) -> None:
        """Make it, or with `force` delete what an earlier run wrote there; what it did not write stays.

        Raises:
            InputError: the record of an earlier run is damaged.
            OutputError: it holds something that may not be replaced, or cannot be written.
        """
        record = self._place / self._record
        try:
            if self._place.is_file() or (
                self._place.is_dir() and any(self._place.iterdir()) and not (force and record.is_file())
            ):
                hint = "--force replaces what it wrote there" if record.is_file() else "choose another --out"
                raise OutputError(f"{self._place} is there already", hint=hint)
            if record.is_file():
                self._delete(_written_by(read_record(record, Derivation), self._place))
                record.unlink()
            self._place.mkdir(parents=True, exist_ok=True)
            self._others = self._files()
        except OSError as problem:
            raise output_problem(self._place, problem) from problem

    def written(self) -> tuple[str, ...]:
        """What was written since it was taken, relative to it."""
        return tuple(name for name in self._files() if name not in self._others)

    def empty(self) -> None:
        """Delete that again."""
        self._delete(self.written())

    def notes(self) -> tuple[str, ...]:
        """What is in it beside, in words."""
        if not self._others:
            return ()
        named = ", ".join(self._others[:_SHOWN]) + (", ..." if len(self._others) > _SHOWN else "")
        return (f"{self._place} holds {plural(len(self._others), 'file')} of something else, left as it was: {named}",)

    def _files(self) -> tuple[str, ...]:
        return tuple(sorted(str(one.relative_to(self._place)) for one in self._place.rglob("*") if one.is_file()))

    def _delete(self, names: tuple[str, ...]) -> None:
        for name in names:
            (self._place / name).unlink(missing_ok=True)
            folder = (self._place / name).parent
            while folder != self._place and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
                folder = folder.parent


def _written_by(earlier: Derivation, place: Path) -> tuple[str, ...]:
    """What an earlier run says that it wrote; nothing outside of its folder, whatever the record says."""
    return tuple(name for name in earlier.files if (place / name).resolve().is_relative_to(place.resolve()))
