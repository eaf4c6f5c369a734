"""The session of an application service with its homeserver, without I/O."""
