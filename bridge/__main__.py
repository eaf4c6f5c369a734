"""``python -m bridge`` is ``simplebridge``."""

from bridge.app.main import main

main()
