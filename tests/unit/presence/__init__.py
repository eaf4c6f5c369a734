"""Tests of bridge.presence."""
