"""Any bytes as a policy file: a snapshot, or a PolicyError that tells a line; nothing else."""

from pathlib import Path

from bridge.policy.errors import PolicyError
from bridge.policy.linting import lint
from bridge.policy.loader import Surroundings
from bridge.policy.loading import load_text

_AROUND = Surroundings(networks=["aim", "icq"], domains=["corp.example"])
_EXAMPLE = Path(__file__).parents[2] / "conf" / "policy.toml"

SEEDS: list[bytes] = [
    _EXAMPLE.read_bytes(),
    b'[policy]\nversion = "1"\n[[rule]]\nid = "r"\neffect = "allow"\nhours = [{ days = "mon-fri", from = "22:00" }]\n',
    b'[policy]\nversion = "1"\n[groups]\na = ["group:b"]\nb = ["x@y", "aim/z"]\n',
    b'[policy]\nversion = "1"\n[lexicons.l]\npatterns = [\'(a|b){3}\']\nwords = ["c++"]\n',
    b'policy.version = """\n1"""\n"rule" = [{ id = "r", effect = "hold", between = ["any", "network:aim"] }]\n',
]


def one(data: bytes) -> None:
    """Loads ``data``; every problem must have one line of text and a place."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    # A file of words is the reader's business: here every path leads nowhere.
    problems = None
    try:
        lint(load_text(text, base=Path("/nonexistent"), surroundings=_AROUND).policy)
    except PolicyError as error:
        problems = error.problems
    assert problems != ()
    assert all("\n" not in str(problem) for problem in problems or ())
