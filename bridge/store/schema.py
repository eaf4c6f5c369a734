"""The tables of the embedded store. Leaves are the truth; every other table of the log is bound to them or sealed.

Tables of identity are declared on the same ``metadata`` by ``bridge.store.schema_identity``. A change of a table comes
with a migration under ``bridge/store/migrations/versions``.

Leaves, and what is sealed of them, stand in segments (``bridge.store.segments``). Times of queues and bindings are
floating-point seconds.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

APPLICATION_ID = 0x53424C47
"""SQLite's ``application_id`` of our files ("SBLG"): another program's database is not mistaken for ours."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

leaf = Table(
    "leaf",
    metadata,
    # The seq of the first leaf in it.
    Column("first", Integer, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
    # Of a leaf that was disposed of the hash alone stays, and a `dispose` leaf names it.
    Column("contents", LargeBinary, nullable=False),
)

# Apart from the leaves, so that a look-up of a message reads nothing else.
mention = Table(
    "mention",
    metadata,
    Column("first", Integer, primary_key=True, autoincrement=False),
    Column("names", LargeBinary, nullable=False),
)

body = Table(
    "body",
    metadata,
    Column("first", Integer, primary_key=True, autoincrement=False),
    Column("ciphertexts", LargeBinary, nullable=False),
)

# Apart from the bodies, so that its backups can be short-lived: without its key a body is beyond recovery.
data_key = Table(
    "data_key",
    metadata,
    Column("first", Integer, primary_key=True, autoincrement=False),
    Column("keys", LargeBinary, nullable=False),
)

kek = Table(
    "kek",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("retention_class", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("master_id", Text, nullable=False),
    # NULL once destroyed; `destroyed_by` is then the seq of the leaf that says so.
    Column("wrapped", LargeBinary),
    Column("destroyed_by", Integer),
    UniqueConstraint("purpose", "retention_class", "period"),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
)

log_state = Table(
    "log_state",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="single"), primary_key=True, autoincrement=False),
    Column("log_id", Text, nullable=False),
    Column("size", Integer, nullable=False),
    # The roots of the perfect subtrees of the tree, largest first, 32 bytes each.
    Column("frontier", LargeBinary, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    # The leaf that holds what is delivered: the order of the queue, and new rows stand together at its end.
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("event", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("network", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("expires_at", Float, nullable=False),
    # 1 while policy holds it for a reviewer: it is not delivered before it is released.
    Column("held", Integer, nullable=False),
    # A keyed digest of the row: a changed recipient must never be delivered to.
    Column("mac", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

registration = Table(
    "registration",
    metadata,
    Column("aor", Text, primary_key=True),
    Column("contact", Text, primary_key=True),
    Column("expires_at", Float, nullable=False),
    Column("state", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

subscription = Table(
    "subscription",
    metadata,
    Column("id", Text, primary_key=True),
    Column("expires_at", Float, nullable=False),
    Column("state", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

publication = Table(
    "publication",
    metadata,
    Column("id", Text, primary_key=True),
    Column("expires_at", Float, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

presence_request = Table(
    "presence_request",
    metadata,
    Column("target", Text, primary_key=True),
    # A person, or network/name: how whoever asks is known.
    Column("watcher", Text, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("words", Text, nullable=False),
    Column("account", Text, nullable=False),
    # 0 while the watcher's network has not taken the answer.
    Column("told", Integer, nullable=False),
    sqlite_with_rowid=False,
)

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

LOG_TABLES = (leaf, mention, body, data_key, kek, checkpoint, log_state, outbox)
"""What ``verify`` answers for, byte for byte."""
