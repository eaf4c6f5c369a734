"""Verification of the published files: each tile, bundle and checkpoint against the leaves, byte for byte."""

from collections.abc import Callable, Sequence

from bridge.compliance.checkpoint import VerifierKey, open_checkpoint
from bridge.compliance.errors import NoteError
from bridge.compliance.files import CHECKPOINT, VERIFIER_KEY, LogFiles, LogFilesError
from bridge.compliance.merkle import Frontier
from bridge.compliance.rows import LeafRow, LogReader, StoreDamagedError
from bridge.compliance.tiles import ENTRIES, TILE_WIDTH, Tile, encode_bundle, fold, tiles_of

Find = Callable[[str, str], None]


class FileChecks:
    """Checks the files while the leaves pass by: at no time are more than 256 leaves held.

    Args:
        files: the folder.
        find: takes what was found: the file's name, and what is wrong.
    """

    def __init__(self, files: LogFiles, find: Find) -> None:
        self._files = files
        self._find = find
        self._hashes: dict[int, list[bytes]] = {0: []}
        self._done: dict[int, int] = {0: 0}
        self._entries: list[bytes | None] = []
        self._present: dict[tuple[int, int], list[Tile]] = {}
        self.count = 0
        self._note = self._read_note()  # before anything else: tiles of a newer checkpoint may not be in the list
        for name in files.names():
            self.count += 1
            if name in {CHECKPOINT, VERIFIER_KEY}:
                continue
            try:
                tile = Tile.parse(name)
            except NoteError as error:
                find(name, str(error))
                continue
            self._present.setdefault((tile.level, tile.index), []).append(tile)

    def leaf(self, row: LeafRow) -> None:
        """Takes the next leaf."""
        self._entries.append(row.content)
        self._add(0, row.hash)

    def _add(self, level: int, digest: bytes) -> None:
        row = self._hashes.setdefault(level, [])
        row.append(digest)
        if len(row) == TILE_WIDTH:
            upper = fold(row)
            self._compare(level)
            self._add(level + 1, upper)

    def _compare(self, level: int) -> None:
        """Holds the files of the current tile of a level against what they should be, and goes on to the next."""
        index = self._done.get(level, 0)
        hashes = self._hashes[level]
        for tile in self._present.pop((level, index), []):
            self._bytes(tile, len(hashes), b"".join(hashes[: tile.width]))
        if level == 0:
            for tile in self._present.pop((ENTRIES, index), []):
                self._bundle(tile)
            self._entries.clear()
        self._done[level] = index + 1
        hashes.clear()

    def _read(self, tile: Tile) -> bytes | None:
        try:
            return self._files.read(tile.path())
        except LogFilesError as error:
            self._find(tile.path(), str(error))
            return None

    def _bytes(self, tile: Tile, have: int, wanted: bytes) -> None:
        data = self._read(tile)
        if tile.width > have:
            self._find(tile.path(), f"is {tile.width} wide, and the log has {have} there: its tail was cut off")
        elif data is not None and data != wanted:
            self._find(tile.path(), f"{_first_difference(data, wanted)} is not what the log's leaves give")

    def _bundle(self, tile: Tile) -> None:
        data = self._read(tile)
        if tile.width > len(self._entries):
            self._find(tile.path(), "holds more entries than the log has there: its tail was cut off")
            return
        entries = self._entries[: tile.width]
        wanted = encode_bundle([entry or b"" for entry in entries])
        if data is not None and data != wanted:
            self._find(tile.path(), f"{_first_difference(data, wanted)} is not what the log's leaves are")

    def finish(self, tree: Frontier) -> None:
        """Checks the partial tiles at the right edge; what is left over belongs to no leaf."""
        for level in sorted(self._hashes):
            if self._hashes[level]:
                self._compare(level)
        for tiles in self._present.values():
            for tile in tiles:
                self._find(tile.path(), f"belongs to no leaf: the log has {tree.size}")
        self._present.clear()

    def checkpoint(self, keys: Sequence[VerifierKey], reader: LogReader, tree: Frontier) -> None:
        """Checks the checkpoint file: ours, the newest but one at the oldest, and every tile that it needs is there."""
        try:
            notes = [row.note for row in reader.checkpoints()]
        except StoreDamagedError:
            return  # found before
        note = self._note
        self._key(keys)
        if note is None:
            if len(notes) > 1:  # killed between the very first row and its file, there is one row
                self._find(CHECKPOINT, "is missing, and there are checkpoints in the store")
            return
        try:
            checkpoint = open_checkpoint(note, keys)
        except NoteError as error:
            self._find(CHECKPOINT, str(error))
            return
        if note not in notes[-2:]:  # the file is written after the row: killed in between, it is one behind
            self._find(CHECKPOINT, f"of {checkpoint.size} leaves: is not one of the two newest in the store")
        if checkpoint.size > tree.size:
            self._find(CHECKPOINT, f"of {checkpoint.size} leaves, and the log has {tree.size}: its tail was cut off")
            return
        names = set(self._files.names())
        for tile in tiles_of(checkpoint.size):
            if tile.path() not in names and Tile(tile.level, tile.index).path() not in names:
                self._find(tile.path(), "is missing")

    def _read_note(self) -> str | None:
        try:
            return self._files.read_checkpoint()
        except LogFilesError as error:
            self._find(CHECKPOINT, str(error))
            return None

    def _key(self, keys: Sequence[VerifierKey]) -> None:
        try:
            data = self._files.read(VERIFIER_KEY)
        except LogFilesError as error:
            self._find(VERIFIER_KEY, str(error))
            return
        if data is not None and data not in {f"{key}\n".encode() for key in keys}:
            self._find(VERIFIER_KEY, "is not a key that the log is verified with")


def _first_difference(data: bytes, wanted: bytes) -> str:
    for at, (one, other) in enumerate(zip(data, wanted, strict=False)):
        if one != other:
            return f"byte {at}"
    return f"its length of {len(data)} bytes"
