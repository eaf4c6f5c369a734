"""The errors of the compliance log. Each names what was wrong and where."""


class ComplianceError(Exception):
    """Any failure of the compliance log."""


class UnrecordableError(ComplianceError):
    """A draft cannot be written down: the field that cannot, and why. Nothing of it was kept."""


class CodecError(ComplianceError):
    """Stored content is not what it should be: the field, and what was found."""


class KeyFileError(ComplianceError):
    """A key file is missing, unsafe or malformed."""


class KeyDamagedError(KeyFileError):
    """A key file is there, and what it holds is no key."""


class SealError(ComplianceError):
    """Sealed content does not open: a wrong key, or not a byte of it may be trusted."""


class KeyDestroyedError(SealError):
    """The key was destroyed on purpose; the content is gone and a leaf says so."""


class NoteError(ComplianceError):
    """A signed note, a checkpoint or a proof is malformed or its signature does not hold."""


class ProofError(ComplianceError):
    """A Merkle proof does not lead to the root that it should."""
