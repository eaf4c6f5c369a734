"""Native values that every network tells in the same form."""
