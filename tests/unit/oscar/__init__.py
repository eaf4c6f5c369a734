"""OSCAR's codec, machine and connector."""
