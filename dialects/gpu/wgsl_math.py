"""WGSL functions that the printer adds to a kernel where it uses them: mathematics to a few ulp, and NumPy's semantics.

WGSL leaves `exp`, `log`, `tanh`, `pow` … to the driver, which may be hundreds of ulp off, drops NaN in `min` and `max`, and lets a compiler assume that there is no NaN or
infinity. Its remainder of negative integers, written for Vulkan, is whatever a driver makes of it. So: own polynomials (minimax, found by Remez's exchange), NaN recognised by its bits, and inf and NaN made at run time from a private variable (an
expression that a compiler can evaluate to one of them is rejected).

One text serves scalars and vectors: `$F`, `$I`, `$U`, `$B` are the float, integer, unsigned and truth types of one width, `$s` the suffix of the names (nothing, 2 or 4; `$4` is always that of four).
They are written so that a driver may contract and simplify sums: what must not be simplified away goes through bit masks. The bounds, in ulp against the
correctly rounded f32, over all arguments unless told otherwise (where division and square root are exact to half a ulp; the specification allows 2.5 more): exp, exp2, log, log2, log10, sqrt, cbrt 2; expm1, log1p, sinh, cosh, tanh, asin, acos, atan, atan2, asinh, acosh, atanh, erf, tan, pow 4; sin, cos 3.

The error function beyond 1 is 1 - exp(-q), q a polynomial for -log(erfc). Angles beyond 20,000 are reduced by integers (Payne and Hanek, 1983): a float32 is m * 2**e with m of
24 bits, and of the bits of 2/pi only the 96 from 2**(2 - e) on decide what m * 2**e * 2/pi is modulo 4.

A remainder is exact: x - q * y without rounding while the quotient q is below 2**20 (a driver's division may be a few ulp off), else a long division of the mantissas, eight bits a round.
"""

from __future__ import annotations

import re
from functools import cache

PRIVATE = "var<private> w_inf_bits: u32 = 0x7f800000u;\n"

_SOURCES: dict[str, str] = {}


def define(text: str) -> None:
    """Adds functions to those that kernels may use: WGSL text, `w_name$s`, an empty line between each two."""
    for function in text.split("\n\n"):
        match = re.search(r"fn w_(\w+?)\$s\(", function)
        assert match is not None, function
        _SOURCES[match[1]] = function.strip() + "\n"


define("""
fn w_inf$s() -> $F { return bitcast<$F>($U(w_inf_bits)); }

fn w_nan$s() -> $F { return bitcast<$F>($U(w_inf_bits + 0x400000u)); }

fn w_over_zero$s(x: $F) -> $F { return select(x * w_inf$s(), w_nan$s(), x == $F(0.0)); }

fn w_is_nan$s(x: $F) -> $B { return (bitcast<$U>(x) & $U(0x7fffffffu)) > $U(0x7f800000u); }

fn w_is_inf$s(x: $F) -> $B { return (bitcast<$U>(x) & $U(0x7fffffffu)) == $U(0x7f800000u); }

fn w_max$s(a: $F, b: $F) -> $F {
  return select(select(select(b, a, a > b), b, w_is_nan$s(b)), a, w_is_nan$s(a));
}

fn w_min$s(a: $F, b: $F) -> $F {
  return select(select(select(b, a, a < b), b, w_is_nan$s(b)), a, w_is_nan$s(a));
}

fn w_copysign$s(x: $F, y: $F) -> $F {
  let a = abs(x);
  return select(a, -a, bitcast<$I>(y) < $I(0));
}

fn w_round_away$s(x: $F) -> $F { return trunc(x + w_copysign$s($F(0.49999997), x)); }

fn w_div_i32$s(a: $I, b: $I) -> $I { return select(a / select(b, $I(1), b == $I(0)), $I(-1), b == $I(0)); }

fn w_rem_i32$s(a: $I, b: $I) -> $I {
  let d = select(b, $I(1), b == $I(0));
  return select(a - (a / d) * d, a, b == $I(0));
}

fn w_div_u32$s(a: $U, b: $U) -> $U { return select(a / max(b, $U(1u)), $U(0xffffffffu), b == $U(0u)); }

fn w_rem_u32$s(a: $U, b: $U) -> $U { return select(a % max(b, $U(1u)), a, b == $U(0u)); }

fn w_floordiv_i32$s(a: $I, b: $I) -> $I {
  let q = w_div_i32$s(a, b);
  return select(q, q - $I(1), ((a ^ b) < $I(0)) & (q * b != a) & (b != $I(0)));
}

fn w_scale$s(x: $F, n: $I) -> $F {
  let half = n >> $U(1u);
  let rest = n - half;
  return x * bitcast<$F>((half + $I(127)) << $U(23u)) * bitcast<$F>((rest + $I(127)) << $U(23u));
}

fn w_exp_tail$s(r: $F) -> $F {
  let p = $F(0.5) + r * ($F(0.16666543) + r * ($F(0.041666281) + r * ($F(0.0083665728) + r * $F(0.0013946506))));
  return r + r * r * p;
}

fn w_exp$s(x: $F) -> $F {
  let y = clamp(x, $F(-104.0), $F(89.0));
  let n = round(y * $F(1.442695));
  let r = (y - n * $F(0.693359375)) + n * $F(2.1219444e-4);
  return select(w_scale$s($F(1.0) + w_exp_tail$s(r), $I(n)), x, w_is_nan$s(x));
}

fn w_exp2$s(x: $F) -> $F {
  let y = clamp(x, $F(-150.0), $F(129.0));
  let n = round(y);
  return select(w_scale$s($F(1.0) + w_exp_tail$s((y - n) * $F(0.6931472)), $I(n)), x, w_is_nan$s(x));
}

fn w_expm1$s(x: $F) -> $F {
  let y = clamp(x, $F(-20.0), $F(89.0));
  let n = round(y * $F(1.442695));
  let r = (y - n * $F(0.693359375)) + n * $F(2.1219444e-4);
  let e = w_exp_tail$s(r);
  let h = bitcast<$F>(($I(n) + $I(126)) << $U(23u));
  let far = $F(2.0) * (h * e + (h - $F(0.5)));
  return select(select(far, e, n == $F(0.0)), x, w_is_nan$s(x) | (x == $F(0.0)));
}

fn w_log_tail$s(f: $F) -> $F {
  let s = f / (f + $F(2.0));
  let z = s * s;
  let half = $F(0.5) * f * f;
  return s * (half + z * ($F(0.66666778) + z * ($F(0.39976062) + z * $F(0.29926059)))) - half;
}

fn w_log_edges$s(x: $F, y: $F) -> $F {
  let low = select(w_nan$s(), -w_inf$s(), (bitcast<$U>(x) & $U(0x7fffffffu)) == $U(0u));
  let edge = select(x, low, bitcast<$I>(x) <= $I(0));
  let plain = (bitcast<$I>(x) > $I(0)) & (bitcast<$U>(x) < $U(0x7f800000u));
  return select(select(edge, x, w_is_nan$s(x)), y, plain);
}

fn w_exponent$s(x: $F) -> $I {
  return (bitcast<$I>(x) - $I(0x3f3504f3)) >> $U(23u);
}

fn w_log$s(x: $F) -> $F {
  let small = x < $F(1.17549435e-38);
  let y = select(x, x * $F(8388608.0), small);
  let n = w_exponent$s(y);
  let m = bitcast<$F>(bitcast<$I>(y) - (n << $U(23u)));
  let e = $F(n) - select($F(0.0), $F(23.0), small);
  let r = e * $F(0.69313812) + ((m - $F(1.0)) + (w_log_tail$s(m - $F(1.0)) + e * $F(9.0580006e-6)));
  return w_log_edges$s(x, r);
}

fn w_log2$s(x: $F) -> $F {
  let small = x < $F(1.17549435e-38);
  let y = select(x, x * $F(8388608.0), small);
  let n = w_exponent$s(y);
  let m = bitcast<$F>(bitcast<$I>(y) - (n << $U(23u)));
  let e = $F(n) - select($F(0.0), $F(23.0), small);
  let f = m - $F(1.0);
  let p = w_log_tail$s(m - $F(1.0));
  let high = bitcast<$F>(bitcast<$U>(f + p) & $U(0xfffff000u));
  let low = (f - high) + p;
  return w_log_edges$s(x, e + (high * $F(1.4423828) + (low * $F(1.4423828) + (high + low) * $F(3.1225220e-4))));
}

fn w_log10$s(x: $F) -> $F {
  let small = x < $F(1.17549435e-38);
  let y = select(x, x * $F(8388608.0), small);
  let n = w_exponent$s(y);
  let m = bitcast<$F>(bitcast<$I>(y) - (n << $U(23u)));
  let e = $F(n) - select($F(0.0), $F(23.0), small);
  let r = (m - $F(1.0)) + w_log_tail$s(m - $F(1.0));
  return w_log_edges$s(x, e * $F(0.30102921) + (r * $F(0.4342945) + e * $F(7.9034151e-7)));
}

fn w_log1p$s(x: $F) -> $F {
  let n = w_exponent$s($F(1.0) + min(x, $F(16777216.0)));
  let t = bitcast<$F>(($I(127) - n) << $U(23u));
  let f = x * t + (t - $F(1.0));
  let e = $F(n);
  let r = e * $F(0.69313812) + (f + (w_log_tail$s(f) + e * $F(9.0580006e-6)));
  let plain = (x > $F(-1.0)) & (x < $F(16777216.0));
  return select(select(w_log$s($F(1.0) + x), r, plain), x, w_is_nan$s(x) | (x == $F(0.0)));
}

fn w_sinh$s(x: $F) -> $F {
  let a = abs(x);
  let t = w_expm1$s(min(a, $F(80.0)));
  let h = w_exp$s($F(0.5) * a);
  let r = select($F(0.5) * (t + t / (t + $F(1.0))), ($F(0.5) * h) * h, a > $F(80.0));
  return select(w_copysign$s(r, x), x, w_is_nan$s(x));
}

fn w_cosh$s(x: $F) -> $F {
  let a = abs(x);
  let e = w_exp$s(min(a, $F(80.0)));
  let h = w_exp$s($F(0.5) * a);
  return select(select($F(0.5) * e + $F(0.5) / e, ($F(0.5) * h) * h, a > $F(80.0)), x, w_is_nan$s(x));
}

fn w_tanh$s(x: $F) -> $F {
  let t = w_expm1$s($F(2.0) * min(abs(x), $F(10.0)));
  let y = t / (t + $F(2.0));
  return select(w_copysign$s(y, x), x, w_is_nan$s(x) | (x == $F(0.0)));
}

fn w_quadrant$s(x: $F) -> $F { return round(x * $F(0.63661977)); }

fn w_reduce_pi$s(x: $F, n: $F) -> $F {
  return (((x - n * $F(1.5703125)) - n * $F(4.8351288e-4)) - n * $F(3.1385571e-7)) - n * $F(6.0771006e-11);
}

fn w_sin_near$s(r: $F) -> $F {
  let z = r * r;
  return r + r * z * ($F(-0.16666655) + z * ($F(0.0083321008) + z * $F(-1.9503936e-4)));
}

fn w_cos_near$s(r: $F) -> $F {
  let z = r * r;
  return ($F(1.0) - $F(0.5) * z) + z * z * ($F(0.041666655) + z * ($F(-0.0013887654) + z * $F(2.446381e-5)));
}

fn w_mul_high$s(a: $U, b: $U) -> $U {
  let al = a & $U(0xffffu);
  let ah = a >> $U(16u);
  let bl = b & $U(0xffffu);
  let bh = b >> $U(16u);
  let m = ah * bl + ((al * bl) >> $U(16u));
  return ah * bh + (m >> $U(16u)) + ((al * bh + (m & $U(0xffffu))) >> $U(16u));
}

fn w_one_of$s(k: $U, a: u32, b: u32, c: u32, d: u32, e: u32) -> $U {
  return select(select(select(select($U(e), $U(d), k == $U(3u)), $U(c), k == $U(2u)), $U(b), k == $U(1u)), $U(a), k == $U(0u));
}

fn w_joined$s(a: $U, b: $U, shift: $U) -> $U {
  return select((a << shift) | (b >> (($U(32u) - shift) & $U(31u))), a, shift == $U(0u));
}

fn w_reduce_far$s(x: $F, turns: ptr<function, $I>) -> $F {
  let bits = bitcast<$U>(x) & $U(0x7fffffffu);
  let m = (bits & $U(0x7fffffu)) | $U(0x800000u);
  let place = (bits >> $U(23u)) - $U(120u);
  let k = place >> $U(5u);
  let shift = place & $U(31u);
  let a = w_one_of$s(k, 0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u);
  let b = w_one_of$s(k, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u);
  let c = w_one_of$s(k, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u);
  let d = w_one_of$s(k, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu);
  let high = w_joined$s(a, b, shift);
  let middle = w_joined$s(b, c, shift);
  let low = w_joined$s(c, d, shift);
  let p2 = m * low;
  let t1 = m * middle;
  let p1 = t1 + w_mul_high$s(m, low);
  let p0 = m * high + w_mul_high$s(m, middle) + select($U(0u), $U(1u), p1 < t1);
  let q = (p0 + $U(0x20000000u)) >> $U(30u);
  let f = p0 - (q << $U(30u));
  let below = bitcast<$I>(f) < $I(0);
  let flip = select($U(0u), $U(0xffffffffu), below);
  let n = min(countLeadingZeros(f ^ flip), $U(31u));
  let g = w_joined$s(f ^ flip, p1 ^ flip, n);
  let h = w_joined$s(p1 ^ flip, p2 ^ flip, n);
  let top = $F(g >> $U(16u));
  let rest = $F(((g & $U(0xffffu)) << $U(8u)) | (h >> $U(24u))) * $F(5.9604645e-8);
  let r = top * $F(1.5703125) + (top * $F(4.8382679e-4) + rest * $F(1.5707964));
  let size = r * bitcast<$F>(($U(113u) - n) << $U(23u));
  let negative = bitcast<$I>(x) < $I(0);
  *turns = select(bitcast<$I>(q), -bitcast<$I>(q), negative);
  return select(size, -size, below != negative);
}

fn w_reduced$s(x: $F, turns: ptr<function, $I>) -> $F {
  let n = w_quadrant$s(x);
  var r = w_reduce_pi$s(x, n);
  *turns = $I(n);
  let far = abs(x) > $F(20000.0);
  if (any(far)) {
    var others = $I(0);
    let y = w_reduce_far$s(x, &others);
    r = select(r, y, far);
    *turns = select(*turns, others, far);
  }
  return r;
}

fn w_turned$s(r: $F, q: $I) -> $F {
  let y = select(w_sin_near$s(r), w_cos_near$s(r), (q & $I(1)) == $I(1));
  return select(y, -y, (q & $I(2)) == $I(2));
}

fn w_sin$s(x: $F) -> $F {
  var q = $I(0);
  let r = w_reduced$s(x, &q);
  return select(select(w_turned$s(r, q), x, x == $F(0.0)), w_nan$s(), w_is_nan$s(x) | w_is_inf$s(x));
}

fn w_cos$s(x: $F) -> $F {
  var q = $I(0);
  let r = w_reduced$s(x, &q);
  return select(w_turned$s(r, q + $I(1)), w_nan$s(), w_is_nan$s(x) | w_is_inf$s(x));
}

fn w_tan$s(x: $F) -> $F {
  var q = $I(0);
  let r = w_reduced$s(x, &q);
  let s = w_sin_near$s(r);
  let c = w_cos_near$s(r);
  let odd = (q & $I(1)) == $I(1);
  let y = select(s, -c, odd) / select(c, s, odd);
  return select(select(y, x, x == $F(0.0)), w_nan$s(), w_is_nan$s(x) | w_is_inf$s(x));
}

fn w_asin_near$s(x: $F) -> $F {
  let z = x * x;
  let p = $F(0.16666731) + z * ($F(0.074956783) + z * ($F(0.0454657) + z * ($F(0.024057045) + z * $F(0.0425536))));
  return x + x * z * p;
}

fn w_asin$s(x: $F) -> $F {
  let a = abs(x);
  let far = $F(1.5707963) - ($F(2.0) * w_asin_near$s(sqrt(max($F(0.5) - $F(0.5) * a, $F(0.0)))) + $F(4.371139e-8));
  let r = select(w_asin_near$s(a), far, a > $F(0.5));
  return select(w_copysign$s(r, x), w_nan$s(), (a > $F(1.0)) | w_is_nan$s(x));
}

fn w_acos$s(x: $F) -> $F {
  let a = abs(x);
  let t = $F(2.0) * w_asin_near$s(sqrt(max($F(0.5) - $F(0.5) * a, $F(0.0))));
  let far = select(t, $F(3.1415927) - (t + $F(8.742278e-8)), x < $F(0.0));
  let near = $F(1.5707963) - (w_asin_near$s(x) + $F(4.371139e-8));
  return select(select(near, far, a > $F(0.5)), w_nan$s(), (a > $F(1.0)) | w_is_nan$s(x));
}

fn w_atan$s(x: $F) -> $F {
  let a = abs(x);
  let far = a > $F(2.4142135);
  let middle = a > $F(0.41421357);
  let y = select(select(a, (a - $F(1.0)) / (a + $F(1.0)), middle), $F(-1.0) / a, far);
  let base = select(select($F(0.0), $F(0.78539816), middle), $F(1.5707963), far);
  let z = y * y;
  let p = $F(-0.33333319) + z * ($F(0.19998533) + z * ($F(-0.14242966) + z * ($F(0.10581449) + z * $F(-0.060331449))));
  let low = select(select($F(0.0), $F(-2.1855695e-8), middle), $F(-4.371139e-8), far);
  return select(w_copysign$s(base + ((y + y * z * p) + low), x), x, w_is_nan$s(x));
}

fn w_atan2$s(y: $F, x: $F) -> $F {
  let a = abs(x);
  let b = abs(y);
  let both = w_is_inf$s(x) & w_is_inf$s(y);
  let q = select(select(b / a, $F(0.0), b == $F(0.0)), $F(1.0), both);
  let t = select(w_atan$s(q), $F(1.5707963), (a == $F(0.0)) & (b != $F(0.0)));
  let behind = (bitcast<$U>(x) >> $U(31u)) == $U(1u);
  let r = select(t, $F(3.1415927) - (t + $F(8.742278e-8)), behind);
  return select(w_copysign$s(r, y), w_nan$s(), w_is_nan$s(x) | w_is_nan$s(y));
}

fn w_asinh$s(x: $F) -> $F {
  let a = abs(x);
  let c = min(a, $F(1e10));
  let near = w_log1p$s(c + c * c / ($F(1.0) + sqrt(c * c + $F(1.0))));
  let r = select(near, w_log$s(a) + $F(0.6931472), a > $F(1e10));
  return select(w_copysign$s(r, x), x, w_is_nan$s(x) | (x == $F(0.0)));
}

fn w_acosh$s(x: $F) -> $F {
  let t = min(x, $F(1e10)) - $F(1.0);
  let near = w_log1p$s(t + sqrt(max($F(2.0) * t + t * t, $F(0.0))));
  let r = select(near, w_log$s(x) + $F(0.6931472), x > $F(1e10));
  return select(r, w_nan$s(), (x < $F(1.0)) | w_is_nan$s(x));
}

fn w_atanh$s(x: $F) -> $F {
  let a = abs(x);
  let r = $F(0.5) * w_log1p$s(($F(2.0) * a) / ($F(1.0) - a));
  let edge = select(w_nan$s(), w_inf$s(), a == $F(1.0));
  let all = select(r, edge, (a >= $F(1.0)) | w_is_nan$s(x));
  return select(w_copysign$s(all, x), x, x == $F(0.0));
}

fn w_rsqrt$s(x: $F) -> $F { return inverseSqrt(x); }

fn w_cbrt$s(x: $F) -> $F {
  let a = abs(x);
  let small = a < $F(1.17549435e-38);
  let large = a > $F(1e30);
  let b = select(select(a, a * $F(16777216.0), small), a * $F(5.9604645e-8), large);
  var y = bitcast<$F>(bitcast<$U>(b) / $U(3u) + $U(709921077u));
  y = y * ((y * y * y + b + b) / (y * y * y + y * y * y + b));
  y = y - (y * y - b / y) * y / ((y * y + b / y) + y * y);
  let r = w_copysign$s(select(select(y, y * $F(0.00390625), small), y * $F(256.0), large), x);
  return select(r, x, (x == $F(0.0)) | w_is_nan$s(x) | w_is_inf$s(x));
}

fn w_erf$s(x: $F) -> $F {
  let a = min(abs(x), $F(4.0));
  let z = a * a;
  let low = $F(-0.026854444) + z * ($F(0.0051895347) + z * ($F(-0.00080208374) + z * $F(7.8891123e-5)));
  let near = a * ($F(1.1283792) + z * ($F(-0.37612627) + z * ($F(0.112836) + z * low)));
  let upper = $F(-0.023665195) + a * ($F(0.0037143293) + a * ($F(-3.5721534e-4) + a * $F(1.5662453e-5)));
  let q = $F(2.2706457e-4) + a * ($F(1.1278424) + a * ($F(0.63623922) + a * ($F(0.10558928) + a * upper)));
  let n = round(q * $F(-1.442695));
  let r = n * $F(2.1219444e-4) - (q + n * $F(0.693359375));
  let s = bitcast<$F>(($I(n) + $I(127)) << $U(23u));
  let far = $F(1.0) - (s + s * w_exp_tail$s(r));
  return select(w_copysign$s(select(near, far, a > $F(1.0)), x), x, w_is_nan$s(x));
}

fn w_high$s(x: $F) -> $F { return bitcast<$F>(bitcast<$U>(x) & $U(0xfffff000u)); }

fn w_pow_plain$s(x: $F, y: $F) -> $F {
  let small = x < $F(1.17549435e-38);
  let v = select(x, x * $F(8388608.0), small);
  let k = w_exponent$s(v);
  let f = bitcast<$F>(bitcast<$I>(v) - (k << $U(23u))) - $F(1.0);
  let e = $F(k) - select($F(0.0), $F(23.0), small);
  let q = f / (f + $F(2.0));
  let s = w_high$s(q);
  let fh = w_high$s(f);
  let rest = (((f - $F(2.0) * s) - s * fh) - s * (f - fh)) / (f + $F(2.0));
  let z = q * q;
  let poly = q * z * ($F(0.66666667) + z * ($F(0.39999996) + z * ($F(0.28572115) + z * ($F(0.22175061) + z * $F(0.19609547)))));
  let eh = e * $F(0.69313812);
  let h = w_high$s(eh + $F(2.0) * s);
  let l = ((eh - h) + $F(2.0) * s) + (($F(2.0) * rest + poly) + e * $F(9.0580006e-6));
  let c = clamp(y, $F(-1e30), $F(1e30));
  let ch = w_high$s(c);
  let cl = c - ch;
  let p = ch * h;
  let pl = select(ch * l + (cl * h + cl * l), $F(0.0), abs(p) > $F(200.0));
  let g = clamp(p, $F(-110.0), $F(95.0));
  let n = round((g + pl) * $F(1.442695));
  let r = ((g - n * $F(0.693359375)) + n * $F(2.1219444e-4)) + pl;
  return w_scale$s($F(1.0) + w_exp_tail$s(r), $I(n));
}

fn w_pow$s(x: $F, y: $F) -> $F {
  let a = abs(x);
  let whole = (trunc(y) == y);
  let odd = whole & (abs(y) < $F(16777216.0)) & (($I(clamp(y, $F(-16777216.0), $F(16777216.0))) & $I(1)) == $I(1));
  let negative = (bitcast<$U>(x) >> $U(31u)) == $U(1u);
  let up = (a > $F(1.0)) == (y > $F(0.0));
  let edge = (a == $F(0.0)) | w_is_inf$s(a) | w_is_inf$s(y);
  let limit = select(select($F(0.0), w_inf$s(), up), $F(1.0), a == $F(1.0));
  let size = select(w_pow_plain$s(a, y), limit, edge);
  let signed = select(size, -size, negative & odd);
  let bad = w_is_nan$s(x) | w_is_nan$s(y) | ((x < $F(0.0)) & !whole & !w_is_inf$s(x));
  return select(select(signed, w_nan$s(), bad), $F(1.0), (x == $F(1.0)) | (y == $F(0.0)));
}
""")

define("""
fn w_fmod_far$s(a: $U, d: $U) -> $F {
  let below = a < d;
  let m = max(select(d & $U(0x7fffffu), (d & $U(0x7fffffu)) | $U(0x800000u), d >= $U(0x800000u)), $U(1u));
  let e = max(d >> $U(23u), $U(1u)) - $U(1u);
  var left = select(max(a >> $U(23u), $U(1u)) - $U(1u) - e, $U(0u), below);
  var r = select(a & $U(0x7fffffu), (a & $U(0x7fffffu)) | $U(0x800000u), a >= $U(0x800000u)) % m;
  while (any(left > $U(0u))) {
    let by = min(left, $U(8u));
    r = (r << by) % m;
    left -= by;
  }
  let up = min(countLeadingZeros(r) - $U(8u), e);
  let bits = select((r << up) + ((e - up) << $U(23u)), $U(0u), r == $U(0u));
  return bitcast<$F>(select(bits, a, below));
}

fn w_fmod$s(x: $F, y: $F) -> $F {
  let a = abs(x);
  let d = abs(y);
  let bits = bitcast<$U>(d);
  let q = trunc(a / d);
  let qh = w_high$s(q);
  let ql = q - qh;
  let dh = w_high$s(d);
  let dl = d - dh;
  var r = (((a - qh * dh) - qh * dl) - ql * dh) - ql * dl;
  r = select(r, r + d, r < $F(0.0));
  r = select(r, r - d, r >= d);
  r = select(r, a, a < d);
  let bad = w_is_nan$s(x) | w_is_inf$s(x) | w_is_nan$s(y) | (bits == $U(0u));
  let far = ((q > $F(1048576.0)) | (bits < $U(0x800000u))) & !bad;
  if (any(far)) { r = select(r, w_fmod_far$s(bitcast<$U>(a), bits), far); }
  return select(w_copysign$s(r, x), w_nan$s(), bad);
}
""")


FUNCTIONS = _SOURCES.keys()
"""Names (without the prefix `w_`) of what there is."""


define("""
fn w_bf16_bits$s(x: $F) -> $U {
  let bits = bitcast<$U>(x);
  let rounded = (bits + ((bits >> $U(16u)) & $U(1u)) + $U(0x7fffu)) >> $U(16u);
  return select(rounded, $U(0x7fc0u), w_is_nan$s(x));
}

fn w_round_bf16$s(x: $F) -> $F { return bitcast<$F>(w_bf16_bits$s(x) << $U(16u)); }

fn w_f16_bits$s(x: $F) -> $U {
  let bits = bitcast<$U>(x) & $U(0x7fffffffu);
  let normal = (bits + ((bits >> $U(13u)) & $U(1u)) - $U(0x37fff001u)) >> $U(13u);
  let small = bitcast<$U>(bitcast<$F>(bits) + $F(0.5)) - $U(0x3f000000u);
  let number = select(select(normal, small, bits < $U(0x38800000u)), $U(0x7c00u), bits >= $U(0x477ff000u));
  return select(number, $U(0x7e00u), w_is_nan$s(x)) | ((bitcast<$U>(x) >> $U(16u)) & $U(0x8000u));
}

fn w_from_f16$s(h: $U) -> $F {
  let m = h & $U(0x7fffu);
  let normal = (m << $U(13u)) + select($U(0x38000000u), $U(0x70000000u), m >= $U(0x7c00u));
  let small = bitcast<$U>($F(m) * $F(5.9604645e-8));
  return bitcast<$F>(select(normal, small, m < $U(0x400u)) | ((h & $U(0x8000u)) << $U(16u)));
}

fn w_round_f16$s(x: $F) -> $F { return w_from_f16$s(w_f16_bits$s(x)); }

fn w_unpack_i8$s(word: u32) -> vec4<i32> {
  return bitcast<vec4<i32>>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u);
}

fn w_pack_i8$s(v: vec4<i32>) -> u32 {
  let bits = (bitcast<vec4<u32>>(v) & vec4<u32>(0xffu)) << vec4<u32>(0u, 8u, 16u, 24u);
  return bits.x | bits.y | bits.z | bits.w;
}

fn w_unpack_i16$s(words: vec2<u32>) -> vec4<i32> {
  return bitcast<vec4<i32>>(words.xxyy << vec4<u32>(16u, 0u, 16u, 0u)) >> vec4<u32>(16u);
}

fn w_pack_i16$s(v: vec4<i32>) -> vec2<u32> {
  let bits = bitcast<vec4<u32>>(v) & vec4<u32>(0xffffu);
  return bits.xz | (bits.yw << vec2<u32>(16u));
}

fn w_unpack_f16$s(words: vec2<u32>) -> vec4<f32> {
  return w_from_f16$4(words.xxyy >> vec4<u32>(0u, 16u, 0u, 16u));
}

fn w_pack_f16$s(v: vec4<f32>) -> vec2<u32> {
  let bits = w_f16_bits$4(v);
  return bits.xz | (bits.yw << vec2<u32>(16u));
}

fn w_unpack_bf16$s(words: vec2<u32>) -> vec4<f32> {
  return bitcast<vec4<f32>>((words.xxyy << vec4<u32>(16u, 0u, 16u, 0u)) & vec4<u32>(0xffff0000u));
}

fn w_pack_bf16$s(v: vec4<f32>) -> vec2<u32> {
  let bits = bitcast<vec4<u32>>(v);
  let rounded = (bits + ((bits >> vec4<u32>(16u)) & vec4<u32>(1u)) + vec4<u32>(0x7fffu)) >> vec4<u32>(16u);
  let nan = (bits & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
  let kept = select(rounded, vec4<u32>(0x7fc0u), nan);
  return kept.xz | (kept.yw << vec2<u32>(16u));
}
""")


@cache
def _needs(name: str) -> tuple[tuple[str, str], ...]:
    """The functions that one calls, and of how many lanes: `s`, as many as its own, or 4."""
    return tuple(dict.fromkeys(n for n in re.findall(r"w_(\w+?)\$([s4])\(", _SOURCES[name]) if n[0] != name))


@cache
def _instance(name: str, lanes: int) -> str:
    suffix = str(lanes) if lanes > 1 else ""
    types = {"F": "f32", "I": "i32", "U": "u32", "B": "bool"}
    if lanes > 1:
        types = {k: f"vec{lanes}<{t}>" for k, t in types.items()}
    types |= {"s": suffix, "4": "4"}
    return re.sub(r"\$([FIUBs4])", lambda m: types[m[1]], _SOURCES[name])


def library(used: dict[tuple[str, int], None]) -> str:
    """The text of the functions used (by name and lanes) and all that they need, each before its callers."""
    done: dict[tuple[str, int], str] = {}

    def add(name: str, lanes: int) -> None:
        if (name, lanes) not in done:
            for other, width in _needs(name):
                add(other, lanes if width == "s" else 4)
            done[name, lanes] = _instance(name, lanes)

    for name, lanes in used:
        add(name, lanes)
    text = "".join(done.values())
    return (PRIVATE if "w_inf_bits" in text else "") + text
