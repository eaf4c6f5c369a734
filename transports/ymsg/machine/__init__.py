"""One account's session with a YMSG network, without I/O.

`session.YmsgSession` takes bytes and the time, and gives bytes, actions (connect, disconnect) and events
(`wire.native`). Time is a float of seconds from any start; randomness is injected.
"""
