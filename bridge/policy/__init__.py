"""May they: the policy language, its compiled snapshot, decisions, lexicons, lint, explanation and difference.

``loading.load_policy`` reads a file into a ``snapshot.Snapshot``, whose ``decide`` judges a ``values.Subject``. Pure:
no reactor, no socket. Import from the modules: whoever wants an error's class alone does not load all of it.
"""
