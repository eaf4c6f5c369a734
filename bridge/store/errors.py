"""The errors of the store."""


class StoreError(Exception):
    """The store cannot be opened, read or written."""


class StoreConfigError(StoreError):
    """The store's URL, or the file that it names, is not one that this program can use."""


class SchemaNewerError(StoreError):
    """The database was written by a newer version of this program."""
