"""Takes become files in a folder, a delivery: written once, and only what has changed again.

A line is written if its take, its name or a setting differs from what ``delivery.json`` in the
folder says, or a file is not what that says any more. ``delivery.json`` comes last; see
`unitaf.pipelines.delivery`. Files of an earlier delivery that are of no line any more are told, and
removed only if asked for.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unitaf import timing
from unitaf.errors import ConfigError, StorageError
from unitaf.export.tables import fmod_lines, table_path, wsources_lines, wwise_lines
from unitaf.pipelines.delivery import (
    DELIVERY,
    DeliveredFile,
    DeliveredLine,
    Header,
    Journal,
    file_digest,
    write_delivery,
)
from unitaf.pipelines.delivery_book import DeliveryBook, delivery_file
from unitaf.pipelines.export_plan import ExportOptions, ExportPlan, named_lines, plan_export
from unitaf.pipelines.files import checked_directory, replacing, write_file
from unitaf.pipelines.store import TakeStore
from unitaf.pipelines.templates import DEFAULT_NAME
from unitaf.types import Take


@dataclass(slots=True)
class ExportReport:
    """What an export did."""

    lines: int = 0
    kept: int = 0
    """Lines that were there already, or have not changed."""
    written: int = 0
    """The others, so far."""
    files: int = 0
    size_bytes: int = 0
    """Of the files that were written."""
    stale: int = 0
    """Files of an earlier delivery that are left and of no line any more."""
    first_stale: tuple[str, ...] = ()
    removed: int = 0


OnReport = Callable[[ExportReport], None]


def export(
    store: TakeStore,
    directory: str | Path,
    formats: Sequence[str],
    template: str = DEFAULT_NAME,
    options: ExportOptions | None = None,
    on_report: OnReport | None = None,
) -> ExportReport:
    """Write every take of a store's catalog as files.

    Killed at any point and called again, it ends with the same files.

    Args:
        store: Where the takes are.
        directory: The folder that files go to; older files of the same names are replaced.
        formats: Names in `unitaf.export.FORMATS`, and in `unitaf.export.tables.TABLES`.
        template: A file name without suffix; catalog columns stand in braces.
        options: The rest.
        on_report: Called after every line that is made, with how far it is.

    Raises:
        ConfigError: If a format, column or option cannot be used, the folder is a file, or two
            lines would have the same file.
        StorageError: If a file cannot be read or written.
    """
    options = options or ExportOptions()
    plan = plan_export(formats, template, options)
    directory = checked_directory(directory)
    if options.since is not None and delivery_file(options.since).parent.resolve() == (
        directory.resolve()
    ):
        raise ConfigError(
            f"{directory} is the delivery that changes are told from: name another folder, or leave"
            " out --changed-since; only what has changed is written anyway"
        )
    catalog = named_lines(store.catalog(), template, plan, options)
    with tempfile.TemporaryDirectory(prefix="unitaf-") as scratch:
        book = DeliveryBook(Path(scratch, "book.sqlite"))
        try:
            if options.since is not None:
                book.learn(delivery_file(options.since), plan.settings, is_here=False)
            book.learn(directory / DELIVERY, plan.settings, is_here=True)
            return _Export(directory, plan, options, book).run(store, catalog, on_report)
        finally:
            book.close()


class _Export:
    """One export at work."""

    def __init__(
        self, directory: Path, plan: ExportPlan, options: ExportOptions, book: DeliveryBook
    ) -> None:
        self._directory = directory
        self._plan = plan
        self._options = options
        self._book = book
        self._shared: dict[str, DeliveredFile] = {}
        """The files that lines share and that are known to be as they should be."""
        self._report = ExportReport()

    def run(self, store: TakeStore, catalog: pa.Table, on_report: OnReport | None) -> ExportReport:
        """Write what has changed, then the tables, then ``delivery.json``."""
        self._report.lines = len(catalog)
        is_left = np.zeros(len(catalog), bool)
        for row in _rows(catalog):
            is_left[row["position"]] = not self._keep(row)
        self._report.kept = len(catalog) - int(is_left.sum())
        journal = Journal(self._directory, self._plan.settings)
        try:
            for row, take in store.takes(catalog.filter(pa.array(is_left))):
                self._make(row, take, journal)
                if on_report is not None:
                    on_report(self._report)
            self._finish()
        finally:
            journal.close()
        journal.remove()
        return self._report

    def _make(self, row: Mapping[str, Any], take: Take, journal: Journal) -> None:
        """Encode a line, and write it unless the delivery that changes are told from has it."""
        line = self._line(row)
        encoded = [
            (name, path, data)
            for name, encode in self._plan.encoders.items()
            for path, data in encode(take, line.name).items()
        ]
        line = replace(line, files=self._described(line.name, encoded))
        is_changed = not self._is_in_base(line)
        if is_changed:
            self._write(line, encoded)
        self._book.add(row["position"], line, row["object_path"], is_changed=is_changed)
        if is_changed:
            journal.add(line)
        else:
            self._report.kept += 1

    def _line(self, row: Mapping[str, Any]) -> DeliveredLine:
        rate = self._options.sample_rate or row["sample_rate"]
        samples = timing.resampled_length(row["num_samples"], row["sample_rate"], rate)
        return DeliveredLine(
            line_id=row["line_id"],
            language=row["language"],
            speaker=row["speaker"],
            text=row["text"],
            take_key=row["take_key"],
            sample_rate=rate,
            num_samples=samples,
            fps=row["fps"],
            num_frames=row["num_frames"],
            name=row["file_name"],
        )

    def _keep(self, row: Mapping[str, Any]) -> bool:
        """Note a line that need not be made again; say whether it is one."""
        line = self._line(row)
        for is_here in (False, True):
            old, is_same = self._book.known(line.line_id, line.language, is_here=is_here)
            if old is None or not is_same or replace(old, files=()) != line:
                continue
            if not is_here or all(self._is_intact(old.name, file) for file in old.files):
                self._book.add(row["position"], old, row["object_path"], is_changed=is_here)
                return True
        return False

    def _is_intact(self, name: str, file: DeliveredFile) -> bool:
        if self._shared.get(file.path) == file:
            return True
        found = file_digest(self._directory / file.path)
        is_intact = found == (file.size_bytes, file.sha256)
        if is_intact and not file.path.startswith(f"{name}."):
            self._shared[file.path] = file
        return is_intact

    def _is_in_base(self, line: DeliveredLine) -> bool:
        """Say whether the delivery that changes are told from has the same files."""
        if self._options.since is None:
            return False
        old, _ = self._book.known(line.line_id, line.language, is_here=False)
        return old is not None and old.files == line.files

    def _described(
        self, name: str, encoded: Sequence[tuple[str, str, bytes]]
    ) -> tuple[DeliveredFile, ...]:
        files = []
        for file_format, path, data in encoded:
            file = self._shared.get(path)
            if file is None or path.startswith(f"{name}."):
                file = DeliveredFile(path, file_format, len(data), hashlib.sha256(data).hexdigest())
            files.append(file)
        return tuple(files)

    def _write(self, line: DeliveredLine, encoded: Sequence[tuple[str, str, bytes]]) -> None:
        self._report.written += 1
        for file, (_, path, data) in zip(line.files, encoded, strict=True):
            if self._shared.get(path) == file:
                continue
            write_file(self._directory / path, data)
            self._report.files += 1
            self._report.size_bytes += len(data)
            if not path.startswith(f"{line.name}."):
                self._shared[path] = file

    def _finish(self) -> None:
        tables = []
        for table in self._plan.tables:
            for language in self._book.languages():
                tables.append(self._write_table(table, language))
                self._book.claim(tables[-1], "")
        self._clear()
        since = self._options.since
        found = None if since is None else file_digest(delivery_file(since))
        header = Header(self._plan.settings, None if found is None else found[1], tuple(tables))
        write_delivery(self._directory / DELIVERY, header, self._book.stale(), self._book.lines())

    def _write_table(self, table: str, language: str) -> DeliveredFile:
        # Wwise is slow with many rows and needs only new ones; FMOD's keys are read as a whole.
        only_changed = table != "fmod" and self._options.since is not None
        voiced = self._book.voiced(language, only_changed=only_changed)
        root = self._options.wwise_root or str(self._directory.resolve())
        lines: dict[str, Callable[[], Iterator[str]]] = {
            "fmod": lambda: fmod_lines(voiced),
            "wsources": lambda: wsources_lines(voiced, root),
            "wwise": lambda: wwise_lines(voiced),
        }
        path = table_path(table, language)
        size_bytes, digest = _write_lines(self._directory / path, lines[table]())
        self._report.files += 1
        self._report.size_bytes += size_bytes
        return DeliveredFile(path, table, size_bytes, digest)

    def _clear(self) -> None:
        """Find the files of earlier deliveries that are left, and remove them if asked to."""
        gone: list[str] = []
        first: list[str] = []
        for file in self._book.stale():
            found = file_digest(self._directory / file.path)
            is_ours = found == (file.size_bytes, file.sha256)
            if found is None and self._options.since is None:
                gone.append(file.path)
            elif is_ours and self._options.removes_stale:
                _remove(self._directory, file.path)
                self._report.removed += 1
                gone.append(file.path)
            else:
                self._report.stale += 1
                first = [*first, file.path][:5]
        for path in gone:
            self._book.forget(path)
        self._report.first_stale = tuple(first)


def _write_lines(path: Path, lines: Iterator[str]) -> tuple[int, str]:
    with replacing(path) as file:
        file.writelines(f"{line}\n".encode() for line in lines)
    found = file_digest(path)
    assert found is not None
    return found


def _remove(directory: Path, path: str) -> None:
    """Remove a file, and the folders that are empty without it."""
    try:
        (directory / path).unlink()
        for folder in (directory / path).parents:
            if folder == directory or any(folder.iterdir()):
                return
            folder.rmdir()
    except OSError as error:
        raise StorageError(f"cannot remove {directory / path}: {error.strerror}") from error


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=4096):
        yield from batch.to_pylist()
