"""One account's session with an OSCAR network, without I/O.

`session.OscarSession` takes bytes and the time, and gives bytes, actions (connect, disconnect) and events
(`wire.native`). Time is a float of seconds from any start; randomness is injected.
"""
