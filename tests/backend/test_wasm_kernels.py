"""kernel-to-wasm in wasmtime against NumPy: nests as text, without a schedule and with ones that take them apart."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_machine import Machine, parse, run

from weft.dialects.kernel.host import FuncOp
from weft.passes.schedule.wasm import choose

RNG = np.random.default_rng(0)


def normal(*shape: int, dtype: str = "float32") -> np.ndarray:
    return RNG.standard_normal(shape).astype(dtype)


def kernel(axes: str, ins: dict[str, str], outs: dict[str, str], body: str) -> str:
    """A kernel of one nest: buffers by name and type (8x4xf32), without the memref<> that `@` stands for in the body."""

    def types(text: str) -> str:
        for name, type in (ins | outs).items():
            text = text.replace(f"@{name}", f"memref<{type}>")
        return text

    arguments = [", ".join(f"%{n} : memref<{t}>" for n, t in group.items()) for group in (ins, outs)]
    bound = [", ".join(f"%{n}_ = %{n} : memref<{t}>" for n, t in group.items()) for group in (ins, outs)]
    return (
        f"kernel.func @k({arguments[0]}) -> ({arguments[1]}) {{\n"
        f"  kernel.nest [{axes}] ins({bound[0]}) outs({bound[1]}) {{\n{types(body)}\n  }}\n}}"
    )


def elementwise(op: str, n: int = 37, type: str = "f32", result: str | None = None, operands: int = 1) -> str:
    """`op` of vectors of length n."""
    names = ["x", "y", "z"][:operands]
    out = result or type
    loads = "\n".join(f"    %v{n_} = kernel.load %{n_}_[i] : @{n_}" for n_ in names)
    element = {"i8": "i8"}.get(type, type).replace("ui", "i")
    args = ", ".join(f"%v{n_}" for n_ in names)
    arrow = f"{element} to {out.replace('ui', 'i')}" if result else element
    return kernel(
        f"i: par {n}",
        {n_: f"{n}x{type}" for n_ in names},
        {"o": f"{n}x{out}"},
        f"{loads}\n    %r = {op} {args} : {arrow}\n    kernel.store %r, %o_[i] : @o",
    )


VECTOR = ("split i 4", "level i1 lane", "level i0 grid")
WIDE = ("split i 16", "split i1 4", "level i11 lane", "level i10 reg", "level i0 grid")
SCHEDULES = pytest.mark.parametrize("schedule", [(), VECTOR, WIDE], ids=["none", "lanes", "registers"])


@SCHEDULES
@pytest.mark.parametrize(
    "op, f",
    [
        ("math.exp", np.exp),
        ("math.sin", np.sin),
        ("math.tanh", np.tanh),
        ("math.absf", np.abs),
        ("math.floor", np.floor),
        ("math.roundeven", np.rint),
        ("math.round", lambda x: np.trunc(x + np.copysign(np.float32(0.49999997), x))),
        ("arith.negf", np.negative),
        ("math.cbrt", np.cbrt),
    ],
)
def test_unary(op, f, schedule):
    x = normal(37) * 3
    np.testing.assert_allclose(run(elementwise(op), x, schedule=schedule)[0], f(x), rtol=3e-7)


@SCHEDULES
@pytest.mark.parametrize(
    "op, f",
    [
        ("arith.addf", np.add),
        ("arith.divf", np.divide),
        ("arith.maximumf", np.maximum),
        ("arith.minimumf", np.minimum),
        ("arith.maxnumf", np.fmax),
        ("arith.minnumf", np.fmin),
        ("kernel.remf", np.fmod),
        ("math.powf", np.power),
        ("math.atan2", np.arctan2),
        ("math.copysign", np.copysign),
    ],
)
def test_binary(op, f, schedule):
    x, y = normal(37), normal(37)
    x[[3, 30]], y[[4, 30, 7]] = np.nan, np.nan
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(run(elementwise(op, operands=2), x, y, schedule=schedule)[0], f(x, y), rtol=3e-7)


@SCHEDULES
@pytest.mark.parametrize(
    "predicate, f",
    [
        ("olt", np.less),
        ("une", np.not_equal),
        ("oeq", np.equal),
        ("uno", lambda x, y: np.isnan(x) | np.isnan(y)),
        ("ugt", lambda x, y: ~(x <= y)),
    ],
)
def test_compare_to_bool(predicate, f, schedule):
    x, y = normal(37), normal(37)
    y[:9] = x[:9]
    x[20] = np.nan
    text = (
        elementwise("arith.cmpf", operands=2, result="i1")
        .replace("arith.cmpf", f"arith.cmpf {predicate},")
        .replace("f32 to i1", "f32")
    )
    np.testing.assert_array_equal(run(text, x, y, schedule=schedule)[0], f(x, y))


@SCHEDULES
def test_bool_to_float_and_select(schedule):
    text = kernel(
        "i: par 37",
        {"p": "37xi1", "x": "37xf32"},
        {"o": "37xf32"},
        """%0 = kernel.load %p_[i] : @p
           %1 = kernel.load %x_[i] : @x
           %2 = arith.uitofp %0 : i1 to f32
           %3 = arith.select %0, %1, %2 : f32
           kernel.store %3, %o_[i] : @o""",
    )
    p, x = RNG.random(37) < 0.5, normal(37)
    np.testing.assert_array_equal(run(text, p, x, schedule=schedule)[0], np.where(p, x, p.astype("f4")))


@SCHEDULES
@pytest.mark.parametrize(
    "op, f",
    [
        ("arith.divsi", "div"),
        ("arith.remsi", "rem"),
        ("arith.divui", "divu"),
        ("arith.maxsi", "max"),
        ("arith.muli", "mul"),
        ("arith.xori", "xor"),
    ],
)
def test_integers_never_trap(op, f, schedule):
    x = RNG.integers(-50, 50, 37).astype("int32")
    y = RNG.integers(-3, 4, 37).astype("int32")
    x[0], y[0] = np.iinfo("int32").min, -1
    safe = np.where(y == 0, 1, y).astype("int64")
    trunc = (np.abs(x.astype("int64")) // np.abs(safe)) * np.sign(x) * np.sign(safe)
    expected = (
        {
            "div": np.where(y == 0, -1, trunc),
            "rem": np.where(y == 0, x, x - trunc * safe),
            "divu": np.where(y == 0, -1, x.view("uint32").astype("int64") // np.where(y == 0, 1, y.view("uint32"))),
            "max": np.maximum(x, y),
            "mul": x.astype("int64") * y,
            "xor": x ^ y,
        }[f]
        .astype("int64")
        .astype("int32")
    )
    np.testing.assert_array_equal(run(elementwise(op, type="i32", operands=2), x, y, schedule=schedule)[0], expected)


@SCHEDULES
def test_half_precision_is_stored_and_computed_in_single(schedule):
    x = np.concatenate([normal(33) * 100, [1e-7, 65519, 1e9, np.nan]]).astype("float16")
    np.testing.assert_array_equal(
        run(elementwise("arith.addf", type="f16", operands=2), x, x, schedule=schedule)[0], x + x
    )


@pytest.mark.parametrize("schedule", [(), ("split i 2", "level i1 lane")], ids=["none", "lanes"])
def test_double(schedule):
    x = normal(37, dtype="float64")
    np.testing.assert_allclose(run(elementwise("math.exp", type="f64"), x, schedule=schedule)[0], np.exp(x), rtol=1e-15)


def test_half_rounds_like_numpy_everywhere():
    x = np.concatenate(
        [np.linspace(0, 1e-4, 4000), np.linspace(-70000, 70000, 4000), 2.0 ** np.arange(-30, 20)]
    ).astype("float32")
    text = elementwise("arith.truncf", n=len(x), result="f16")
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(run(text, x, schedule=VECTOR)[0], x.astype("float16"))
    every = np.arange(65536, dtype="uint16").view("float16")
    np.testing.assert_array_equal(
        run(elementwise("arith.extf", n=65536, type="f16", result="f32"), every, schedule=VECTOR)[0],
        every.astype("float32"),
    )


@pytest.mark.parametrize("n", [1, 3, 4, 5, 16, 33])
def test_in_place_with_a_tail_updates_each_element_once(n):
    text = f"""kernel.func @k() -> (%x : memref<{n}xf32>) {{
      kernel.nest [i: par {n}] ins() outs(%o = %x : memref<{n}xf32>) {{
        %0 = kernel.load %o[i] : memref<{n}xf32>
        %1 = arith.addf %0, %0 : f32
        kernel.store %1, %o[i] : memref<{n}xf32>
      }}
    }}"""
    x = normal(n)
    np.testing.assert_array_equal(run(text, into=[x], schedule=VECTOR if n >= 4 else ())[0], x + x)


@pytest.mark.parametrize("type", ["f32", "f64", "i32"])
@pytest.mark.parametrize("stride", [-3, -2, -1, 2, 3, 4, 5])
@pytest.mark.parametrize("n", [8, 11])
def test_lanes_a_stride_apart(n, stride, type):
    """Reading and writing every second, third … element, forwards and backwards, with a tail and without."""
    size = abs(stride) * (n - 1) + 1
    place = f"i * {stride} + {size - 1 if stride < 0 else 0}"
    taken = slice(None, None, stride)
    lanes = 2 if type == "f64" else 4
    schedule = (f"split i {lanes}", "level i1 lane")

    def moved(source: int, target: int, read: str, write: str) -> str:
        body = f"%0 = kernel.load %x_[{read}] : @x\nkernel.store %0, %o_[{write}] : @o"
        return kernel(f"i: par {n}", {"x": f"{source}x{type}"}, {"o": f"{target}x{type}"}, body)

    x = np.arange(1, size + 1).astype({"f32": "f4", "f64": "f8", "i32": "i4"}[type])
    np.testing.assert_array_equal(run(moved(size, n, place, "i"), x, schedule=schedule)[0], x[taken])
    expected = np.zeros_like(x)
    expected[taken] = x[:n]
    found = run(moved(n, size, "i", place), x[:n], into=[np.zeros_like(x)], schedule=schedule)[0]
    np.testing.assert_array_equal(found, expected)


# -- views: index arithmetic ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", [(), ("split j 4", "level j1 lane")], ids=["none", "lanes"])
@pytest.mark.parametrize(
    "index, f",
    [
        ("j, i", lambda x: x.T),
        ("11 - j, i", lambda x: x[::-1].T),
        ("j, 7 - i", lambda x: x[:, ::-1].T),
        ("(i * 12 + j) floordiv 8, (i * 12 + j) mod 8", lambda x: x.reshape(8, 12)),
        (
            "(j * 8 + i) floordiv 8, (i + j) mod 8",
            lambda x: np.array([[x[(j * 8 + i) // 8, (i + j) % 8] for j in range(12)] for i in range(8)]),
        ),
        ("j floordiv 5, i", lambda x: np.array([[x[j // 5, i] for j in range(12)] for i in range(8)])),
        ("min(j, 6), i", lambda x: np.array([[x[min(j, 6), i] for j in range(12)] for i in range(8)])),
    ],
)
def test_maps(index, f, schedule):
    text = kernel(
        "i: par 8, j: par 12",
        {"x": "12x8xf32"},
        {"o": "8x12xf32"},
        f"%0 = kernel.load %x_[{index}] : @x\n kernel.store %0, %o_[i, j] : @o",
    )
    x = normal(12, 8)
    np.testing.assert_array_equal(run(text, x, schedule=schedule)[0], f(x))


@pytest.mark.parametrize("schedule", [(), ("split j 4", "level j1 lane")], ids=["none", "lanes"])
def test_padding_reads_nothing_outside(schedule):
    text = kernel(
        "i: par 7, j: par 11",
        {"x": "5x6xf32"},
        {"o": "7x11xf32"},
        "%0 = kernel.load %x_[i - 1, j - 2] if (0 <= i - 1 < 5, 0 <= j - 2 < 6) : @x\n kernel.store %0, %o_[i, j] : @o",
    )
    x = normal(5, 6)
    machine = Machine(text, schedule)
    machine.bytes[1024:] = 0xFF  # NaN on both sides of the buffer: vectors reach beyond it
    np.testing.assert_array_equal(machine(x)[0], np.pad(x, ((1, 1), (2, 3))))


@pytest.mark.parametrize("schedule", [(), ("split j 4", "level j1 lane")], ids=["none", "lanes"])
def test_concatenation(schedule):
    text = kernel(
        "i: par 3, j: par 11",
        {"x": "3x5xf32", "y": "3x6xf32"},
        {"o": "3x11xf32"},
        """%0 = kernel.load %x_[i, j] if (0 <= j < 5) : @x
           %1 = kernel.load %y_[i, j - 5] if (5 <= j < 11) : @y
           %2 = kernel.inside if (0 <= j < 5)
           %3 = arith.select %2, %0, %1 : f32
           kernel.store %3, %o_[i, j] : @o""",
    )
    x, y = normal(3, 5), normal(3, 6)
    np.testing.assert_array_equal(run(text, x, y, schedule=schedule)[0], np.concatenate([x, y], 1))


@pytest.mark.parametrize(
    "schedule",
    [(), ("split i 4", "level i1 lane"), ("split j 4", "level j1 lane")],
    ids=["none", "lanes of rows", "lanes"],
)
def test_gather_by_symbols(schedule):
    text = kernel(
        "i: par 9, j: par 6",
        {"x": "5x6xf32", "s": "9xi32"},
        {"o": "9x6xf32"},
        """%0 = kernel.load %s_[i] : @s
           %1 = kernel.load %x_ (s0 = %0 in 0 to 4) [s0, j] : @x
           kernel.store %1, %o_[i, j] : @o""",
    )
    x, s = normal(5, 6), RNG.integers(0, 5, 9).astype("int32")
    np.testing.assert_array_equal(run(text, x, s, schedule=schedule)[0], x[s])


def test_scatter_add():
    text = kernel(
        "i: par 9, j: par 6",
        {"u": "9x6xf32", "s": "9xi32"},
        {"o": "5x6xf32"},
        """%0 = kernel.load %s_[i] : @s
           %1 = kernel.load %u_[i, j] : @u
           kernel.store add %1, %o_ (s0 = %0 in -3 to 8) [s0, j] if (0 <= s0 < 5) : @o""",
    )
    u, s, x = normal(9, 6), RNG.integers(-3, 9, 9).astype("int32"), normal(5, 6)
    expected = x.copy()
    for k in range(9):
        if 0 <= s[k] < 5:
            expected[s[k]] += u[k]
    for nthreads in (1, 3):
        np.testing.assert_allclose(run(text, u, s, into=[x], nthreads=nthreads)[0], expected, rtol=1e-6)


@SCHEDULES
def test_iota(schedule):
    text = kernel(
        "i: par 37", {}, {"o": "37xi32"}, "%0 = kernel.index [i * 3 + 1] : i32\n kernel.store %0, %o_[i] : @o"
    )
    np.testing.assert_array_equal(run(text, schedule=schedule)[0], np.arange(37) * 3 + 1)


# -- reductions -------------------------------------------------------------------------------------------------------------------------------

RED = (
    (),
    ("split j 4", "level j1 lane"),
    ("split j 16", "split j1 4", "level j11 lane", "level j10 reg"),
    ("split i 4", "level i1 lane", "order i0 j"),
    ("split i 2", "level i1 reg", "order i0 j", "level i0 grid"),
)


def reduction(kind: str, type: str = "f32", m: int = 5, n: int = 23) -> str:
    return kernel(
        f"i: par {m}, j: red {n}",
        {"x": f"{m}x{n}x{type}"},
        {"o": f"{m}x{type}"},
        f"%0 = kernel.load %x_[i, j] : @x\n %1 = kernel.reduce {kind} %0 over [j] : {type}\n kernel.store %1, %o_[i] : @o",
    )


@pytest.mark.parametrize("schedule", RED, ids=range(len(RED)))
@pytest.mark.parametrize("kind, f", [("add", np.sum), ("mul", np.prod), ("max", np.max), ("min", np.min)])
def test_reductions(kind, f, schedule):
    x = normal(5, 23)
    if kind in ("max", "min"):
        x[2, 22] = x[3, 0] = x[4, 9] = np.nan
    np.testing.assert_allclose(run(reduction(kind), x, schedule=schedule)[0], f(x, axis=1), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("schedule", RED, ids=range(len(RED)))
@pytest.mark.parametrize("kind, f", [("and", np.all), ("or", np.any)])
def test_bool_reductions(kind, f, schedule):
    x = RNG.random((5, 23)) < (0.97 if kind == "and" else 0.03)
    np.testing.assert_array_equal(run(reduction(kind, "i1"), x, schedule=schedule)[0], f(x, axis=1))


@pytest.mark.parametrize("schedule", RED, ids=range(len(RED)))
@pytest.mark.parametrize("kind, f", [("add", np.sum), ("max", np.max), ("min", np.min)])
def test_integer_reductions(kind, f, schedule):
    x = RNG.integers(-1000, 1000, (5, 23)).astype("int32")
    np.testing.assert_array_equal(run(reduction(kind, "i32"), x, schedule=schedule)[0], f(x, axis=1))


@pytest.mark.parametrize("kind, value", [("add", 0), ("mul", 1), ("max", -np.inf), ("min", np.inf)])
def test_an_empty_reduction_is_its_identity(kind, value):
    np.testing.assert_array_equal(run(reduction(kind, n=0), np.zeros((5, 0), "f4"))[0], np.full(5, value, "f4"))


def test_an_empty_result_is_empty():
    assert run(reduction("add", m=0), np.zeros((0, 23), "f4"))[0].shape == (0,)


SOFTMAX = kernel(
    "i: par 5, j: red 23",
    {"x": "5x23xf32"},
    {"o": "5x23xf32"},
    """%0 = kernel.load %x_[i, j] : @x
       %1 = kernel.reduce max %0 over [j] : f32
       %2 = arith.subf %0, %1 : f32
       %3 = math.exp %2 : f32
       %4 = kernel.reduce add %3 over [j] : f32
       %5 = arith.divf %3, %4 : f32
       kernel.store %5, %o_[i, j] : @o""",
)


@pytest.mark.parametrize("keep", [(), ("keep 3 at i",)], ids=["recomputed", "kept"])
@pytest.mark.parametrize("nthreads", [1, 2])
@pytest.mark.parametrize(
    "schedule",
    [
        (),
        ("split j 4", "level j1 lane", "level i grid"),
        ("split j 8", "split j1 4", "level j11 lane", "level j10 reg", "level i grid"),
    ],
    ids=["none", "lanes", "registers"],
)
def test_softmax_in_one_nest(schedule, keep, nthreads):
    x = normal(5, 23)
    e = np.exp(x - x.max(1, keepdims=True))
    np.testing.assert_allclose(
        run(SOFTMAX, x, schedule=(*schedule, *keep), nthreads=nthreads)[0], e / e.sum(1, keepdims=True), rtol=1e-6
    )


def test_a_reduction_outside_of_what_it_keeps_is_reordered():
    """Column means under rows: the reduction runs over the outer axis."""
    text = kernel(
        "i: red 7, j: par 9",
        {"x": "7x9xf32"},
        {"o": "7x9xf32"},
        """%0 = kernel.load %x_[i, j] : @x
           %1 = kernel.reduce add %0 over [i] : f32
           %2 = arith.subf %0, %1 : f32
           kernel.store %2, %o_[i, j] : @o""",
    )
    x = normal(7, 9)
    np.testing.assert_allclose(run(text, x)[0], x - x.sum(0), rtol=1e-5, atol=1e-6)


def test_reductions_that_need_each_other_s_axes():
    """x - row sum - column sum: no order of the two loops serves both reductions."""
    text = kernel(
        "i: red 7, j: red 9",
        {"x": "7x9xf32"},
        {"o": "7x9xf32"},
        """%0 = kernel.load %x_[i, j] : @x
           %1 = kernel.reduce add %0 over [i] : f32
           %2 = kernel.reduce add %0 over [j] : f32
           %3 = arith.subf %0, %1 : f32
           %4 = arith.subf %3, %2 : f32
           kernel.store %4, %o_[i, j] : @o""",
    )
    x = normal(7, 9)
    np.testing.assert_allclose(run(text, x)[0], x - x.sum(0) - x.sum(1, keepdims=True), rtol=1e-5, atol=1e-5)


def test_several_results_with_a_global_sum():
    text = kernel(
        "i: red 7, j: red 9",
        {"x": "7x9xf32"},
        {"o": "7x9xf32", "t": "f32"},
        """%0 = kernel.load %x_[i, j] : @x
           %1 = kernel.reduce add %0 over [i, j] : f32
           %2 = arith.divf %0, %1 : f32
           kernel.store %2, %o_[i, j] : @o
           kernel.store %1, %t_[] : @t""",
    )
    x = np.abs(normal(7, 9))
    o, t = run(text, x)
    np.testing.assert_allclose(o, x / x.sum(), rtol=1e-6)
    np.testing.assert_allclose(t, x.sum(), rtol=1e-6)


# -- matmul and convolution ---------------------------------------------------------------------------------------------------------------------


def matmul(m: int, n: int, k: int) -> str:
    return kernel(
        f"i: par {m}, j: par {n}, k: red {k}",
        {"x": f"{m}x{k}xf32", "y": f"{k}x{n}xf32"},
        {"o": f"{m}x{n}xf32"},
        """%0 = kernel.load %x_[i, k] : @x
           %1 = kernel.load %y_[k, j] : @y
           %2 = arith.mulf %0, %1 : f32
           %3 = kernel.reduce add %2 over [k] : f32
           kernel.store %3, %o_[i, j] : @o""",
    )


TILE = (
    "split i 8",
    "split i1 4",
    "split j 8",
    "split j1 4",
    "order i0 j0 i10 k i11 j10 j11",
    "level i0 grid",
    "level i11 reg",
    "level j10 reg",
    "level j11 lane",
)
STAGED = (*TILE, "stage 0 at i0 panel=i10,k,i11", "stage 1 at entry panel=j0,k,j10,j11")


@pytest.mark.parametrize(
    "schedule",
    [(), TILE, STAGED, (*TILE, "split k 3"), (*TILE, "split k 3", "level k1 unroll")],
    ids=["none", "tile", "staged", "k split", "k unrolled"],
)
@pytest.mark.parametrize("nthreads", [1, 3])
def test_matmul(schedule, nthreads):
    a, b = normal(19, 13), normal(13, 21)
    np.testing.assert_allclose(
        run(matmul(19, 21, 13), a, b, schedule=schedule, nthreads=nthreads)[0], a @ b, rtol=1e-5, atol=1e-5
    )


def test_results_do_not_depend_on_the_number_of_threads():
    machine, a, b = Machine(matmul(40, 24, 13), STAGED), normal(40, 13), normal(13, 24)
    one = machine(a, b)[0]
    for nthreads in (2, 3, 5):
        np.testing.assert_array_equal(machine(a, b, nthreads=nthreads)[0], one)


# -- chosen schedules ---------------------------------------------------------------------------------------------------------------------------


def chosen(text: str, *inputs: np.ndarray, nthreads: int = 1) -> list[np.ndarray]:
    """Runs a kernel with the schedule that weft chooses for it."""
    nest = next(op for op in parse(text).body.block.ops if isinstance(op, FuncOp)).nest
    return Machine(text, choose(nest))(*inputs, nthreads=nthreads)


@pytest.mark.parametrize("nthreads", [1, 2])
@pytest.mark.parametrize(
    "m, n, k",
    [
        (1, 1, 1),
        (2, 3, 5),
        (3, 40, 7),
        (4, 8, 64),
        (5, 9, 33),
        (70, 67, 65),
        (8, 4, 9),
        (130, 12, 70),
        (40, 2, 9),
        (2, 64, 30),
    ],
)
def test_chosen_matmul(m, n, k, nthreads):
    a, b = normal(m, k), normal(k, n)
    np.testing.assert_allclose(chosen(matmul(m, n, k), a, b, nthreads=nthreads)[0], a @ b, rtol=1e-5, atol=2e-5)
    at = matmul(m, n, k).replace("x_[i, k]", "x_[k, i]").replace(f"{m}x{k}xf32", f"{k}x{m}xf32", 3)
    np.testing.assert_allclose(
        chosen(at, np.ascontiguousarray(a.T), b, nthreads=nthreads)[0], a @ b, rtol=1e-5, atol=2e-5
    )


@pytest.mark.parametrize("m, n", [(1, 1), (3, 100), (64, 3), (9, 66), (128, 37), (200, 64)])
@pytest.mark.parametrize("kind, f", [("add", np.sum), ("max", np.max)])
def test_chosen_reductions(kind, f, m, n):
    x = normal(m, n)
    np.testing.assert_allclose(chosen(reduction(kind, m=m, n=n), x, nthreads=2)[0], f(x, axis=1), rtol=1e-5, atol=1e-5)
    columns = reduction(kind, m=m, n=n).replace("[i, j] :", "[j, i] :").replace(f"{m}x{n}xf32", f"{n}x{m}xf32")
    np.testing.assert_allclose(
        chosen(columns, np.ascontiguousarray(x.T), nthreads=2)[0], f(x, axis=1), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("m, n", [(1, 3), (5, 13), (3, 100), (64, 64), (7, 4096)])
def test_chosen_softmax(m, n):
    text = SOFTMAX.replace("5x23", f"{m}x{n}").replace("par 5", f"par {m}").replace("red 23", f"red {n}")
    x = normal(m, n)
    e = np.exp(x - x.max(1, keepdims=True))
    np.testing.assert_allclose(chosen(text, x, nthreads=2)[0], e / e.sum(1, keepdims=True), rtol=2e-6)


@pytest.mark.parametrize("m, n", [(3, 30), (17, 19), (64, 64)])
def test_chosen_transpose_and_broadcast(m, n):
    text = kernel(
        f"i: par {m}, j: par {n}",
        {"x": f"{n}x{m}xf32", "b": f"{n}xf32"},
        {"o": f"{m}x{n}xf32"},
        """%0 = kernel.load %x_[j, i] : @x
           %1 = kernel.load %b_[j] : @b
           %2 = arith.addf %0, %1 : f32
           kernel.store %2, %o_[i, j] : @o""",
    )
    x, b = normal(n, m), normal(n)
    np.testing.assert_array_equal(chosen(text, x, b, nthreads=2)[0], x.T + b)


@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 1, 70), (8, 8, 8)])
def test_chosen_elementwise_over_several_axes(shape):
    a, b, c = shape
    text = kernel(
        f"i: par {a}, j: par {b}, k: par {c}",
        {"x": f"{a}x{b}x{c}xf32", "y": f"{a}x{b}x{c}xf32"},
        {"o": f"{a}x{b}x{c}xf32"},
        """%0 = kernel.load %x_[i, j, k] : @x
           %1 = kernel.load %y_[i, j, k] : @y
           %2 = arith.addf %0, %1 : f32
           kernel.store %2, %o_[i, j, k] : @o""",
    )
    x, y = normal(*shape), normal(*shape)
    np.testing.assert_array_equal(chosen(text, x, y, nthreads=3)[0], x + y)


def conv(n: int, c: int, o: int, size: int, f: int, pad: int, stride: int = 1) -> str:
    out = (size + 2 * pad - f) // stride + 1
    inside = f" if (0 <= y * {stride} + p - {pad} < {size}, 0 <= x * {stride} + q - {pad} < {size})" if pad else ""
    return kernel(
        f"n: par {n}, o: par {o}, y: par {out}, x: par {out}, c: red {c}, p: red {f}, q: red {f}",
        {"a": f"{n}x{c}x{size}x{size}xf32", "w": f"{o}x{c}x{f}x{f}xf32"},
        {"r": f"{n}x{o}x{out}x{out}xf32"},
        f"""%0 = kernel.load %a_[n, c, y * {stride} + p - {pad}, x * {stride} + q - {pad}]{inside} : @a
           %1 = kernel.load %w_[o, c, p, q] : @w
           %2 = arith.mulf %0, %1 : f32
           %3 = kernel.reduce add %2 over [c, p, q] : f32
           kernel.store %3, %r_[n, o, y, x] : @r""",
    )


def convolved(a: np.ndarray, w: np.ndarray, pad: int, stride: int) -> np.ndarray:
    a = np.pad(a, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(a, w.shape[2:], (2, 3))[:, :, ::stride, ::stride]
    return np.einsum("ncyxpq,ocpq->noyx", windows, w)


@pytest.mark.parametrize(
    "n, c, o, size, f, pad, stride",
    [
        (1, 3, 5, 9, 3, 0, 1),
        (2, 4, 8, 12, 3, 1, 1),
        (1, 2, 3, 11, 3, 1, 2),
        (1, 8, 16, 6, 5, 2, 1),
        (2, 1, 4, 28, 3, 1, 1),
    ],
)
def test_chosen_convolution(n, c, o, size, f, pad, stride):
    a, w = normal(n, c, size, size), normal(o, c, f, f)
    got = chosen(conv(n, c, o, size, f, pad, stride), a, w, nthreads=2)[0]
    np.testing.assert_allclose(got, convolved(a, w, pad, stride), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n, c, o, size, f", [(2, 3, 5, 8, 3), (3, 4, 8, 14, 3), (1, 2, 4, 9, 2)])
def test_chosen_gradient_of_weights(n, c, o, size, f):
    out = size - f + 1
    text = kernel(
        f"o: par {o}, c: par {c}, p: par {f}, q: par {f}, n: red {n}, y: red {out}, x: red {out}",
        {"a": f"{n}x{c}x{size}x{size}xf32", "g": f"{n}x{o}x{out}x{out}xf32"},
        {"r": f"{o}x{c}x{f}x{f}xf32"},
        """%0 = kernel.load %a_[n, c, y + p, x + q] : @a
           %1 = kernel.load %g_[n, o, y, x] : @g
           %2 = arith.mulf %0, %1 : f32
           %3 = kernel.reduce add %2 over [n, y, x] : f32
           kernel.store %3, %r_[o, c, p, q] : @r""",
    )
    a, g = normal(n, c, size, size), normal(n, o, out, out)
    windows = np.lib.stride_tricks.sliding_window_view(a, (out, out), (2, 3))
    got = chosen(text, a, g, nthreads=2)[0]
    np.testing.assert_allclose(got, np.einsum("ncpqyx,noyx->ocpq", windows, g), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("type, dtype, tolerance", [("f16", "float16", 2e-2), ("f64", "float64", 1e-12)])
def test_chosen_matmul_and_softmax_of_other_widths(type, dtype, tolerance):
    a, b = normal(37, 33, dtype=dtype), normal(33, 45, dtype=dtype)
    text = matmul(37, 45, 33).replace("xf32", f"x{type}").replace(": f32", f": {type}")
    expected = a.astype("float64") @ b.astype("float64")
    np.testing.assert_allclose(chosen(text, a, b, nthreads=2)[0], expected, rtol=tolerance, atol=tolerance)
    text = SOFTMAX.replace("5x23xf32", f"9x45x{type}").replace(": f32", f": {type}")
    text = text.replace("par 5", "par 9").replace("red 23", "red 45")
    x = normal(9, 45, dtype=dtype)
    e = np.exp(x.astype("float64") - x.max(1, keepdims=True))
    found = chosen(text, x, nthreads=2)[0]
    np.testing.assert_allclose(found, e / e.sum(1, keepdims=True), rtol=tolerance, atol=tolerance)
