"""What a program does beside computing its results, as data: a chain of tokens.

A call that is made for its effect takes a token and gives the next one, so calls follow one another by what they take and give, and no walk that writes nodes anew can lose one, make one twice or
change their order. A *chain* is the tokens of one piece of program: whatever traces a function opens one, and has its last token for a further result. A loop carries its token, a branch
takes and gives one, a call of a user's function hands it through.

Where nothing is traced there is no chain: a token that arrives there is `performed`, which makes the calls that it waits for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weft.dialects.array.graph import Graph, inline
from weft.dialects.array.node import STATE, Node, aval, leaf
from weft.dialects.dtypes import bool_

TOKEN = aval((), bool_)
"""What a token is: nobody reads it."""

PLACES = (
    "a callback (debug.print, debug.callback, io_callback) stands where a program is written that has no place for it: "
    "in a rule of a derivative on values that only a derivative has."
)


class Chain:
    """The tokens of a piece of program: `start`, which its first call takes, and `last`, which its last one has given. `with Chain(start):` what is bound within belongs to it."""

    __slots__ = ("_outer", "last", "start")

    def __init__(self, start: Node):
        self.start = self.last = start

    def __enter__(self) -> Chain:
        self._outer, STATE.effects = STATE.effects, self
        return self

    def __exit__(self, *error: object) -> None:
        STATE.effects = self._outer

    @property
    def made(self) -> list[Node]:
        """The last token, if there was any call."""
        return [] if self.last is self.start else [self.last]


NOTHING = leaf(TOKEN, False)
"""The token where nothing has been called."""


def following() -> Chain:
    """A chain that goes on from the one around."""
    return Chain(current())


def current() -> Node:
    """The token that the next call takes."""
    return STATE.effects.last if STATE.effects is not None else NOTHING


perform: list[Callable[[Node], None]] = []
"""How calls are made where nothing is traced. The frontend knows, and puts it here."""


def advance(token: Node) -> None:
    """The chain goes on with this token. Raises NotImplementedError where there is no chain and calls cannot be made."""
    if STATE.effects is not None:
        STATE.effects.last = token
    elif STATE.pending is None or not perform:
        raise NotImplementedError(PLACES)
    else:
        perform[0](token)


def handed_on(outs: Sequence[Node], count: int) -> list[Node]:
    """The first `count` of the results; the chain goes on with what is behind them, if there is a token."""
    for token in outs[count:]:
        advance(token)
    return list(outs[:count])


def rewritten(made: Chain, seen: Sequence[Node], now: Sequence[Node]) -> list[Node]:
    """The last token of a function that a walk has written anew, if it made calls: what the token that the walk has `seen` is `now`, and behind it what rules have called meanwhile."""
    last = made.last
    if seen and last.value is None:
        last = now[0] if last is seen[0] else inline(Graph(seen, [last]), now)[0]
    return [] if last is made.start else [last]


def takes_token(graph: Graph) -> bool:
    """Whether a graph may call the host for its effect: what its derivative computes of its results must then be what is computed, because a rule in it may call where the function does not."""
    return TOKEN in graph.in_avals and TOKEN in graph.out_avals
