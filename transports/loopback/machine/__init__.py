"""The session of one account. Pure: bytes and the time go in, bytes and events come out."""
