"""``user`` and ``identity``: what they do, what they say, and how they refuse."""

from pathlib import Path

import pytest

from tests.unit.app.commands import Bridge

ALICE, BOB = "alice@corp.example", "bob@corp.example"


@pytest.fixture
def company(bridge: Bridge) -> Bridge:
    for user in (ALICE, BOB):
        bridge.good("user", "add", user, "--password-stdin", stdin="secret\n")
    return bridge


def test_an_account_lives(bridge: Bridge) -> None:
    assert bridge.good("user", "list", "--json").json == []
    added = bridge.good("user", "add", ALICE, "--password-stdin", "--display-name", "Alice A.", stdin="secret\n")
    assert added.out == f"added {ALICE}\n"
    (row,) = bridge.good("user", "list", "--json").json
    assert row == {"address": ALICE, "enabled": True, "display_name": "Alice A.", "password": True}
    assert bridge.good("user", "disable", ALICE).out == f"{ALICE} is disabled\n"
    assert bridge.good("user", "disable", ALICE).out == "nothing to do: it is so already\n"
    assert "disabled" in bridge.good("user", "list").out
    bridge.good("user", "enable", ALICE)
    bridge.good("user", "password", ALICE, "--password-stdin", stdin="other\n")
    bridge.good("user", "remove", ALICE)
    assert bridge.good("user", "list", "--json").json == []


def test_the_password_is_nowhere_on_disk(bridge: Bridge) -> None:
    bridge.good("user", "add", ALICE, "--password-stdin", stdin="correct horse battery\n")
    bridge.good("identity", "bind", ALICE, "aim", "AliceWork", "--password-stdin", stdin="staple of networks\n")
    for path in bridge.folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"correct horse" not in data, path
            assert b"staple of" not in data, path


def test_keys_are_their_owners_alone(company: Bridge) -> None:
    keys = company.folder / "var" / "keys"
    assert keys.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in keys.iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("arguments", "stdin", "what"),
    [
        (("user", "add", ALICE, "--password-stdin"), "x\n", "there is such an account already"),
        (("user", "add", "mallory@elsewhere.example", "--password-stdin"), "x\n", "elsewhere.example"),
        (("user", "add", "no address", "--password-stdin"), "x\n", "no address"),
        (("user", "add", "carol@corp.example", "--password-stdin"), "\n", "the password is empty"),
        (("user", "add", "carol@corp.example", "--password-stdin"), "", "the password is empty"),
        (("user", "add", "carol@corp.example"), "", "--password-stdin"),
        (("user", "disable", "carol@corp.example"), "", "carol@corp.example"),
        (("identity", "bind", ALICE, "icq", "123456"), "", "no network 'icq' is configured; known are aim"),
        (("identity", "bind", ALICE, "aim", "!!"), "", "aim/!!"),
        (("identity", "bind", "carol@corp.example", "aim", "carol"), "", "carol@corp.example"),
        (("identity", "history", "aim/!!"), "", "!!"),
        (("identity", "history", "!!"), "", "not a name on any configured network"),
        (("identity", "import", "nowhere.csv"), "", "nowhere.csv: No such file"),
    ],
)
def test_what_is_refused_is_told_in_one_line_and_changes_nothing(
    company: Bridge, arguments: tuple[str, ...], stdin: str, what: str
) -> None:
    before = company.good("user", "list", "--json").json, company.good("identity", "list", "--json").json
    done = company(*arguments, stdin=stdin)
    assert done.code == 2
    assert done.line.startswith("simplebridge: ")
    assert what in done.line
    assert (company.good("user", "list", "--json").json, company.good("identity", "list", "--json").json) == before


def test_names_are_bound_listed_freed_and_remembered(company: Bridge) -> None:
    company.good("identity", "bind", ALICE, "aim", "Alice Work", "--password-stdin", stdin="pw\n")
    company.good("identity", "bind", ALICE, "aim", "alicetwo")
    rows = company.good("identity", "list", "--json").json
    assert [(r["name"], r["primary"], r["password"]) for r in rows] == [
        ("Alice Work", True, True),
        ("alicetwo", False, False),
    ]
    assert company("identity", "bind", BOB, "aim", "alice  WORK").code == 2
    company.good("identity", "unbind", ALICE, "aim", "alicework")
    company.good("identity", "bind", BOB, "aim", "alicework")
    history = company.good("identity", "history", "alice work", "--json").json
    assert [(one["address"], one["to"] is None) for one in history if one["recorded_to"] is None][-1] == (BOB, True)
    assert any(one["address"] == ALICE and one["to"] for one in history)


def test_csv_goes_in_and_out_and_a_bad_line_stops_all(company: Bridge, tmp_path: Path) -> None:
    good = tmp_path / "good.csv"
    good.write_text(f"address,network,name\n{ALICE},aim,Alice Work\n{BOB},aim,bobwork\n")
    company.good("identity", "import", str(good))
    out = company.good("identity", "export").out
    assert sorted(out.splitlines()[1:]) == [f"{ALICE},aim,Alice Work", f"{BOB},aim,bobwork"]
    bad = tmp_path / "bad.csv"
    bad.write_text(f"address,network,name\n{ALICE},aim,third\n{ALICE},fax,x\ncarol@corp.example,aim,!!\n")
    done = company("identity", "import", str(bad))
    assert done.code == 2
    lines = done.err.splitlines()
    assert [line.split(": ")[1] for line in lines] == [f"{bad}:3", f"{bad}:4", str(bad)]
    assert "2 bad lines" in lines[-1]
    assert company.good("identity", "export").out == out


def test_csv_comes_from_standard_input_too(company: Bridge) -> None:
    company.good("identity", "import", "-", stdin=f"address,network,name\n{ALICE},aim,alicework\n")
    assert len(company.good("identity", "list", "--json").json) == 1


def test_the_key_of_network_passwords_is_rotated(company: Bridge) -> None:
    company.good("identity", "bind", ALICE, "aim", "alicework", "--password-stdin", stdin="pw\n")
    path = company.folder / "var" / "keys" / "vault.key"
    before = path.read_bytes()
    assert company.good("identity", "rotate-key", "--json").json == {"resealed": 1}
    assert path.read_bytes() != before
    assert path.stat().st_mode & 0o777 == 0o600


def test_options_stand_before_or_after_the_command(company: Bridge) -> None:
    assert company("--json", "user", "list").json == company("user", "list", "--json").json
    elsewhere = company.folder / "nowhere.toml"
    done = company("user", "list", "--config", str(elsewhere))
    assert (done.code, done.line) == (2, f"simplebridge: {elsewhere}: cannot be read: No such file or directory")


def test_a_folder_that_cannot_be_made_is_told(bridge: Bridge) -> None:
    (bridge.folder / "var").write_text("a file is in the way")
    done = bridge("user", "add", ALICE, "--password-stdin", stdin="x\n")
    assert done.code == 2
    assert ": bridge.data_dir: " in done.line


def test_a_key_that_others_can_read_is_refused(company: Bridge) -> None:
    (company.folder / "var" / "keys" / "master.key").chmod(0o644)
    assert company("user", "disable", ALICE).code == 2
