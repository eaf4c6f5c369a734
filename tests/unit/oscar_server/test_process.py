"""The server and its people as processes, over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.kit.json_process import Event, ProcessError
from tests.kit.oscar_server.process import OscarServerProcess, OscarUserProcess
from tests.kit.oscar_server.user import plain


@pytest.fixture(scope="module")
def server() -> Iterator[OscarServerProcess]:
    accounts = dict.fromkeys(("alice", "The Boogy Man", "carol", "100100", "200200"), "secret")
    with OscarServerProcess(accounts, bots={"robo": "echo"}, arguments=["--bos", "127.0.0.1:0"]) as started:
        yield started
    assert started.process.returncode == 0


@pytest.fixture(scope="module")
def alice(server: OscarServerProcess) -> Iterator[OscarUserProcess]:
    with OscarUserProcess(server.address, "alice", "secret") as person:
        person.signed_on()
        yield person
    assert person.process.returncode == 0


@pytest.fixture(scope="module")
def man(server: OscarServerProcess) -> Iterator[OscarUserProcess]:
    with OscarUserProcess(server.address, "theboogyman", "secret", echo=True, arguments=["--roasted"]) as person:
        person.signed_on()
        yield person


def test_a_conversation(alice: OscarUserProcess, man: OscarUserProcess) -> None:
    assert alice.send("theboogyman", "a <b> & c\nd \N{SNOWMAN}")["stage"] == "relayed"
    assert man.message(sender="alice")["text"] == "a <b> & c\nd \N{SNOWMAN}"
    assert alice.message(sender="The Boogy Man")["text"] == "a <b> & c\nd \N{SNOWMAN}"


def test_presence_and_typing(alice: OscarUserProcess, man: OscarUserProcess) -> None:
    alice.do("add", name="theboogyman")
    alice.presence("The Boogy Man", online=True, away=False)
    man.do("away", text="under the bed")
    alice.presence("The Boogy Man", away=True, message="under the bed")
    since = len(alice.events)
    man.do("back")
    alice.presence("The Boogy Man", away=False, since=since)
    man.do("typing", to="alice")
    assert alice.event("typing")["from"] == "The Boogy Man"


def test_a_bot_and_nobody(alice: OscarUserProcess) -> None:
    since = len(alice.events)
    alice.post("robo", "beep")
    assert alice.message(sender="robo", since=since)["text"] == "beep"
    refused = alice.send("nobody", "x")
    assert (refused["stage"], refused["certain"]) == ("failed", True)


def test_stored_between_icq_numbers(server: OscarServerProcess) -> None:
    with OscarUserProcess(server.address, "100100", "secret", arguments=["--old-hash"]) as one:
        one.signed_on()
        assert one.send("200200", "for later")["stage"] == "relayed"
    with OscarUserProcess(server.address, "200200", "secret") as other:
        assert other.message(sender="100100")["text"] == "for later"
        assert other.messages()[0]["offline"]


def test_a_wrong_password(server: OscarServerProcess) -> None:
    with OscarUserProcess(server.address, "carol", "wrong") as carol:
        assert carol.link("auth-failed")["code"] == 5


def test_kicked_dropped_and_moved(server: OscarServerProcess) -> None:
    with OscarUserProcess(server.address, "carol", "secret") as carol:
        carol.signed_on()
        server.migrate("carol")
        since, heard = len(carol.events), len(server.events)
        server.drop("carol")
        carol.link("transient", since=since)
        carol.signed_on(since=since)
        server.happened("online", "carol", since=heard)
        heard = len(server.events)
        server.kick("carol")
        carol.link("signed-on-elsewhere")
        server.happened("offline", "carol", since=heard)
    with pytest.raises(ProcessError, match="not signed on"):
        server.drop("carol")


def test_acknowledgements_held_back(server: OscarServerProcess) -> None:
    with OscarUserProcess(server.address, "carol", "secret", arguments=["--ack-timeout", "0.3"]) as carol:
        carol.signed_on()
        server.delay_acks(60)
        unknown = carol.send("robo", "did you get this?")
        server.delay_acks(0)
        assert (unknown["stage"], unknown["certain"]) == ("unknown", False)
        carol.message(sender="robo")


def test_many_and_a_summary(server: OscarServerProcess, alice: OscarUserProcess) -> None:
    with OscarUserProcess(server.address, "carol", "secret", count=True) as carol:
        carol.signed_on()
        before = server.count("messages_relayed")
        for number in range(500):
            alice.post("carol", f"message {number}", id=f"many {number}")
        for number in range(500):
            alice.event("result", id=f"many {number}", stage="relayed")
        assert carol.summary()["received"] == 500
        assert server.count("messages_relayed") - before == 500
        assert server.count("rate_refusals") == 0


def test_from_asyncio(server: OscarServerProcess) -> None:
    async def ask() -> Event:
        return await asyncio.to_thread(server.stats)

    # the tests' own thread has a loop already
    with ThreadPoolExecutor(1) as pool:
        stats = pool.submit(asyncio.run, ask()).result()
    assert stats["rates"] == "wide"


def test_a_port_that_is_taken_and_accounts_that_are_wrong(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ProcessError, match="in use"):
            OscarServerProcess({"a": "b"}, listen=listen)
    path = tmp_path / "none.json"
    with pytest.raises(ProcessError, match="No such file"):
        OscarServerProcess(path)


def test_wrong_commands(server: OscarServerProcess, alice: OscarUserProcess) -> None:
    with pytest.raises(ProcessError, match="seconds"):
        server.delay_acks(-1)
    with pytest.raises(ProcessError, match="none of"):
        server.control("dance")
    alice.send_command({"do": "send", "to": "robo"})
    assert "text: None" in alice.event("error")["error"]


def test_html_as_people_read_it() -> None:
    assert plain("<HTML><BODY>a<br>b &lt;c&gt; &amp; d</BODY></HTML>") == "a\nb <c> & d"


def test_the_end_of_the_input_is_the_end(server: OscarServerProcess) -> None:
    with OscarUserProcess(server.address, "carol", "secret") as carol:
        carol.signed_on()
        assert carol.process.stdin is not None
        carol.process.stdin.close()
        assert carol.process.wait(10) == 0
    with OscarServerProcess({"a": "b"}) as other:
        assert other.process.stdin is not None
        other.process.stdin.close()
        assert other.process.wait(10) == 0
