"""Golden SIP transcripts: what real clients and a real server said."""
