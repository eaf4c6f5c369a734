"""May they: the policy language, its compiled snapshot, decisions, lexicons, lint, explanation and difference.

``load_policy`` reads a file into a ``Snapshot``; ``Snapshot.decide`` judges a ``Subject``. Pure: no reactor, no socket.
"""

from bridge.policy.differences import Difference, difference
from bridge.policy.errors import PolicyError, Problem
from bridge.policy.explanation import Explanation, explain
from bridge.policy.linting import Finding, lint
from bridge.policy.loader import Surroundings
from bridge.policy.loading import ExampleResult, load_policy, load_text, run_examples, subject_between
from bridge.policy.snapshot import Snapshot
from bridge.policy.values import DEFAULT_DENY, Decision, GroupSource, Hit, Party, Subject, direction_between

__all__ = [
    "DEFAULT_DENY",
    "Decision",
    "Difference",
    "ExampleResult",
    "Explanation",
    "Finding",
    "GroupSource",
    "Hit",
    "Party",
    "PolicyError",
    "Problem",
    "Snapshot",
    "Subject",
    "Surroundings",
    "difference",
    "direction_between",
    "explain",
    "lint",
    "load_policy",
    "load_text",
    "run_examples",
    "subject_between",
]
