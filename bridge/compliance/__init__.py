"""What happened: records, the Merkle log that holds them, its checkpoints, sealing, verification and export.

Pure logic and cryptography: no database driver and no reactor. ``bridge.store`` keeps what is made here.
"""
