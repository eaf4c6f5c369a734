"""Tests of transports.matrix."""
