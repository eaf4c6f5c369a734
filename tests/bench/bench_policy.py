"""What a decision costs. ``run()`` gives microseconds of CPU by name; ``python -m tests.bench.bench_policy`` prints."""

import random
import time
from collections.abc import Callable

from bridge.policy.loader import Surroundings
from bridge.policy.loading import load_text
from bridge.policy.snapshot import Snapshot
from bridge.policy.values import Party, Subject

_AT = 1_795_431_600.0
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def _best(work: Callable[[], object], count: int, rounds: int = 5) -> float:
    """The least CPU time of one of ``count`` calls, in microseconds."""
    least = float("inf")
    for _ in range(rounds):
        begin = time.process_time()
        for _ in range(count):
            work()
        least = min(least, time.process_time() - begin)
    return least / count * 1e6


def _thousand_rules() -> Snapshot:
    groups = [f'g{number} = ["user{number}@corp.example", "user{number + 1}@corp.example"]' for number in range(300)]
    rules = [
        f'[[rule]]\nid = "r{number}"\neffect = "{("allow", "forbid", "hold")[number % 3]}"\n'
        f'from = ["group:g{number % 300}"]\nto = ["contact:aim/friend{number}", "domain:d{number}.example"]\n'
        'direction = "both"\n' + ('hours = { days = "mon-fri" }\n' if number % 5 == 0 else "")
        for number in range(1_000)
    ]
    text = '[policy]\nversion = "bench"\n[groups]\n' + "\n".join(groups) + "\n" + "\n".join(rules)
    return load_text(text, surroundings=Surroundings(networks=["aim"], domains=["corp.example"]))


def _subjects(count: int) -> list[Subject]:
    return [
        Subject(
            kind="message",
            direction="outbound",
            sender=Party(address=f"user{number}@corp.example", domain="corp.example"),
            recipient=Party(address=f"aim/friend{number}", network="aim"),
            at=_AT,
            text="lunch?",
        )
        for number in range(count)
    ]


def _word(source: random.Random) -> str:
    return "".join(source.choice(_ALPHABET) for _ in range(source.randint(5, 12)))


def _lexicon_of(count: int) -> Snapshot:
    source = random.Random(5)
    words = sorted({f"{_word(source)} {_word(source)}" if index % 4 == 0 else _word(source) for index in range(count)})
    listed = ", ".join(f'"{word}"' for word in words)
    text = (
        f'[policy]\nversion = "bench"\n[lexicons.big]\nwords = [{listed}]\n'
        'patterns = [\'\\bACME-\\d{6}\\b\']\nvalidators = ["payment-card", "iban"]\n'
        '[[rule]]\nid = "open"\neffect = "allow"\n[[rule]]\nid = "watch"\neffect = "hold"\nlexicon = ["big"]\n'
    )
    return load_text(text, surroundings=Surroundings(networks=["aim"]))


def _thousand_lexical() -> Snapshot:
    rules = [f'[[rule]]\nid = "r{number}"\neffect = "hold"\nlexicon = ["l{number % 50}"]\n' for number in range(1_000)]
    lexicons = [f'[lexicons.l{number}]\nwords = ["secret{number}"]\n' for number in range(50)]
    text = '[policy]\nversion = "bench"\n[[rule]]\nid = "open"\neffect = "allow"\n' + "".join(rules + lexicons)
    return load_text(text, surroundings=Surroundings(networks=["aim"], domains=["corp.example"]))


def _rules() -> dict[str, float]:
    snapshot = _thousand_rules()
    same = _subjects(1)[0]
    many = _subjects(1_000)
    cold = Snapshot(snapshot.policy, snapshot.surroundings)
    position = 0

    def walk() -> None:
        nonlocal position
        snapshot.decide(many[position])
        position = (position + 1) % len(many)

    def first_time() -> None:
        for subject in many:
            cold.decide(subject)

    begin = time.process_time()
    first_time()
    first = (time.process_time() - begin) / len(many) * 1e6
    lexical = _thousand_lexical()
    return {
        "1000 rules with lexicons, a short text": _best(lambda: lexical.decide(same), 10_000),
        "1000 rules, one pair": _best(lambda: snapshot.decide(same), 20_000),
        "1000 rules, 1000 pairs in turn": _best(walk, 20_000),
        "1000 rules, pair never seen": first,
    }


def _texts() -> dict[str, float]:
    source = random.Random(7)
    words: list[str] = []
    while len(" ".join(words)) < 200:
        words.append(_word(source)[: source.randint(2, 9)])
    plain = " ".join(words)[:200]
    spoken = (
        "Hello Bob, about tomorrow: could we meet at half past ten? I'd like to bring the drafts, and the two charts "
        "that you asked for. If that's too early, let me know before noon; otherwise see you then. Bye"
    )
    spoken = (spoken + " " * 200)[:200].strip().ljust(200, "s")
    french = "Bonjour, à demain matin à l'hôtel près de la gare, où le café est bon et la clé déjà prête. ".ljust(
        200, "é"
    )
    snapshot = _lexicon_of(10_000)
    subject = _subjects(1)[0]
    found = {}
    for name, text in (("words alone", plain), ("a spoken text", spoken), ("a text with accents", french)):
        subject.text = text
        if snapshot.decide(subject).effect != "allow":
            raise RuntimeError(f"the benchmark's text {name!r} holds a lexicon word by chance")
        found[f"10000 words on 200 characters, {name}"] = _best(lambda: snapshot.decide(subject), 5_000)
    return found


def run() -> dict[str, float]:
    """Microseconds of CPU per decision, by what is measured."""
    return {**_rules(), **_texts()}


if __name__ == "__main__":
    for label, cost in run().items():
        print(f"{cost:8.2f} µs  {label}")
