"""Publishes the log: tiles, entry bundles and signed checkpoints, off the way of the messages.

A checkpoint is signed only over a tree that is recomputed from the rows and continues the last one that was published:
after a restored backup or a changed row the publisher refuses, loudly, instead of signing another history.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from bridge.compliance.checkpoint import Checkpoint, NoteSigner, open_checkpoint
from bridge.compliance.errors import ComplianceError, NoteError, ProofError
from bridge.compliance.files import CHECKPOINT, VERIFIER_KEY, LogFiles, TileReader
from bridge.compliance.merkle import HASH_BYTES, Frontier
from bridge.compliance.rows import CheckpointRow, LogReader, Run
from bridge.compliance.tiles import ENTRIES, TILE_HEIGHT, TILE_WIDTH, Tile, decode_tile, fold, tiles_of

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
        fulls: dict[tuple[int, int], bytes] = {}
        for start, packed, bundle in _by_tile(reader, since // TILE_WIDTH * TILE_WIDTH, size):
            index = start // TILE_WIDTH
            width = len(packed) // HASH_BYTES
            hashes = decode_tile(packed, width)
            if width == TILE_WIDTH:
                fulls[1, index] = fold(hashes)
            if width == TILE_WIDTH and tree.size == start:
                tree.append_subtree(TILE_HEIGHT, fulls[1, index])
            else:
                tree.extend(hashes[max(0, since - start) :])
            # A leaf that was disposed of has an empty entry; its hash stays in the tile.
            self._write(Tile(ENTRIES, index, width), bundle)
            self._write(Tile(0, index, width), packed)
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


def _by_tile(reader: LogReader, first: int, size: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Yields the leaves from ``first``, where a tile begins, up to ``size``, tile by tile: where each begins, its
    hashes and its entry bundle.

    Raises:
        HistoryError: a leaf is missing.
    """
    parts: list[Run] = []
    start = at = first
    for run in reader.runs(first, size):
        if run.first != at:
            raise HistoryError(f"a leaf between {at} and {run.first} is missing")
        taken, count = 0, len(run.ends)
        while taken < count:
            stop = min(count, taken + start + TILE_WIDTH - at)
            parts.append(run.part(taken, stop))
            at += stop - taken
            taken = stop
            if at == start + TILE_WIDTH:
                yield start, *_joined(parts)
                start, parts = at, []
    if at != size:
        raise HistoryError(f"a leaf between {at} and {size} is missing")
    if parts:
        yield start, *_joined(parts)


def _joined(parts: Sequence[Run]) -> tuple[bytes, bytes]:
    return b"".join([part.hashes for part in parts]), b"".join([part.bundle for part in parts])


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
