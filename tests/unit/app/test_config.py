"""The configuration: every error is one line that names the file, the line and the key."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.app.config import ENVIRONMENT, Config, ConfigError, find, load, parse
from bridge.app.home import Home
from bridge.app.registry import options_of
from bridge.app.sipconfig import endpoint_config
from bridge.app.values import HostPort, Listen

BASE = '[bridge]\ndomain = "corp.example"\n'
NETWORK = '[networks.aim]\nkind = "oscar"\ndomain = "aim.corp.example"\nserver = "127.0.0.1:5190"\n'
_QUIRK = "[[sip.quirks]]\nname = 'mine'\nuser_agent = '^Mine/'\nreason = 'seen on our floor'\n"
PATH = Path("/etc/bridge/some.toml")


def text_of_error(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        Home(parse(text, PATH))
    message = str(caught.value)
    assert message.isprintable(), message
    return message


def test_the_least_configuration_has_defaults() -> None:
    config = parse(BASE, PATH)
    assert config.bridge.data_dir == Path("/etc/bridge/var")
    assert config.store.url == "sqlite:////etc/bridge/var/bridge.db"
    assert config.sip.realm == "corp.example"
    assert [str(at.at) for at in config.sip.listen] == ["127.0.0.1:5060"] * 2
    assert config.policy.file is None


def test_rows_of_what_clients_do() -> None:
    more = "refuses = ['text/html']\nmax_message = 2000\nchallenges = ['MD5']\n"
    text = (
        BASE
        + "[sip]\ndigest_algorithms = ['SHA-256', 'MD5']\n"
        + _QUIRK
        + more
        + _QUIRK.replace("mine", "linphone").replace("Mine", "Other")
    )
    endpoint = endpoint_config(parse(text, PATH))
    mine = endpoint.quirks.of("Mine/1.0")
    assert (mine.name, mine.max_message) == ("mine", 2000)
    assert mine.refuses == frozenset({"text/html"})
    assert endpoint.quirks.of("Linphone/5").name == "none"  # the row of this name has taken its place
    assert endpoint.quirks.of("JsSIP 3").name == "browser"
    for agent, offered in (("Mine/1.0", ("MD5",)), ("other", ("SHA-256", "MD5"))):
        rules = endpoint.auth.challenges
        rule = next(rule for rule in rules if rule.user_agent is None or rule.user_agent.search(agent))
        assert rule.algorithms == offered


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (_QUIRK.replace("^Mine/", "("), "no regular expression"),
        (_QUIRK + 'takes = ["image/png"]\n', "image/png"),
        (_QUIRK + 'challenges = ["ROT13"]\n', "ROT13"),
        (_QUIRK + "max_message = 100\n", "1300"),
        (_QUIRK + "colour = 1\n", "not a key"),
        (_QUIRK.replace("seen on our floor", " "), "reason"),
        ('[[sip.quirks]]\nname = "x"\n', "missing"),
    ],
)
def test_what_is_wrong_with_a_row(text: str, what: str) -> None:
    message = text_of_error(BASE + text)
    assert message.startswith(f"{PATH}:")
    assert "sip.quirks" in message
    assert what in message


def test_paths_are_relative_to_the_file() -> None:
    config = parse(
        BASE
        + '[store]\nurl = "sqlite:///db/x.db"\n[policy]\nfile = "p.toml"\n'
        + '[sip]\ncertificate = "c.pem"\nkey = "/k.pem"\n',
        PATH,
    )
    assert config.store.url == "sqlite:////etc/bridge/db/x.db"
    assert config.policy.file == Path("/etc/bridge/p.toml")
    assert (config.sip.certificate, config.sip.key) == (Path("/etc/bridge/c.pem"), Path("/k.pem"))


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ('kind = "xmpp"\nsecret_file = "a.x"\nca_file = "/b.x"\n', ("secret_file", "ca_file")),
        ('kind = "irc"\nserver = "h:1"\ntls_ca = "a.x"\ntls_certificate = "/b.x"\n', ("tls_ca", "tls_certificate")),
        ('kind = "matrix"\nhomeserver = "http://h"\nserver_name = "h"\ntokens = "a.x"\n', ("tokens",)),
    ],
)
def test_paths_of_a_network_are_relative_to_the_file_too(text: str, keys: tuple[str, ...]) -> None:
    config = parse(f'{BASE}[networks.net]\ndomain = "net.corp.example"\n{text}', PATH)
    options = options_of(config, "net")
    wanted = [Path("/etc/bridge/a.x"), Path("/b.x")][: len(keys)]
    assert [getattr(options, key) for key in keys] == wanted


def test_a_path_that_is_not_given_is_none() -> None:
    config = parse(f'{BASE}[networks.net]\ndomain = "net.corp.example"\nkind = "xmpp"\n', PATH)
    assert options_of(config, "net").secret_file is None


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", "", "[bridge] is missing"),
        ("[bridge]\n", ":1: bridge.domain: ", "is missing"),
        ("x = 1\n" + BASE, ":1: x: ", "not a section"),
        ("bridge = 5\n", ":1: bridge: ", "must be a table"),
        ('"a\\nb" = 1\n', ":1: 'a\\nb': ", "not a section"),
        (BASE + "colour = 3\n", ":3: bridge.colour: ", "not a key of this table; known are domain"),
        (BASE + '"a\\u0007" = 3\n', ":3: bridge.'a\\x07': ", "not a key"),
        ('[bridge]\ndomain = "Corp"\n', ":2: bridge.domain: ", "lower case"),
        ("[bridge]\ndomain = 5\n", ":2: bridge.domain: ", "must be a string, not 5"),
        (BASE + "drain = true\n", ":3: bridge.drain: ", "must be a number, not True"),
        (BASE + "drain = nan\n", ":3: bridge.drain: ", "finite"),
        (BASE + f"drain = 0x{'f' * 5000}\n", ":3: bridge.drain: ", "too many digits"),
        (BASE + "drain = -1\n", ":3: bridge.drain: ", "greater than 0"),
        (BASE + 'log_level = "loud"\n', ":3: bridge.log_level: ", "debug, info, warning, error"),
        (BASE + 'data_dir = ""\n', ":3: bridge.data_dir: ", "must be a path"),
        (BASE + 'data_dir = "a\\u0000"\n', ":3: bridge.data_dir: ", "must be a path"),
        (BASE + "[sip]\nlisten = []\n", ":4: sip.listen: ", "at least one"),
        (BASE + '[sip]\nlisten = "udp:x:1"\n', ":4: sip.listen: ", "must be a list"),
        (BASE + '[sip]\nlisten = ["sctp:127.0.0.1:5060"]\n', ":4: sip.listen: ", "udp:, tcp:, tls:"),
        (BASE + '[sip]\nlisten = ["udp:::1:5060"]\n', ":4: sip.listen: ", "in brackets"),
        (BASE + f'[sip]\nlisten = ["udp:a:{"9" * 5000}"]\n', ":4: sip.listen: ", "host:port"),
        (BASE + '[sip]\ndigest_algorithms = ["ROT13"]\n', ":4: sip.digest_algorithms: ", "'ROT13'"),
        (BASE + "[sip]\ndigest_algorithms = []\n", ":4: sip.digest_algorithms: ", "at least one"),
        (BASE + "[sip]\nexpires_min = 30\nexpires_max = 20\n", ":3: sip.expires_default: ", "between"),
        (BASE + '[sip]\ncertificate = "a"\n', ":3: sip.key: ", "given together"),
        (BASE + "[sip]\nmax_body = 1.5\n", ":4: sip.max_body: ", "whole number"),
        (BASE + '[store]\nurl = "mysql://x"\n', ":4: store.url: ", "only sqlite:///FILE"),
        (BASE + '[metrics]\nlisten = "0.0.0.0:9100"\n', ":4: metrics.listen: ", "loopback"),
        (BASE + '[delivery]\nnotices_from = "a b"\n', ":4: delivery.notices_from: ", "lower-case"),
        (BASE + '[compliance]\nretention_class = ""\n', ":4: compliance.retention_class: ", "lower-case"),
        (BASE + "networks = 4\n", ":3: bridge.networks: ", "not a key"),
        (BASE + "[networks]\naim = 4\n", ":4: networks.aim: ", "must be a table"),
        (BASE + "[networks.SIP]\n", ":3: networks.SIP: ", "lower-case"),
        (BASE + "[networks.sip]\n", ":3: networks.sip: ", "not 'sip'"),
        (BASE + '[networks.aim]\nkind = "oscar"\n', ":3: networks.aim.domain: ", "is missing"),
        (BASE + NETWORK.replace("oscar", "fax"), ":4: networks.aim.kind: ", "known are "),
        (BASE + NETWORK + "speed = 1\n", ":7: networks.aim.speed: ", "not a key"),
        (BASE + NETWORK.replace('"127.0.0.1:5190"', '"x"'), ":6: networks.aim.server: ", "host:port"),
        (BASE + NETWORK.replace("aim.corp", "corp"), ":5: networks.aim.domain: ", "bridge.domain already"),
        (BASE + NETWORK + NETWORK.replace("networks.aim", "networks.icq"), ":9: networks.icq.domain: ", "already"),
        ("a = " + "[" * 5000, ": ", "nested too deep"),
        ("a = " + "9" * 5000, ": ", "digits"),
        ("[bridge\n", ": ", "line 1"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, where: str, what: str) -> None:
    message = text_of_error(text)
    assert message.startswith(f"{PATH}{where}"), message
    assert what in message
    assert len(message) < 400


_KEYS = st.sampled_from(
    ["bridge", "sip", "networks", "policy", "domain", "listen", "data_dir", "aim", "kind", "server", "max_body", "x"]
)
_VALUES = st.sampled_from(
    ['"corp.example"', '"udp:127.0.0.1:5060"', "5", "-1.5", "true", "[]", '["MD5"]', "{}", '"oscar"', "inf"]
)  # fmt: skip
_LINES = st.one_of(
    st.builds("[{}]".format, _KEYS),
    st.builds("[{}.{}]".format, _KEYS, _KEYS),
    st.builds("[[{}]]".format, _KEYS),
    st.builds("{} = {}".format, _KEYS, _VALUES),
    st.text(max_size=12),
)


@given(st.one_of(st.binary(max_size=200), st.lists(_LINES, max_size=12).map(lambda lines: "\n".join(lines).encode())))
@example(b"\xff")
@example(BASE.encode() + b'[sip]\nlisten = ["udp:[::1]:5060"]\n')
@example(b"a = " + b"[" * 20_000)
@example(b"a." * 500 + b"b = 1")
@example(b"[bridge]\ndomain = " + b"9" * 5_000)
def test_any_bytes_are_a_configuration_or_a_line(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    result: Config | ConfigError
    try:
        result = load(path)
    except ConfigError as e:
        result = e
    if isinstance(result, ConfigError):
        assert str(result).isprintable()
        assert str(result).startswith(str(path))
    else:
        assert result.path == path


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read: No such file"):
        load(tmp_path / "nowhere.toml")
    (tmp_path / "latin").write_bytes(b"# caf\xe9")
    with pytest.raises(ConfigError, match=r"latin: is not UTF-8 \(byte 5\)"):
        load(tmp_path / "latin")


def test_which_file_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    with pytest.raises(ConfigError, match="--config FILE"):
        find(None)
    (tmp_path / "simplebridge.toml").write_text(BASE)
    assert find(None) == Path("simplebridge.toml")
    monkeypatch.setenv(ENVIRONMENT, "elsewhere.toml")
    assert find(None) == Path("elsewhere.toml")
    assert find(Path("given.toml")) == Path("given.toml")


@pytest.mark.parametrize("text", ["127.0.0.1:5060", "[::1]:5061", "host.example:0"])
def test_addresses_are_written_as_they_are_read(text: str) -> None:
    assert str(HostPort.parse(text)) == text
    assert Listen.parse(f"tls:{text}").at == HostPort.parse(text)


@pytest.mark.parametrize("text", ["", ":", "a", "a:", ":1", "a:65536", "a:-1", "a:²", "::1", "a:b:1", "a:000001"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"host:port|brackets"):
        HostPort.parse(text)


@pytest.mark.parametrize("realm", ['a"b', "a\\b", "a\r\nX: y", "x" * 256])
def test_a_realm_that_no_challenge_can_hold(realm: str) -> None:
    escaped = realm.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r").replace("\n", "\\n")
    with pytest.raises(ConfigError, match=r"sip\.realm"):
        parse(f'[bridge]\ndomain = "a.example"\n[sip]\nrealm = "{escaped}"\n', Path("c.toml"))


def test_a_number_that_no_clock_holds() -> None:
    with pytest.raises(ConfigError, match=r"c.toml:4: delivery\.offline_hours: must be 1000000000 at most"):
        parse('[bridge]\ndomain = "a.example"\n[delivery]\noffline_hours = 1e20\n', Path("c.toml"))


def test_a_listener_twice() -> None:
    text = '[bridge]\ndomain = "a.example"\n[sip]\nlisten = ["udp:127.0.0.1:5060", "udp:127.0.0.1:5060"]\n'
    with pytest.raises(ConfigError, match=r"c.toml:4: sip\.listen: udp:127.0.0.1:5060 stands there twice"):
        parse(text, Path("c.toml"))
