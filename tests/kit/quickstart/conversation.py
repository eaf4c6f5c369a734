"""What happens in the demonstration. Each step raises where what it waits for is not seen."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from attrs import define, field, frozen

from tests.kit.json_process import Event
from tests.kit.oscar_server.process import OscarUserProcess
from tests.kit.quickstart.phones import SoftphoneProcess
from tests.kit.quickstart.stage import Cell, Row
from tests.kit.quickstart.world import ALICE, BOB, BOOGYMAN, ICQ, World, WorldError, until

HELLO: Final = "Grüße aus Köln 👋 — Zeit fürs Mittagessen?"
REPLY: Final = "Klar, süße Äpfel 🍎 & <Brötchen> inklusive"
AWAY: Final = "Bin im Kino 🎬"
LUNCH: Final = "beim Mittagessen"
INSIDE: Final = "Only you should read this, Bob"
FORBIDDEN: Final = "Between us: Project  Fаlcon ships on Friday"  # the second letter of the name is a Cyrillic а
_REFERENCE: Final = re.compile(r"\(reference ([0-9a-f-]{36})\)")


@frozen
class Done:
    """What a step has to show: the rows, and the fact in one line."""

    seen: str
    rows: Sequence[Row] = ()


@define(eq=False)
class Conversation:
    """The people of the demonstration, as the steps bring them in."""

    world: World
    alice: SoftphoneProcess = field(init=False)
    bob: SoftphoneProcess = field(init=False)
    boogyman: OscarUserProcess = field(init=False)
    reference: str = field(init=False, default="")
    """Under which the refused message is on record."""

    # -- helpers ------------------------------------------------------------------------------------------------------

    def _received(self) -> int:
        return self.world.server.count("messages_received")

    def _write(self, to: str, text: str) -> tuple[Event, int]:
        """Has alice write; returns the answer of the bridge, and where her events were before."""
        since = len(self.alice.events)
        self.alice.type(f"/to {to}")
        self.alice.type(text)
        sent = self.alice.seen("sending", since=since, text=text)
        answer = self.alice.wait_for(
            lambda event: event["event"] in {"sent", "refused"} and event.get("key") == sent["key"],
            f"the answer to {text!r}",
            since=since,
        )
        return answer, since

    def _expect(self, answer: Event, status: int) -> None:
        if answer["status"] != status:
            raise WorldError(f"the bridge answered {answer['status']} {answer.get('reason', '')}, not {status}")

    def _alice_sees(self, status: str, since: int, note: str = "") -> Event:
        of = f"sip:{self.world.on_aim(BOOGYMAN)}"
        return self.alice.seen("presence", since=since, of=of, status=status, note=note)

    # -- steps --------------------------------------------------------------------------------------------------------

    def sign_on(self) -> Done:
        """Both SIP users register; the bridge has signed their screen names on."""
        self.alice, self.bob = self.world.phone(ALICE), self.world.phone(BOB)
        rows = []
        for one, phone in ((ALICE, self.alice), (BOB, self.bob)):
            registered = phone.seen("registered")
            until(partial(self._link_up, one.screen_name), f"the sign-on of {one.screen_name} on AIM")
            wire = f"REGISTER, digest, 200 for {registered['expires']} s"
            rows.append(Row(Cell(one.user, "registers", wire), "→", Cell(one.screen_name, "is signed on", "BUCP, BOS")))
        return Done("REGISTER 200 twice; both screen names up on AIM", rows)

    def _link_up(self, account: str) -> bool:
        links = self.world.daemon.status()["links"]
        return any(link["account"] == account and link["state"] == "up" for link in links)

    def presence(self) -> Done:
        """A screen name comes online, and alice is told."""
        since = len(self.alice.events)
        self.alice.type(f"/watch {self.world.on_aim(BOOGYMAN)}")
        self._alice_sees("offline", since)
        self.boogyman = self.world.sign_on_boogyman()
        self.boogyman.signed_on()
        self._alice_sees("online", since)
        self.boogyman.do("add", name=ALICE.screen_name)
        return Done(
            "NOTIFY closed, then NOTIFY open",
            [
                Row(Cell(ALICE.user, f"watches {BOOGYMAN}", "SUBSCRIBE, NOTIFY: PIDF closed"), "→", Cell()),
                Row(
                    Cell(ALICE.user, "● online", "NOTIFY: PIDF open"), "←", Cell(BOOGYMAN, "signs on", "buddy arrived")
                ),
            ],
        )

    def to_aim(self) -> Done:
        """A text from SIP to AIM."""
        answer, _ = self._write(self.world.on_aim(BOOGYMAN), HELLO)
        self._expect(answer, 202)
        self.boogyman.message(sender=ALICE.screen_name, text=HELLO)
        sip = Cell(ALICE.user, HELLO, "MESSAGE 202: on record, on its way")
        return Done("MESSAGE 202; ICBM as written", [Row(sip, "→", Cell(BOOGYMAN, HELLO, "ICBM channel 1"))])

    def to_sip(self) -> Done:
        """Typing and a text from AIM to SIP."""
        since, sender = len(self.alice.events), f"sip:{self.world.on_aim(BOOGYMAN)}"
        self.boogyman.do("typing", to=ALICE.screen_name, state="typing")
        self.alice.seen("typing", since=since, active=True, sender=sender)
        stage = self.boogyman.send(ALICE.screen_name, REPLY)["stage"]
        self.alice.seen("message", since=since, text=REPLY, sender=sender)
        return Done(
            "typing; ICBM relayed; MESSAGE as written",
            [
                Row(
                    Cell(ALICE.user, "sees … is typing", "MESSAGE im-iscomposing"), "←", Cell(BOOGYMAN, "types", "MTN")
                ),
                Row(Cell(ALICE.user, REPLY, "MESSAGE 200"), "←", Cell(BOOGYMAN, REPLY, f"ICBM {stage}")),
            ],
        )

    def away(self) -> Done:
        """Each goes away with a message, and the other sees it.

        The first takes its time: NOTIFYs of one subscription are five seconds apart (RFC 3856 section 6.10).
        """
        since, at_aim = len(self.alice.events), len(self.boogyman.events)
        self.boogyman.do("away", text=AWAY)
        self._alice_sees("away", since, AWAY)
        self.alice.type(f"/away {LUNCH}")
        self.boogyman.presence(ALICE.screen_name, since=at_aim, away=True, message=LUNCH)
        self.boogyman.do("back")
        at_aim = len(self.boogyman.events)
        self.alice.type("/back")
        self.boogyman.presence(ALICE.screen_name, since=at_aim, away=False)
        return Done(
            "NOTIFY away with its text; away message on AIM",
            [
                Row(
                    Cell(ALICE.user, f"◐ away: {AWAY}", "NOTIFY: RPID away"),
                    "←",
                    Cell(BOOGYMAN, f"away: {AWAY}", "locate: set info"),
                ),
                Row(
                    Cell(ALICE.user, f"away: {LUNCH}", "PUBLISH: RPID away"),
                    "→",
                    Cell(BOOGYMAN, f"◐ away: {LUNCH}", "buddy arrived, away message"),
                ),
            ],
        )

    def icq(self) -> Done:
        """An ICQ number on the same network answers."""
        text = "Hallo, Nummer!"
        answer, since = self._write(self.world.on_aim(ICQ), text)
        self._expect(answer, 202)
        self.alice.seen("message", since=since, text=text, sender=f"sip:{self.world.on_aim(ICQ)}")
        return Done(
            "MESSAGE 202; the number's answer as MESSAGE",
            [
                Row(Cell(ALICE.user, text, "MESSAGE 202"), "→", Cell(ICQ, text, "ICBM")),
                Row(Cell(ALICE.user, text, "MESSAGE 200"), "←", Cell(ICQ, f"{text} (an echo)", "ICBM")),
            ],
        )

    def inside(self) -> Done:
        """A colleague's screen name is reached inside: the network sees nothing of it."""
        before, since = self._received(), len(self.bob.events)
        answer, _ = self._write(self.world.on_aim(BOB.screen_name), INSIDE)
        self._expect(answer, 202)
        self.bob.seen("message", since=since, text=INSIDE, sender=f"sip:{self.world.address(ALICE)}")
        self._nothing_new(before)
        to = f"to {self.world.on_aim(BOB.screen_name)}: 202"
        return Done(
            "MESSAGE 202; bob's own phone got it; the OSCAR server nothing",
            [
                Row(
                    Cell(ALICE.user, INSIDE, f"MESSAGE {to}"), "·", Cell("", f"OSCAR server: {before} messages before")
                ),
                Row(Cell(BOB.user, INSIDE, "MESSAGE 200"), "·", Cell("", f"OSCAR server: {before} messages after")),
            ],
        )

    def _nothing_new(self, before: int) -> None:
        after = self._received()
        if after != before:
            raise WorldError(f"the OSCAR server saw {after - before} messages that should have stayed inside")

    def refusal(self) -> Done:
        """A word of the lexicon is refused, with the reference of its record."""
        before = self._received()
        answer, _ = self._write(self.world.on_aim(BOOGYMAN), FORBIDDEN)
        self._expect(answer, 403)
        found = _REFERENCE.search(answer["reason"])
        if found is None:
            raise WorldError(f"the refusal has no reference: {answer['reason']}")
        self.reference = found[1]
        self._nothing_new(before)
        reason = answer["reason"].partition(" (")[0]
        sip = Cell(ALICE.user, FORBIDDEN, f"MESSAGE 403 {reason}")
        aim = Cell("", f"nothing: {before} messages before and after", f"on record as {self.reference}")
        return Done("MESSAGE 403 with a reference; nothing was sent", [Row(sip, "✗", aim)])

    def hang_up(self) -> None:
        """The two phones sign off: the next ones are yours. Alice's tells by its exit code that something was refused.

        Raises:
            WorldError: one ends in another way.
        """
        for phone, expected in ((self.alice, 1), (self.bob, 0)):
            code = phone.hang_up()
            if code != expected:
                raise WorldError(f"the softphone of {phone.address} ended with exit code {code}, not {expected}")

    def on_record(self, rows: Sequence[dict[str, Any]]) -> None:
        """Checks that the log has what was said, and the refusal under its reference. Raises WorldError."""
        texts = {row["text"] for row in rows}
        missing = [text for text in (HELLO, REPLY, INSIDE, FORBIDDEN) if text not in texts]
        if missing:
            raise WorldError(f"the log does not have {missing}")
        if not any(row["id"] == self.reference for row in rows):
            raise WorldError(f"the log does not have the reference {self.reference}")


Step: TypeAlias = Callable[[Conversation], Done]
STEPS: Final[Sequence[tuple[str, Step]]] = (
    ("two SIP users sign on", Conversation.sign_on),
    ("a screen name comes online", Conversation.presence),
    ("a text from SIP to AIM", Conversation.to_aim),
    ("typing, and a text from AIM to SIP", Conversation.to_sip),
    ("away, with a message", Conversation.away),
    ("an ICQ number", Conversation.icq),
    ("a colleague's screen name stays inside", Conversation.inside),
    ("a word of the lexicon is refused", Conversation.refusal),
)
