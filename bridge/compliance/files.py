"""The log's files: tiles, entry bundles and the checkpoint below one folder, as any tlog-tiles client reads them."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from bridge.compliance.errors import ComplianceError, NoteError, ProofError
from bridge.compliance.merkle import Frontier
from bridge.compliance.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, decode_tile, fold

CHECKPOINT = "checkpoint"
VERIFIER_KEY = "log.vkey"
SCRATCH = ".tmp"
"""Where files are written before they get their name; nothing in it is part of the log."""
MAX_CHECKPOINT_BYTES = 1 << 16
_TILES_CACHED = 256


class LogFilesError(ComplianceError):
    """A file of the log cannot be read or written."""


class LogFiles:
    """The folder of one log.

    Args:
        folder: where; created by the first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._staged: dict[Path, Path] = {}

    def read(self, name: str) -> bytes | None:
        """Returns a file's content, None where there is none. Raises LogFilesError."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LogFilesError(f"{self.folder / name}: {error.strerror}") from error

    def read_checkpoint(self) -> str | None:
        """Returns the note in the checkpoint file, unverified. Raises LogFilesError."""
        data = self.read(CHECKPOINT)
        if data is None:
            return None
        if len(data) > MAX_CHECKPOINT_BYTES:
            raise LogFilesError(f"{self.folder / CHECKPOINT}: too large")
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise LogFilesError(f"{self.folder / CHECKPOINT}: not UTF-8") from error

    def write(self, name: str, data: bytes) -> None:
        """Writes a file durably and in one step: a reader sees the old content or the new. Raises LogFilesError."""
        self.stage(name, data)
        self.settle()

    def stage(self, name: str, data: bytes) -> None:
        """Prepares a file, which ``settle`` writes. Raises LogFilesError."""
        target = self.folder / name
        scratch = self.folder / SCRATCH / secrets.token_hex(8)
        try:
            try:
                scratch.write_bytes(data)
            except FileNotFoundError:
                scratch.parent.mkdir(parents=True, exist_ok=True)
                scratch.write_bytes(data)
        except OSError as error:
            raise LogFilesError(f"{target}: {error.strerror}") from error
        self._staged[target] = scratch

    def settle(self) -> None:
        """Writes all that was staged, durably. No file gets its name before its content is. Raises LogFilesError.

        The flush of the first file takes most of the others along, and a folder is flushed once for all its files.
        """
        staged, self._staged = self._staged, {}
        try:
            for scratch in staged.values():
                _flush(scratch)
            for target, scratch in staged.items():
                _rename(scratch, target)
            for folder in {target.parent for target in staged}:
                _flush(folder)
        except OSError as error:
            raise LogFilesError(f"{self.folder}: {error.strerror}") from error

    def clean(self) -> None:
        """Removes what a process that was killed left half written. Raises LogFilesError."""
        try:
            for path in (self.folder / SCRATCH).glob("*"):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise LogFilesError(f"{self.folder / SCRATCH}: {error.strerror}") from error

    def drop_partials(self, tile: Tile) -> None:
        """Removes the partial forms of a tile that is full now. Raises LogFilesError."""
        folder = self.folder / f"{Tile(tile.level, tile.index).path()}.p"
        try:
            for name in os.listdir(folder):
                (folder / name).unlink(missing_ok=True)
            folder.rmdir()
        except FileNotFoundError:
            return  # it never had any
        except OSError as error:
            raise LogFilesError(f"{folder}: {error.strerror}") from error

    def names(self) -> Iterator[str]:
        """Yields the names of all files, relative to the folder, but for those half written."""
        for root, folders, files in os.walk(self.folder):
            if Path(root) == self.folder and SCRATCH in folders:
                folders.remove(SCRATCH)
            folders.sort()
            for file in sorted(files):
                yield str((Path(root) / file).relative_to(self.folder))


def _rename(scratch: Path, target: Path) -> None:
    try:
        scratch.replace(target)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch.replace(target)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class TileReader:
    """Hashes of the tree of ``size`` leaves out of tile files (a ``merkle.Subtree``).

    Nothing it returns is trusted: a wrong tile gives a wrong root.
    """

    def __init__(self, files: LogFiles, size: int) -> None:
        self._files = files
        self._size = size
        self._cache: dict[tuple[int, int], list[bytes]] = {}

    def tile(self, level: int, index: int) -> list[bytes]:
        """Returns the hashes in a tile. Raises ProofError where it is missing or cut short."""
        known = self._cache.get((level, index))
        if known is not None:
            return known
        width = min(TILE_WIDTH, (self._size >> TILE_HEIGHT * level) - index * TILE_WIDTH)
        if width <= 0:
            raise ProofError(f"a tree of {self._size} leaves has no tile {level}/{index}")
        for found in (Tile(level, index, width), Tile(level, index)):
            data = self._files.read(found.path())
            if data is not None:
                break
        else:
            raise ProofError(f"{Tile(level, index, width).path()} is missing")
        try:
            hashes = decode_tile(data, found.width)[:width]
        except NoteError as error:
            raise ProofError(f"{found.path()}: {error}") from error
        if len(self._cache) >= _TILES_CACHED:
            self._cache.clear()
        self._cache[level, index] = hashes
        return hashes

    def __call__(self, level: int, index: int) -> bytes:
        """Returns the hash of a perfect subtree. Raises ProofError."""
        tile_level, height = divmod(level, TILE_HEIGHT)
        tile_index, at = divmod(index << height, TILE_WIDTH)
        hashes = self.tile(tile_level, tile_index)[at : at + (1 << height)]
        if len(hashes) != 1 << height:
            raise ProofError(f"no perfect subtree at level {level}, index {index}")
        return fold(hashes)

    def frontier(self) -> Frontier:
        """Returns the tree, ready to be appended to. Raises ProofError."""
        roots: list[bytes] = []
        at = 0
        for level in range(self._size.bit_length() - 1, -1, -1):
            if self._size >> level & 1:
                roots.append(self(level, at >> level))
                at += 1 << level
        return Frontier(self._size, roots)
