"""OSCAR on the wire: a pure, symmetrical codec.

Bytes become values and values become bytes; nothing here knows a socket, a clock or a session. Both ends can be
built on it, for every SNAC value has ``encode()`` and ``decode()`` whichever side sends it:

* `flap`: `FlapFramer` cuts a byte stream into `FlapFrame`; `FlapSequence` numbers what goes out;
  `SignonFrame` is the payload of channel 1.
* `snac`: `SnacFrame.decode(payload)` opens a channel 2 payload; `encode_snac(body, request_id)` closes one.
* `registry`: `decode_body(frame)` gives the value of a SNAC's body, or `UnknownBody`.
* `oservice`, `locate`, `buddy`, `icbm`, `privacy`, `stats`, `feedbag`, `icq`, `bucp`: the values, a module for each
  food group; `UserInfo`, `Tlvs`, `RateClass` and the rest are their parts.
* `native`: what the transport and the mapping exchange.

Every decoder is bounded by its input, and raises `OscarSyntaxError` alone.
"""
