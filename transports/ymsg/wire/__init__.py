"""YMSG on the wire: a pure, symmetrical codec.

Bytes become values and values become bytes; nothing here knows a socket, a clock or a session:

* `packet`: `Framer` cuts a byte stream into `Packet`, a service with a status and pairs of key and value; `encode`
  closes one.
* `codes`: services, statuses and refusals by number.
* `challenge`, `md5crypt`, `token`: what a sign-on is proved with.
* `charset`: the two encodings of text.
* `messages`, `people`, `contacts`, `conference`, `files`: the values in the packets of a session that is up.
* `native`: what the transport and the mapping exchange.

Every decoder is bounded by its input, and raises `YmsgSyntaxError` alone.
"""
