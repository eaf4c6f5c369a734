"""The parts of the transport conformance suite: what a network gives (`rig`), our side (`stage`), a proxy that fails.

The tests are in tests/conformance. A new network writes a `Rig`, a line in tests/conformance/rigs.py, and passes.
"""
