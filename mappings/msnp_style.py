"""MSN's format, which holds for a whole message, and styled runs."""

from __future__ import annotations

from bridge.model.envelope import Loss
from mappings.richtext import Rich, plain
from mappings.style import PLAIN, Style, face
from transports.msnp.wire.im import Format

_BLACK = "000000"
_MIXED = Loss(feature="html", detail="MSN has one format for a whole message: told as plain text")


def from_format(text: str, look: Format | None) -> tuple[Rich, tuple[Loss, ...]]:
    """Returns a text as one run. Font and black are what every client sends, and say nothing."""
    rich = plain(text)
    if look is None or not rich.runs:
        return rich, rich.losses
    losses = rich.losses
    if look.right_to_left:
        losses = (*losses, Loss(feature="html", detail="right to left is left to the text itself"))
    style = Style(
        color="" if look.colour in {"", _BLACK} else f"#{look.colour}",
        bold="B" in look.effects,
        italic="I" in look.effects,
        underline="U" in look.effects,
        strike="S" in look.effects,
    )
    if style == PLAIN:
        return rich, losses
    return Rich(((rich.runs[0][0], style),), losses), losses


def to_format(rich: Rich) -> tuple[Format | None, tuple[Loss, ...]]:
    """Returns the format of runs that all look alike, None where there is nothing to say, and what is lost."""
    styles = {style for text, style in rich.runs if text.strip()}
    if not styles or styles == {PLAIN}:
        return None, ()
    if len(styles) > 1:
        return None, (_MIXED,)
    style = next(iter(styles))
    losses: list[Loss] = []
    if style.size:
        losses.append(Loss(feature="html", detail="size"))
    if style.background:
        losses.append(Loss(feature="html", detail="background"))
    flags = ((style.bold, "B"), (style.italic, "I"), (style.strike, "S"), (style.underline, "U"))
    return (
        Format(
            font=face(style.face) or "",
            effects=frozenset(letter for on, letter in flags if on),
            colour=style.color.removeprefix("#"),
        ),
        tuple(losses),
    )
