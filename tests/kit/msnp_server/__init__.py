"""An MSN network as a process of its own: notification server, switchboard and Passport login (MSNP8 to 12).

Made from the protocol's documents, and held against transcripts of escargot (tests/wire/msnp). It shares with the
bridge the codec alone.
"""
