"""Index expressions: integer arithmetic over the axes of a nest, simplified by ranges.

An `Expr` is a linear form `const + sum(coefficient * atom)`, kept in one canonical order, so that equal expressions are equal values and a lowering can read
strides off the terms. An atom is an axis, a symbol (an index that data decides), a floor division, a remainder, or a minimum with a constant (the clamp of a
last tile). Axes carry their extent and symbols their bounds, so every expression knows its own range, and that is what simplifies `(i * 4 + j) // 4` to `i`
where `j` counts to 4: views, splits and their compositions fold away as they are built, and nothing needs a later pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import gcd
from typing import NamedTuple


class Dim(NamedTuple):
    """An axis of the nest: counts from 0 to extent - 1."""

    name: str
    extent: int

    @property
    def bounds(self) -> tuple[int, int]:
        return 0, self.extent - 1

    def __str__(self) -> str:
        return self.name


class Sym(NamedTuple):
    """A data-dependent index: operand `number` of the op that holds the expression, known to lie in [lo, hi]."""

    number: int
    lo: int
    hi: int

    @property
    def bounds(self) -> tuple[int, int]:
        return self.lo, self.hi

    def __str__(self) -> str:
        return f"s{self.number}"


class Div(NamedTuple):
    """`expr` divided by a positive constant, rounded down."""

    expr: Expr
    by: int
    word: str = "floordiv"  # tuples are equal by their fields: this keeps a Div apart from a Mod and a Min

    @property
    def bounds(self) -> tuple[int, int]:
        lo, hi = self.expr.bounds
        return lo // self.by, hi // self.by

    def __str__(self) -> str:
        return f"{_grouped(self.expr)} floordiv {self.by}"


class Mod(NamedTuple):
    """`expr` modulo a positive constant: the result lies in [0, by)."""

    expr: Expr
    by: int
    word: str = "mod"

    @property
    def bounds(self) -> tuple[int, int]:
        return 0, self.by - 1

    def __str__(self) -> str:
        return f"{_grouped(self.expr)} mod {self.by}"


class Min(NamedTuple):
    """The smaller of `expr` and a constant."""

    expr: Expr
    limit: int
    word: str = "min"

    @property
    def bounds(self) -> tuple[int, int]:
        lo, hi = self.expr.bounds
        return min(lo, self.limit), min(hi, self.limit)

    def __str__(self) -> str:
        return f"min({self.expr}, {self.limit})"


Atom = Dim | Sym | Div | Mod | Min


def _order(atom: Atom) -> tuple[str, str]:
    return type(atom).__name__, str(atom)


def _grouped(expr: Expr) -> str:
    text = str(expr)
    return text if text.isidentifier() else f"({text})"


class Expr:
    """A linear form over atoms. Build it from `dim`, `symbol` and integers with + - * // %; `terms` maps atoms to non-zero coefficients."""

    __slots__ = ("_bounds", "_hash", "const", "terms")

    def __init__(self, const: int = 0, terms: tuple[tuple[Atom, int], ...] = ()):
        self.const, self.terms = const, terms
        self._hash = hash((const, terms))
        self._bounds: tuple[int, int] | None = None

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Expr) and self.const == other.const and self.terms == other.terms

    # -- what it is ---------------------------------------------------------------------------------------------------------------------

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest value it can take (each atom taken by itself, so the true range may be narrower)."""
        if self._bounds is None:
            lo = hi = self.const
            for atom, c in self.terms:
                a, b = atom.bounds
                lo, hi = (lo + c * a, hi + c * b) if c > 0 else (lo + c * b, hi + c * a)
            self._bounds = lo, hi
        return self._bounds

    @property
    def is_constant(self) -> bool:
        return not self.terms

    def coefficient(self, atom: Atom) -> int:
        return next((c for a, c in self.terms if a == atom), 0)

    def dims(self) -> set[str]:
        """Names of the axes that it depends on."""
        return {a.name for a in self.atoms() if isinstance(a, Dim)}

    def symbols(self) -> set[int]:
        """Numbers of the symbols that it depends on."""
        return {a.number for a in self.atoms() if isinstance(a, Sym)}

    def atoms(self) -> Iterator[Atom]:
        """All atoms, those inside divisions, remainders and minima included."""
        for atom, _ in self.terms:
            yield atom
            if isinstance(atom, (Div, Mod, Min)):
                yield from atom.expr.atoms()

    def substitute(self, replace: Callable[[Dim | Sym], Expr | None]) -> Expr:
        """The expression with each axis or symbol for which `replace` gives an expression replaced by it; simplified anew."""
        result = Expr(self.const)
        for atom, c in self.terms:
            if isinstance(atom, (Dim, Sym)):
                new = replace(atom)
                if new is None:
                    new = Expr(0, ((atom, 1),))
            else:
                inner = atom.expr.substitute(replace)
                new = (
                    inner // atom.by
                    if isinstance(atom, Div)
                    else inner % atom.by
                    if isinstance(atom, Mod)
                    else inner.minimum(atom.limit)
                )
            result = result + new * c
        return result

    def evaluate(self, dims: Mapping[str, int], symbols: Mapping[int, int] = {}) -> int:
        """Its value where every axis and symbol has a value."""
        total = self.const
        for atom, c in self.terms:
            match atom:
                case Dim(name, _):
                    value = dims[name]
                case Sym(number, _, _):
                    value = symbols[number]
                case Div(expr, by):
                    value = expr.evaluate(dims, symbols) // by
                case Mod(expr, by):
                    value = expr.evaluate(dims, symbols) % by
                case Min(expr, limit):
                    value = min(expr.evaluate(dims, symbols), limit)
            total += c * value
        return total

    # -- arithmetic ---------------------------------------------------------------------------------------------------------------------

    def __add__(self, other: Expr | int) -> Expr:
        if isinstance(other, int):
            return Expr(self.const + other, self.terms) if other else self
        if not other.terms:
            return self + other.const
        if not self.terms:
            return other + self.const
        terms = dict(self.terms)
        for atom, c in other.terms:
            if total := terms.get(atom, 0) + c:
                terms[atom] = total
            else:
                del terms[atom]
        return _recombine(self.const + other.const, terms)

    __radd__ = __add__

    def __neg__(self) -> Expr:
        return self * -1

    def __sub__(self, other: Expr | int) -> Expr:
        return self + -other

    def __rsub__(self, other: int) -> Expr:
        return -self + other

    def __mul__(self, factor: int) -> Expr:
        if factor == 1:
            return self
        if factor == 0:
            return ZERO
        return Expr(self.const * factor, tuple((a, c * factor) for a, c in self.terms))

    __rmul__ = __mul__

    def __floordiv__(self, by: int) -> Expr:
        if by == 1:
            return self
        whole, rest = self._divide(by)
        lo, hi = rest.bounds
        if lo // by == hi // by:
            return whole + lo // by
        common = gcd(by, *(c for _, c in rest.terms))
        if common > 1:  # (k*x + r) // (k*n) == x // n for 0 <= r < k
            return whole + Expr(rest.const // common, tuple((a, c // common) for a, c in rest.terms)) // (by // common)
        if (
            len(rest.terms) == 1
            and not rest.const
            and rest.terms[0][1] == 1
            and isinstance(inner := rest.terms[0][0], Div)
        ):
            return whole + inner.expr // (inner.by * by)
        return whole + Expr(0, ((Div(rest, by), 1),))

    def __mod__(self, by: int) -> Expr:
        if by == 1:
            return ZERO
        _, rest = self._divide(by)
        lo, hi = rest.bounds
        if lo // by == hi // by:
            return rest - (lo // by) * by
        common = gcd(by, rest.const, *(c for _, c in rest.terms))
        if common > 1:
            return (
                Expr(rest.const // common, tuple((a, c // common) for a, c in rest.terms)) % (by // common)
            ) * common
        if (
            len(rest.terms) == 1
            and not rest.const
            and rest.terms[0][1] == 1
            and isinstance(inner := rest.terms[0][0], Mod)
            and inner.by % by == 0
        ):
            return inner.expr % by
        return Expr(0, ((Mod(rest, by), 1),))

    def minimum(self, limit: int) -> Expr:
        """The smaller of it and a constant."""
        lo, hi = self.bounds
        if hi <= limit:
            return self
        return Expr(limit) if lo >= limit else Expr(0, ((Min(self, limit), 1),))

    def _divide(self, by: int) -> tuple[Expr, Expr]:
        """(q, r) with self == q * by + r, where r keeps only the terms that `by` does not divide."""
        q: list[tuple[Atom, int]] = []
        r: list[tuple[Atom, int]] = []
        for atom, c in self.terms:
            if c % by == 0:
                q.append((atom, c // by))
            else:
                r.append((atom, c))
        if not q and 0 <= self.const < by:
            return ZERO, self
        return Expr(self.const // by, tuple(q)), Expr(self.const % by, tuple(r))

    # -- text ---------------------------------------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        parts: list[str] = []
        for atom, c in self.terms:
            text = str(atom)
            if abs(c) != 1:
                text = f"({text}) * {abs(c)}" if isinstance(atom, (Div, Mod)) else f"{text} * {abs(c)}"
            parts.append(("- " if c < 0 else "+ ") + text if parts else ("-" if c < 0 else "") + text)
        if self.const or not parts:
            parts.append(f"{'- ' if self.const < 0 else '+ '}{abs(self.const)}" if parts else str(self.const))
        return " ".join(parts)

    __repr__ = __str__


def _recombine(const: int, terms: dict[Atom, int]) -> Expr:
    """A linear form from its terms, with `(x // n) * n + x % n` put together to `x` again."""
    for atom, c in terms.items():
        if isinstance(atom, Mod):
            quotient = atom.expr // atom.by
            if len(quotient.terms) == 1 and not quotient.const and quotient.terms[0][1] == 1:
                other = quotient.terms[0][0]
                if terms.get(other) == c * atom.by:
                    rest = {a: k for a, k in terms.items() if a != atom and a != other}
                    return _recombine(const, rest) + atom.expr * c
    if len(terms) > 1:
        return Expr(const, tuple(sorted(terms.items(), key=lambda t: _order(t[0]))))
    return Expr(const, tuple(terms.items()))


ZERO = Expr()


def dim(name: str, extent: int) -> Expr:
    """The expression of an axis; an axis of extent 1 is the constant 0."""
    return Expr(0, ((Dim(name, extent), 1),)) if extent != 1 else ZERO


def symbol(number: int, lo: int, hi: int) -> Expr:
    """The expression of a symbol with bounds [lo, hi]."""
    return Expr(0, ((Sym(number, lo, hi), 1),)) if lo != hi else Expr(lo)


class Condition(NamedTuple):
    """lo <= expr < hi."""

    expr: Expr
    lo: int
    hi: int

    @property
    def always(self) -> bool:
        lo, hi = self.expr.bounds
        return self.lo <= lo and hi < self.hi

    @property
    def never(self) -> bool:
        lo, hi = self.expr.bounds
        return hi < self.lo or lo >= self.hi

    def __str__(self) -> str:
        return f"{self.lo} <= {self.expr} < {self.hi}"


def linearize(index: tuple[Expr, ...], shape: tuple[int, ...]) -> Expr:
    """The row-major position of an index in an array of that shape."""
    position = ZERO
    for expr, extent in zip(index, shape, strict=True):
        position = position * extent + expr
    return position


def delinearize(position: Expr, shape: tuple[int, ...]) -> tuple[Expr, ...]:
    """The index in an array of that shape of a row-major position."""
    index: list[Expr] = []
    for k in range(len(shape) - 1, -1, -1):
        index.append(position % shape[k] if k else position)
        position = position // shape[k]
    return tuple(reversed(index))


def reindex(index: tuple[Expr, ...], shape: tuple[int, ...], other: tuple[int, ...]) -> tuple[Expr, ...]:
    """The index, in an array of shape `other`, of the element at `index` in the same array reshaped to `shape`.

    Dimensions are matched in groups, as small as can be, so that an index along one group has no part in another, even where it leaves its range (behind a guard).
    """
    inner = [(expr, n) for expr, n in zip(index, shape, strict=True) if n != 1]
    wanted = [n for n in other if n != 1]
    found: list[Expr] = []
    i = j = 0
    while i < len(inner):
        a, b = i, j
        p, q = inner[i][1], wanted[j]
        i, j = i + 1, j + 1
        while p != q:
            if p < q:
                p, i = p * inner[i][1], i + 1
            else:
                q, j = q * wanted[j], j + 1
        exprs, extents = zip(*inner[a:i], strict=True)
        found += delinearize(linearize(exprs, extents), tuple(wanted[b:j]))
    rest = iter(found)
    return tuple(ZERO if n == 1 else next(rest) for n in other)
