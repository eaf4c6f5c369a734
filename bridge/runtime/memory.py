"""How often the interpreter looks for cyclic garbage.

The path of a message makes none: every object on it is freed by its reference count. What the collector's default (a
look at every 700 new objects, and in the end at all there are) finds is what is kept on purpose: finished
transactions, keys of duplicates, caches. Looking at those again and again cost an eighth of a relayed message, and
one look at all of them stops a large bridge for more than a second.
"""

import gc

YOUNG = 2_000
"""New objects, less those that were freed, between two looks at them."""
MIDDLE = 2
NEVER = 1_000_000_000
GROWN = 10_000
"""Objects that have lived through two looks: so many are looked at once more in some 10 ms."""


def settle() -> None:
    """Takes all that start-up made out of the collector's sight, and has it look less often. Call it once, when up.

    It never looks at all there is by itself: with a hundred thousand registrations that would stop everything for more
    than a second. `tend` does it, bit by bit.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, NEVER)


def tend() -> None:
    """Looks for garbage among what has lived for a while, which is made of cycles that were broken late. Call it often.

    Where that is more than can be looked at in one go, it is because much was stored that stays: it is taken out of
    sight as what start-up made. What of it becomes a broken cycle later is lost; that is little, and only once for
    each time that the store grows by so much.
    """
    if gc.get_count()[2] < 2 * MIDDLE:
        return
    if len(gc.get_objects(generation=2)) > GROWN:
        gc.freeze()
    else:
        gc.collect()
