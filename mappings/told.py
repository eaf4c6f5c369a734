"""What is about an earlier message, told in words where a network cannot point to that message."""

from __future__ import annotations

from attrs import evolve

from bridge.model.body import Edit, Message, Reaction, Retract, TextPart
from bridge.model.envelope import Loss


def told(body: Edit | Retract | Reaction) -> tuple[Message, Loss]:
    """Returns the message that says it, and what is lost by that."""
    if isinstance(body, Edit):
        first, *others = body.replacement.parts or (TextPart(text=""),)
        if isinstance(first, TextPart):
            html = None if first.html is None else f"[corrected] {first.html}"
            first = evolve(first, text=f"[corrected] {first.text}", html=html)
        message = evolve(body.replacement, parts=(first, *others), wants=())
        return message, Loss(feature="edit", detail="told as a new text")
    if isinstance(body, Retract):
        text = "[took back an earlier message]"
        return Message(parts=(TextPart(text=text),)), Loss(feature="retraction", detail="told as a text")
    text = f"[took back the reaction {body.emoji}]" if body.removed else f"[reacted with {body.emoji}]"
    return Message(parts=(TextPart(text=text),)), Loss(feature="reaction", detail="told as a text")
