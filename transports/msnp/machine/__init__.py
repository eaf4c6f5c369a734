"""One account's session with an MSN network, without I/O.

`session.MsnpSession` takes bytes, answers of web servers and the time, and gives bytes, actions (connect, disconnect,
fetch) and events (`wire.native`). Time is a float of seconds from any start; randomness is injected.
"""
