"""What is about an earlier message, told in words where a network cannot point to that message."""

from __future__ import annotations

from attrs import evolve

from bridge.model.body import Edit, Message, Part, Reaction, Retract, TextPart
from bridge.model.envelope import Loss


def told(body: Edit | Retract | Reaction) -> tuple[Message, Loss]:
    """Returns the message that says it, and what is lost by that."""
    if isinstance(body, Edit):
        message = evolve(body.replacement, parts=_corrected(body.replacement.parts), wants=())
        return message, Loss(feature="edit", detail="told as a new text")
    if isinstance(body, Retract):
        text = "[took back an earlier message]"
        return Message(parts=(TextPart(text=text),)), Loss(feature="retraction", detail="told as a text")
    text = f"[took back the reaction {body.emoji}]" if body.removed else f"[reacted with {body.emoji}]"
    return Message(parts=(TextPart(text=text),)), Loss(feature="reaction", detail="told as a text")


def _corrected(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The first text says that it is a correction; where there is none, one is added."""
    for place, part in enumerate(parts):
        if isinstance(part, TextPart):
            html = None if part.html is None else f"[corrected] {part.html}"
            marked = evolve(part, text=f"[corrected] {part.text}", html=html)
            return (*parts[:place], marked, *parts[place + 1 :])
    return (TextPart(text="[corrected]"), *parts)
