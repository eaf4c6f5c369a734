"""The example that is shipped loads, passes its own tests, and lints clean."""

from pathlib import Path

from bridge.policy import lint, load_policy, run_examples

_FILE = Path(__file__).parents[3] / "conf" / "policy.toml"


def test_the_example_policy() -> None:
    snapshot = load_policy(_FILE, networks=["aim", "icq"], domains=["corp.example"])
    results = run_examples(snapshot)
    assert len(results) == 5
    assert all(result.passed for result in results)
    assert lint(snapshot.policy) == ()
