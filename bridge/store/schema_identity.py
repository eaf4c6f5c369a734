"""The tables of identity, on the one ``metadata`` of ``bridge.store.schema``.

``identity_fact`` is bitemporal and only ever gets rows, and an end to their belief: see ``bridge.identity.bindings``.
Times are floating-point seconds since the epoch; versions count the changes of the identity map.
"""

from sqlalchemy import Boolean, CheckConstraint, Column, Float, ForeignKey, Index, Integer, LargeBinary, Table, Text

from bridge.store.schema import metadata

identity_head = Table(
    "identity_head",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="single"), primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("stamped_at", Float, nullable=False),
)

identity_version = Table(
    "identity_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    # Never goes back, whatever the clock does; `clock_at` is what the clock said.
    Column("stamped_at", Float, nullable=False),
    Column("clock_at", Float, nullable=False),
    Column("actor", Text, nullable=False),
)

identity_account = Table(
    "identity_account",
    metadata,
    Column("address", Text, primary_key=True),
    Column("realm", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    sqlite_with_rowid=False,
)

identity_ha1 = Table(
    "identity_ha1",
    metadata,
    Column("address", Text, ForeignKey("identity_account.address", ondelete="CASCADE"), primary_key=True),
    Column("form", Text, primary_key=True),
    Column("algorithm", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    sqlite_with_rowid=False,
)

identity_fact = Table(
    "identity_fact",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("network", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("shown", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("valid_from", Float, nullable=False),
    Column("valid_to", Float),
    Column("recorded_from", Integer, nullable=False),
    Column("recorded_to", Integer),
    CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="valid_span"),
    CheckConstraint("recorded_to IS NULL OR recorded_to > recorded_from", name="recorded_span"),
)
_open = identity_fact.c.valid_to.is_(None) & identity_fact.c.recorded_to.is_(None)
# The database itself holds to it: one name, one person.
Index(
    "uq_identity_fact_open",
    identity_fact.c.network,
    identity_fact.c.name,
    unique=True,
    sqlite_where=_open,
    postgresql_where=_open,
)
Index("ix_identity_fact_name", identity_fact.c.name, identity_fact.c.network)
Index("ix_identity_fact_person", identity_fact.c.person)

identity_primary = Table(
    "identity_primary",
    metadata,
    Column("person", Text, primary_key=True),
    Column("network", Text, primary_key=True),
    Column("name", Text, nullable=False),
    sqlite_with_rowid=False,
)

identity_group = Table(
    "identity_group",
    metadata,
    Column("person", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    sqlite_with_rowid=False,
)

identity_credential = Table(
    "identity_credential",
    metadata,
    Column("network", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    # The version of the map at which it was set, so that a daemon sees that it must sign on anew.
    Column("version", Integer, nullable=False),
    sqlite_with_rowid=False,
)

IDENTITY_TABLES = (
    identity_head,
    identity_version,
    identity_account,
    identity_ha1,
    identity_fact,
    identity_primary,
    identity_group,
    identity_credential,
)
