"""Migrations of the embedded store, run by the program itself when it opens a database."""
