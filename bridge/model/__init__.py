"""What flows through the bridge: one canonical model that every network is translated to and from.

Values only: frozen, keyword-only, tuples for sequences. Nothing here knows a protocol, a clock or a socket.
"""
