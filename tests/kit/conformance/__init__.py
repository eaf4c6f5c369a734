"""The transport conformance suite's parts: what a network must give (`rig`), our side of it (`stage`), a proxy that fails.

The tests are in tests/conformance. A new network writes a `Rig`, a line in tests/conformance/rigs.py, and passes.
"""
