"""How often the interpreter looks for cyclic garbage.

The path of a message makes none: every object on it is freed by its reference count. What the collector's default (a
look at every 700 new objects, and in the end at all there are) finds is what is kept on purpose: finished
transactions, keys of duplicates, caches. Looking at those again and again cost an eighth of a relayed message.
"""

import gc

YOUNG = 20_000
"""New objects between two looks. Garbage in cycles, as broken connections and errors leave it, waits for one; whatever
lived through several is looked at after a hundred times as many: some 200 MB at the very worst."""


def settle() -> None:
    """Takes all that start-up made out of the collector's sight, and has it look less often. Call it once, when up."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
