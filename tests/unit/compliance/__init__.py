"""Tests of the compliance log."""
