"""kernel-to-wasm in wasmtime against NumPy: elementwise nests and views, without a schedule and with ones that take them apart."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_machine import Machine, run
from wasm_nests import RNG, SCHEDULES, VECTOR, elementwise, kernel, normal


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
@pytest.mark.filterwarnings("ignore:overflow")
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
