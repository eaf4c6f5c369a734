"""Runs the publisher of a log in a thread of its own, and keeps its checkpoints in the store."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from bridge.compliance.checkpoint import Checkpoint, NoteSigner
from bridge.compliance.errors import ComplianceError
from bridge.compliance.files import LogFiles
from bridge.compliance.publisher import Publisher
from bridge.compliance.rows import CheckpointRow
from bridge.store.database import connect
from bridge.store.errors import StoreError
from bridge.store.reader import SqliteLogReader

INTERVAL = 1.0
"""Seconds between two checkpoints of a log that grows."""
_log = structlog.get_logger(__name__)


class CheckpointTable:
    """Keeps checkpoints in the database, over a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, row: CheckpointRow) -> None:
        """Makes a checkpoint durable.

        Raises:
            StoreError: it cannot be, or another one of the same size is there.
        """
        connection = connect(self._path)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO checkpoint (size, note) VALUES (?, ?) ON CONFLICT DO NOTHING", row)
            kept = connection.execute("SELECT note FROM checkpoint WHERE size = ?", (row.size,)).fetchone()
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"the checkpoint of {row.size} leaves cannot be kept: {error}") from error
        finally:
            connection.close()
        if kept[0] != row.note:
            raise StoreError(f"there is another checkpoint of {row.size} leaves")


def publisher_of(path: Path, folder: Path, signer: NoteSigner) -> Publisher:
    """Returns the publisher of the log in a database.

    Args:
        path: the database.
        folder: where tiles and checkpoint go (``data_dir/log``).
        signer: signs; its name is the log's id.
    """
    return Publisher(LogFiles(folder), signer, lambda: SqliteLogReader(path), CheckpointTable(path).save)


class PublisherThread:
    """Publishes every second, if there is something new.

    Args:
        publisher: publishes.
        on_published: is told of each new checkpoint, in this thread.
        on_failure: is told of each failure, in this thread; the log of the service has it as well.
        interval: seconds between two looks.
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        on_published: Callable[[Checkpoint], None] | None = None,
        on_failure: Callable[[Exception], None] | None = None,
        interval: float = INTERVAL,
    ) -> None:
        self._publisher = publisher
        self._on_published = on_published
        self._on_failure = on_failure
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Publishes what is left, and ends the thread. Blocks until it is done."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            stopping = self._stop.wait(self._interval)
            try:
                checkpoint = self._publisher.publish()
            except (ComplianceError, StoreError, OSError) as error:
                _log.error("publishing-failed", error=f"{type(error).__name__}: {error}")
                if self._on_failure is not None:
                    self._on_failure(error)
            else:
                if checkpoint is not None and self._on_published is not None:
                    self._on_published(checkpoint)
            if stopping:
                return
