"""IRC: codec, session, connector."""
