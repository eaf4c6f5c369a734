"""MSNP on the wire: a pure codec for both ends.

* `command`: `CommandReader` cuts a byte stream into `Command`; `Command.encode()` is the way back.
* `text`: percent-encoding of arguments; `codes`: statuses, list bits, errors by number.
* `challenge`: the answer to CHL; `passport` and `sso`: the two ways to sign on.
* `soap`, `addressbook` and `offline`: the web services.
* `lists`: SYN, LST, ADD, ADC, REM, ADL; `presence`: ILN, NLN, FLN, UBX, UUX; `board`: XFR, RNG, IRO, JOI, BYE.
* `mime`, `im`, `chunks`: what MSG carries. `native`: what the transport and the mapping exchange.

Every decoder is bounded by its input, and raises `MsnpSyntaxError` alone.
"""
