"""Publishes the log: tiles, entry bundles and signed checkpoints, off the way of the messages.

A checkpoint is signed only over a tree that is recomputed from the rows and continues the last one that was published:
after a restored backup or a changed row the publisher refuses, loudly, instead of signing another history.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import islice
from typing import Protocol

from bridge.compliance.checkpoint import Checkpoint, NoteSigner, open_checkpoint
from bridge.compliance.errors import ComplianceError, NoteError, ProofError
from bridge.compliance.files import CHECKPOINT, VERIFIER_KEY, LogFiles, TileReader
from bridge.compliance.merkle import Frontier
from bridge.compliance.rows import CheckpointRow, LogReader
from bridge.compliance.tiles import ENTRIES, TILE_HEIGHT, TILE_WIDTH, Tile, encode_bundle, fold, tiles_of

MAX_STAGED = 512
"""Files that are written between two flushes."""


class HistoryError(ComplianceError):
    """The log is not a continuation of what was published: a truncation, a restored backup, or a changed record."""


class PublishedReader(LogReader, Protocol):
    """A reader that also finds the newest checkpoint."""

    def last_checkpoint(self) -> CheckpointRow | None:
        """Returns the newest signed checkpoint."""


class Publisher:
    """Publishes one log.

    Args:
        files: where to.
        signer: signs checkpoints; its name is the log's id.
        open_reader: opens a consistent view of the log.
        save: keeps a signed checkpoint durably in the store; the same one again is let pass.
    """

    def __init__(
        self,
        files: LogFiles,
        signer: NoteSigner,
        open_reader: Callable[[], AbstractContextManager[PublishedReader]],
        save: Callable[[CheckpointRow], None],
    ) -> None:
        self._files = files
        self._signer = signer
        self._open_reader = open_reader
        self._save = save
        self._tree: Frontier | None = None
        self._staged: list[Tile] = []

    def publish(self) -> Checkpoint | None:
        """Publishes what was committed since the last time; returns the new checkpoint, None if nothing was.

        Raises:
            HistoryError: the log does not continue what was published. Nothing was signed.
            LogFilesError: a file cannot be written.
            StoreDamagedError: the log cannot be read.
        """
        with self._open_reader() as reader:
            tree = self._tree or self._resume(reader)
            self._tree = tree
            state = reader.state()
            if state.size == tree.size:
                return None
            if state.size < tree.size:
                raise HistoryError(f"{tree.size} leaves were published, and the log has {state.size}: it was truncated")
            grown = tree.copy()
            self._write_tiles(reader, grown, state.size)
        self._settle()
        if grown.to_bytes() != state.frontier:
            raise HistoryError(f"the rows of the log do not make up its tree of {state.size} leaves")
        checkpoint = Checkpoint(self._signer.verifier.name, grown.size, grown.root())
        note = self._signer.sign(checkpoint.text())
        self._save(CheckpointRow(grown.size, note))
        self._files.write(CHECKPOINT, note.encode())
        self._tree = grown
        return checkpoint

    def _resume(self, reader: PublishedReader) -> Frontier:
        """Returns the tree that was published last, held against the log as it is now."""
        self._files.clean()
        key = f"{self._signer.verifier}\n".encode()
        if self._files.read(VERIFIER_KEY) != key:
            self._files.write(VERIFIER_KEY, key)
        published = self._last_published(reader)
        if published is None:
            return Frontier()
        last, note = published
        size = reader.state().size
        if size < last.size:
            raise HistoryError(f"a checkpoint of {last.size} leaves was signed, and the log has {size}: truncated")
        tree = self._tree_of_tiles(last.size)
        if tree.root() != last.root:  # tiles are missing or damaged: made again from the rows, held against the root
            tree = Frontier()
            self._write_tiles(reader, tree, last.size)
            self._settle()
        if tree.root() != last.root:
            raise HistoryError(f"the first {last.size} leaves are not those that were signed")
        if self._files.read_checkpoint() != note:  # killed before it was written: never more than one behind
            self._files.write(CHECKPOINT, note.encode())
        return tree

    def _tree_of_tiles(self, size: int) -> Frontier:
        """Returns the tree that the tile files give, an empty one where a file is missing or cut short."""
        names = set(self._files.names())
        for tile in tiles_of(size):
            if tile.path() not in names and Tile(tile.level, tile.index).path() not in names:
                return Frontier()
        try:
            return TileReader(self._files, size).frontier()
        except ProofError:
            return Frontier()

    def _last_published(self, reader: PublishedReader) -> tuple[Checkpoint, str] | None:
        """Returns the larger of the checkpoint in the file and the one in the store: the file may be one behind."""
        keys = [self._signer.verifier]
        row = reader.last_checkpoint()
        notes = [self._files.read_checkpoint(), None if row is None else row.note]
        try:
            found = [(open_checkpoint(note, keys), note) for note in notes if note is not None]
        except NoteError as error:
            raise HistoryError(f"a checkpoint that was published is not ours: {error}") from error
        return max(found, key=lambda pair: pair[0].size, default=None)

    def _write_tiles(self, reader: LogReader, tree: Frontier, size: int) -> None:
        """Extends ``tree`` by the rows up to ``size`` leaves, and writes the tiles that this makes or widens."""
        since = tree.size
        first = since // TILE_WIDTH * TILE_WIDTH
        rows = reader.entries(first, size)
        fulls: dict[tuple[int, int], bytes] = {}
        for start in range(first, size, TILE_WIDTH):
            index = start // TILE_WIDTH
            end = min(start + TILE_WIDTH, size)
            piece = list(islice(rows, end - start))
            if [row[0] for row in piece] != list(range(start, end)):
                raise HistoryError(f"a leaf between {start} and {start + TILE_WIDTH - 1} is missing")
            hashes = [row[1] for row in piece]
            full = end - start == TILE_WIDTH
            if full:
                fulls[1, index] = fold(hashes)
            if full and tree.size == start:
                tree.append_subtree(TILE_HEIGHT, fulls[1, index])
            else:
                tree.extend(hashes[max(0, since - start) :])
            # A leaf that was disposed of has an empty entry; its hash stays in the tile.
            self._write(Tile(ENTRIES, index, end - start), encode_bundle([row[2] or b"" for row in piece]))
            self._write(Tile(0, index, end - start), b"".join(hashes))
        self._write_upper(fulls, size, since)

    def _write_upper(self, fulls: dict[tuple[int, int], bytes], size: int, since: int) -> None:
        """Writes the tiles above the leaves; ``fulls`` has the roots of the tiles below that have become full."""
        old = TileReader(self._files, since)
        for tile in tiles_of(size, since):
            if tile.level < 1:
                continue
            hashes = [
                fulls[tile.level, at] if (tile.level, at) in fulls else old(8 * tile.level, at)
                for at in range(tile.first(), tile.first() + tile.width)
            ]
            self._write(tile, b"".join(hashes))
            if tile.width == TILE_WIDTH:
                fulls[tile.level + 1, tile.index] = fold(hashes)

    def _write(self, tile: Tile, data: bytes) -> None:
        if len(self._staged) >= MAX_STAGED:
            self._settle()
        self._files.stage(tile.path(), data)
        self._staged.append(tile)

    def _settle(self) -> None:
        """Makes the tiles durable, before anything is signed over them. Only then may those that they replace go."""
        self._files.settle()
        staged, self._staged = self._staged, []
        for tile in staged:
            if tile.width == TILE_WIDTH:
                self._files.drop_partials(tile)


def open_published(files: LogFiles) -> str:
    """Returns the published checkpoint note, unverified.

    Raises:
        NoteError: nothing was published yet.
        LogFilesError: the file cannot be read.
    """
    note = files.read_checkpoint()
    if note is None:
        raise NoteError(f"{files.folder / CHECKPOINT}: nothing was published yet")
    return note
