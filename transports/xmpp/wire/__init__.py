"""Stanzas to native values and back; pure."""
