"""Matrix, as an application service of a homeserver (docs/protocols/matrix.md)."""
