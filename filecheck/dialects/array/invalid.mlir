// RUN: xdsl-opt %s --verify-diagnostics --parsing-diagnostics --split-input-file | filecheck %s

// What each operation refuses, in the words of its own inference rule.

// CHECK: Integers cannot be raised to negative powers, got integer_pow(int32[4], -1)
func.func @integer_pow(%x : tensor<4xi32>) {
  %0 = array.integer_pow %x y -1 : tensor<4xi32>
  func.return
}

// -----

// CHECK: neg does not accept dtype bool. Accepted dtypes are: signed integer, unsigned integer, floating, complex.
func.func @neg(%x : tensor<4xi1>) {
  %0 = array.neg %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: abs does not accept dtype bool. Accepted dtypes are: signed integer, floating, complex.
func.func @abs(%x : tensor<4xi1>) {
  %0 = array.abs %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: sign does not accept dtype bool. Accepted dtypes are: signed integer, unsigned integer, floating, complex.
func.func @sign(%x : tensor<4xi1>) {
  %0 = array.sign %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: floor does not accept dtype bool. Accepted dtypes are: floating.
func.func @floor(%x : tensor<4xi1>) {
  %0 = array.floor %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: ceil does not accept dtype bool. Accepted dtypes are: floating.
func.func @ceil(%x : tensor<4xi1>) {
  %0 = array.ceil %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: trunc does not accept dtype bool. Accepted dtypes are: floating.
func.func @trunc(%x : tensor<4xi1>) {
  %0 = array.trunc %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: round does not accept dtype bool. Accepted dtypes are: floating.
func.func @round(%x : tensor<4xi1>) {
  %0 = array.round %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: not does not accept dtype float32. Accepted dtypes are: bool, signed integer, unsigned integer.
func.func @not(%x : tensor<4xf32>) {
  %0 = array.not %x : tensor<4xf32>
  func.return
}

// -----

// CHECK: population_count does not accept dtype bool. Accepted dtypes are: signed integer, unsigned integer.
func.func @population_count(%x : tensor<4xi1>) {
  %0 = array.population_count %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: clz does not accept dtype bool. Accepted dtypes are: signed integer, unsigned integer.
func.func @clz(%x : tensor<4xi1>) {
  %0 = array.clz %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: complex does not accept dtype float16. Accepted dtypes are: float32, float64.
func.func @complex(%x : tensor<4xf16>) {
  %0 = array.complex %x, %x : tensor<4xf16>, tensor<4xf16> -> tensor<4xcomplex<f32>>
  func.return
}

// -----

// CHECK: real does not accept dtype float32. Accepted dtypes are: complex.
func.func @real(%x : tensor<4xf32>) {
  %0 = array.real %x : tensor<4xf32>
  func.return
}

// -----

// CHECK: imag does not accept dtype float32. Accepted dtypes are: complex.
func.func @imag(%x : tensor<4xf32>) {
  %0 = array.imag %x : tensor<4xf32>
  func.return
}

// -----

// CHECK: conj does not accept dtype float32. Accepted dtypes are: complex.
func.func @conj(%x : tensor<4xf32>) {
  %0 = array.conj %x : tensor<4xf32>
  func.return
}

// -----

// CHECK: bitcast: to read float32 as float64, the last axis must have 2 elements, got shape (4,).
func.func @bitcast(%x : tensor<4xf32>) {
  %0 = array.bitcast %x : tensor<4xf32> -> tensor<2xf64>
  func.return
}

// -----

// CHECK: exp does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @exp(%x : tensor<4xi1>) {
  %0 = array.exp %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: exp2 does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @exp2(%x : tensor<4xi1>) {
  %0 = array.exp2 %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: expm1 does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @expm1(%x : tensor<4xi1>) {
  %0 = array.expm1 %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: log does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @log(%x : tensor<4xi1>) {
  %0 = array.log %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: log1p does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @log1p(%x : tensor<4xi1>) {
  %0 = array.log1p %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: log2 does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @log2(%x : tensor<4xi1>) {
  %0 = array.log2 %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: sqrt does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @sqrt(%x : tensor<4xi1>) {
  %0 = array.sqrt %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: rsqrt does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @rsqrt(%x : tensor<4xi1>) {
  %0 = array.rsqrt %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: cbrt does not accept dtype bool. Accepted dtypes are: floating.
func.func @cbrt(%x : tensor<4xi1>) {
  %0 = array.cbrt %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: sin does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @sin(%x : tensor<4xi1>) {
  %0 = array.sin %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: cos does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @cos(%x : tensor<4xi1>) {
  %0 = array.cos %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: tan does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @tan(%x : tensor<4xi1>) {
  %0 = array.tan %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: asin does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @asin(%x : tensor<4xi1>) {
  %0 = array.asin %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: acos does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @acos(%x : tensor<4xi1>) {
  %0 = array.acos %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: atan does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @atan(%x : tensor<4xi1>) {
  %0 = array.atan %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: sinh does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @sinh(%x : tensor<4xi1>) {
  %0 = array.sinh %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: cosh does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @cosh(%x : tensor<4xi1>) {
  %0 = array.cosh %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: tanh does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @tanh(%x : tensor<4xi1>) {
  %0 = array.tanh %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: asinh does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @asinh(%x : tensor<4xi1>) {
  %0 = array.asinh %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: acosh does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @acosh(%x : tensor<4xi1>) {
  %0 = array.acosh %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: atanh does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @atanh(%x : tensor<4xi1>) {
  %0 = array.atanh %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: convert: expected result type tensor<4xi32>, got tensor<5xi32>
func.func @convert(%x : tensor<4xf32>) {
  %0 = array.convert %x : tensor<4xf32> -> tensor<5xi32>
  func.return
}

// -----

// CHECK: is_finite does not accept dtype int32. Accepted dtypes are: floating.
func.func @is_finite(%x : tensor<4xi32>) {
  %0 = array.is_finite %x : tensor<4xi32> -> tensor<4xi1>
  func.return
}

// -----

// CHECK: stop_gradient: expected result type tensor<4xf32>, got tensor<5xf32>
func.func @stop_gradient(%x : tensor<4xf32>) {
  %0 = array.stop_gradient %x : tensor<4xf32> -> tensor<5xf32>
  func.return
}

// -----

// CHECK: erf does not accept dtype bool. Accepted dtypes are: floating.
func.func @erf(%x : tensor<4xi1>) {
  %0 = array.erf %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: erfc does not accept dtype bool. Accepted dtypes are: floating.
func.func @erfc(%x : tensor<4xi1>) {
  %0 = array.erfc %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: erf_inv does not accept dtype bool. Accepted dtypes are: floating.
func.func @erf_inv(%x : tensor<4xi1>) {
  %0 = array.erf_inv %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: lgamma does not accept dtype bool. Accepted dtypes are: floating.
func.func @lgamma(%x : tensor<4xi1>) {
  %0 = array.lgamma %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: digamma does not accept dtype bool. Accepted dtypes are: floating.
func.func @digamma(%x : tensor<4xi1>) {
  %0 = array.digamma %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: logistic does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @logistic(%x : tensor<4xi1>) {
  %0 = array.logistic %x : tensor<4xi1>
  func.return
}

// -----

// CHECK: add does not accept dtype bool. Accepted dtypes are: signed integer, unsigned integer, floating, complex.
func.func @add(%x : tensor<4xi1>, %y : tensor<4xi1>) {
  %0 = array.add %x, %y : tensor<4xi1>
  func.return
}

// -----

// CHECK: add got incompatible shapes for broadcasting: (4,), (5,).
func.func @add(%x : tensor<4xf32>, %y : tensor<5xf32>) {
  %0 = array.add %x, %y : tensor<4xf32>, tensor<5xf32> -> tensor<4xf32>
  func.return
}

// -----

// CHECK: sub does not accept dtype bool. Accepted dtypes are: signed integer, unsigned integer, floating, complex.
func.func @sub(%x : tensor<4xi1>, %y : tensor<4xi1>) {
  %0 = array.sub %x, %y : tensor<4xi1>
  func.return
}

// -----

// CHECK: sub got incompatible shapes for broadcasting: (4,), (5,).
func.func @sub(%x : tensor<4xf32>, %y : tensor<5xf32>) {
  %0 = array.sub %x, %y : tensor<4xf32>, tensor<5xf32> -> tensor<4xf32>
  func.return
}

// -----

// CHECK: mul does not accept dtype bool. Accepted dtypes are: signed integer, unsigned integer, floating, complex.
func.func @mul(%x : tensor<4xi1>, %y : tensor<4xi1>) {
  %0 = array.mul %x, %y : tensor<4xi1>
  func.return
}

// -----

// CHECK: mul got incompatible shapes for broadcasting: (4,), (5,).
func.func @mul(%x : tensor<4xf32>, %y : tensor<5xf32>) {
  %0 = array.mul %x, %y : tensor<4xf32>, tensor<5xf32> -> tensor<4xf32>
  func.return
}

// -----

// CHECK: div does not accept dtype bool. Accepted dtypes are: signed integer, unsigned integer, floating, complex.
func.func @div(%x : tensor<4xi1>, %y : tensor<4xi1>) {
  %0 = array.div %x, %y : tensor<4xi1>
  func.return
}

// -----

// CHECK: div got incompatible shapes for broadcasting: (4,), (5,).
func.func @div(%x : tensor<4xf32>, %y : tensor<5xf32>) {
  %0 = array.div %x, %y : tensor<4xf32>, tensor<5xf32> -> tensor<4xf32>
  func.return
}

// -----

// CHECK: rem does not accept dtype bool. Accepted dtypes are: signed integer, unsigned integer, floating.
func.func @rem(%x : tensor<4xi1>, %y : tensor<4xi1>) {
  %0 = array.rem %x, %y : tensor<4xi1>
  func.return
}

// -----

// CHECK: rem got incompatible shapes for broadcasting: (4,), (5,).
func.func @rem(%x : tensor<4xf32>, %y : tensor<5xf32>) {
  %0 = array.rem %x, %y : tensor<4xf32>, tensor<5xf32> -> tensor<4xf32>
  func.return
}

// -----

// CHECK: pow does not accept dtype bool. Accepted dtypes are: floating, complex.
func.func @pow(%x : tensor<4xi1>, %y : tensor<4xi1>) {
  %0 = array.pow %x, %y : tensor<4xi1>
  func.return
}

// -----

// CHECK: pow got incompatible shapes for broadcasting: (4,), (5,).
func.func @pow(%x : tensor<4xf32>, %y : tensor<5xf32>) {
  %0 = array.pow %x, %y : tensor<4xf32>, tensor<5xf32> -> tensor<4xf32>
  func.return
}

// -----

// CHECK: atan2 does not accept dtype bool. Accepted dtypes are: floating.
func.func @atan2(%x : tensor<4xi1>, %y : tensor<4xi1>) {
  %0 = array.atan2 %x, %y : tensor<4xi1>
  func.return
}

// -----

// CHECK: atan2 got incompatible shapes for broadcasting: (4,), (5,).
func.func @atan2(%x : tensor<4xf32>, %y : tensor<5xf32>) {
  %0 = array.atan2 %x, %y : tensor<4xf32>, tensor<5xf32> -> tensor<4xf32>
  func.return
}

// -----

// CHECK: max got incompatible shapes for broadcasting: (4,), (5,).
func.func @max(%x : tensor<4xf32>, %y : tensor<5xf32>) {
  %0 = array.max %x, %y : tensor<4xf32>, tensor<5xf32> -> tensor<4xf32>
  func.return
}

// -----

// CHECK: min got incompatible shapes for broadcasting: (4,), (5,).
func.func @min(%x : tensor<4xf32>, %y : tensor<5xf32>) {
  %0 = array.min %x, %y : tensor<4xf32>, tensor<5xf32> -> tensor<4xf32>
  func.return
}

// -----

// CHECK: nextafter does not accept dtype bool. Accepted dtypes are: floating.
func.func @nextafter(%x : tensor<4xi1>, %y : tensor<4xi1>) {
  %0 = array.nextafter %x, %y : tensor<4xi1>
  func.return
}

// -----

// CHECK: nextafter got incompatible shapes for broadcasting: (4,), (5,).
func.func @nextafter(%x : tensor<4xf32>, %y : tensor<5xf32>) {
  %0 = array.nextafter %x, %y : tensor<4xf32>, tensor<5xf32> -> tensor<4xf32>
  func.return
}

// -----

// CHECK: and does not accept dtype float32. Accepted dtypes are: bool, signed integer, unsigned integer.
func.func @and(%x : tensor<4xf32>, %y : tensor<4xf32>) {
  %0 = array.and %x, %y : tensor<4xf32>
  func.return
}

// -----

// CHECK: and got incompatible shapes for broadcasting: (4,), (5,).
func.func @and(%x : tensor<4xi1>, %y : tensor<5xi1>) {
  %0 = array.and %x, %y : tensor<4xi1>, tensor<5xi1> -> tensor<4xi1>
  func.return
}

// -----

// CHECK: or does not accept dtype float32. Accepted dtypes are: bool, signed integer, unsigned integer.
func.func @or(%x : tensor<4xf32>, %y : tensor<4xf32>) {
  %0 = array.or %x, %y : tensor<4xf32>
  func.return
}

// -----

// CHECK: or got incompatible shapes for broadcasting: (4,), (5,).
func.func @or(%x : tensor<4xi1>, %y : tensor<5xi1>) {
  %0 = array.or %x, %y : tensor<4xi1>, tensor<5xi1> -> tensor<4xi1>
  func.return
}

// -----

// CHECK: xor does not accept dtype float32. Accepted dtypes are: bool, signed integer, unsigned integer.
func.func @xor(%x : tensor<4xf32>, %y : tensor<4xf32>) {
  %0 = array.xor %x, %y : tensor<4xf32>
  func.return
}

// -----

// CHECK: xor got incompatible shapes for broadcasting: (4,), (5,).
func.func @xor(%x : tensor<4xi1>, %y : tensor<5xi1>) {
  %0 = array.xor %x, %y : tensor<4xi1>, tensor<5xi1> -> tensor<4xi1>
  func.return
}

// -----

// CHECK: shift_left does not accept dtype bool. Accepted dtypes are: signed integer, unsigned integer.
func.func @shift_left(%x : tensor<4xi1>, %y : tensor<4xi1>) {
  %0 = array.shift_left %x, %y : tensor<4xi1>
  func.return
}

// -----

// CHECK: shift_left got incompatible shapes for broadcasting: (4,), (5,).
func.func @shift_left(%x : tensor<4xi32>, %y : tensor<5xi32>) {
  %0 = array.shift_left %x, %y : tensor<4xi32>, tensor<5xi32> -> tensor<4xi32>
  func.return
}

// -----

// CHECK: shift_right_arithmetic does not accept dtype bool. Accepted dtypes are: signed integer, unsigned integer.
func.func @shift_right_arithmetic(%x : tensor<4xi1>, %y : tensor<4xi1>) {
  %0 = array.shift_right_arithmetic %x, %y : tensor<4xi1>
  func.return
}

// -----

// CHECK: shift_right_arithmetic got incompatible shapes for broadcasting: (4,), (5,).
func.func @shift_right_arithmetic(%x : tensor<4xi32>, %y : tensor<5xi32>) {
  %0 = array.shift_right_arithmetic %x, %y : tensor<4xi32>, tensor<5xi32> -> tensor<4xi32>
  func.return
}

// -----

// CHECK: shift_right_logical does not accept dtype bool. Accepted dtypes are: signed integer, unsigned integer.
func.func @shift_right_logical(%x : tensor<4xi1>, %y : tensor<4xi1>) {
  %0 = array.shift_right_logical %x, %y : tensor<4xi1>
  func.return
}

// -----

// CHECK: shift_right_logical got incompatible shapes for broadcasting: (4,), (5,).
func.func @shift_right_logical(%x : tensor<4xi32>, %y : tensor<5xi32>) {
  %0 = array.shift_right_logical %x, %y : tensor<4xi32>, tensor<5xi32> -> tensor<4xi32>
  func.return
}

// -----

// CHECK: compare: direction must be one of eq, ne, lt, le, gt, ge, got 'above'
func.func @compare(%x : tensor<4xf32>, %y : tensor<4xf32>) {
  %0 = array.compare above %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xi1>
  func.return
}

// -----

// CHECK: compare requires arguments to have equal dtypes, got float32, int32.
func.func @compare(%x : tensor<4xf32>, %y : tensor<4xi32>) {
  %0 = array.compare lt %x, %y : tensor<4xf32>, tensor<4xi32> -> tensor<4xi1>
  func.return
}

// -----

// CHECK: select: the predicate must be bool, got int32.
func.func @select(%p : tensor<4xi32>, %x : tensor<4xf32>, %y : tensor<4xf32>) {
  %0 = array.select %p, %x, %y : tensor<4xi32>, tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
  func.return
}

// -----

// CHECK: select got incompatible shapes for broadcasting: (4,), (4,), (5,).
func.func @select(%p : tensor<4xi1>, %x : tensor<4xf32>, %y : tensor<5xf32>) {
  %0 = array.select %p, %x, %y : tensor<4xi1>, tensor<4xf32>, tensor<5xf32> -> tensor<4xf32>
  func.return
}

// -----

// CHECK: 2.5 is not a value of dtype int32
func.func @constant() {
  %0 = array.constant 2.5 : tensor<2xi32>
  func.return
}

// -----

// CHECK: cannot reshape array of shape (4, 6) (size 24) into shape (23,) (size 23)
func.func @reshape(%x : tensor<4x6xf32>) {
  %0 = array.reshape %x : tensor<4x6xf32> -> tensor<23xf32>
  func.return
}

// -----

// CHECK: transpose permutation isn't a permutation of operand dimensions, got permutation (0, 0) for operand shape (4, 8).
func.func @transpose(%x : tensor<4x8xf32>) {
  %0 = array.transpose %x permutation [0, 0] : tensor<4x8xf32> -> tensor<4x4xf32>
  func.return
}

// -----

// CHECK: broadcast_in_dim operand dimension sizes must either be 1, or be equal to their corresponding dimensions in the target broadcast shape; got operand of shape (8,), target broadcast shape (4, 8), broadcast_dimensions (0,).
func.func @broadcast_in_dim(%x : tensor<8xf32>) {
  %0 = array.broadcast_in_dim %x broadcast_dimensions [0] : tensor<8xf32> -> tensor<4x8xf32>
  func.return
}

// -----

// CHECK: broadcast_in_dim broadcast_dimensions must be strictly increasing; got (1, 0).
func.func @broadcast_in_dim(%x : tensor<8x4xf32>) {
  %0 = array.broadcast_in_dim %x broadcast_dimensions [1, 0] : tensor<8x4xf32> -> tensor<4x8xf32>
  func.return
}

// -----

// CHECK: slice: expected 0 <= start_indices <= limit_indices <= operand shape; got start_indices (1,), limit_indices (9,) and operand shape (8,).
func.func @slice(%x : tensor<8xf32>) {
  %0 = array.slice %x start [1] limit [9] strides [2] : tensor<8xf32> -> tensor<4xf32>
  func.return
}

// -----

// CHECK: slice strides must be positive, got (0,).
func.func @slice(%x : tensor<8xf32>) {
  %0 = array.slice %x start [1] limit [7] strides [0] : tensor<8xf32> -> tensor<4xf32>
  func.return
}

// -----

// CHECK: rev: dimensions must lie in [0, 1), got (1,).
func.func @reverse(%x : tensor<8xf32>) {
  %0 = array.reverse %x dimensions [1] : tensor<8xf32>
  func.return
}

// -----

// CHECK: window: sizes, strides and dilations must be positive, got (3,), (0,) and (1,).
func.func @window(%x : tensor<9xf32>) {
  %0 = array.window %x dims [0] sizes [3] strides [0] dilations [1] : tensor<9xf32> -> tensor<4x3xf32>
  func.return
}

// -----

// CHECK: fold: the windows of shape (9,) have shape (4, 3), got (3, 3).
func.func @fold(%x : tensor<3x3xf32>) {
  %0 = array.fold %x dims [0] sizes [3] strides [2] dilations [1] : tensor<3x3xf32> -> tensor<9xf32>
  func.return
}

// -----

// CHECK: pad: interior padding must not be negative, got (-1,).
func.func @pad(%x : tensor<4xf32>, %v : tensor<f32>) {
  %0 = array.pad %x, %v low [1] high [2] interior [-1] : tensor<4xf32>, tensor<f32> -> tensor<7xf32>
  func.return
}

// -----

// CHECK: Dimension size after padding is not at least 0, got result shape (-1,) for low (-3,), high (-2,) and operand shape (4,).
func.func @pad(%x : tensor<4xf32>, %v : tensor<f32>) {
  %0 = array.pad %x, %v low [-3] high [-2] interior [0] : tensor<4xf32>, tensor<f32> -> tensor<0xf32>
  func.return
}

// -----

// CHECK: pad: padding_value must be a scalar of dtype float32, got int32[].
func.func @pad(%x : tensor<4xf32>, %v : tensor<i32>) {
  %0 = array.pad %x, %v low [1] high [2] interior [0] : tensor<4xf32>, tensor<i32> -> tensor<7xf32>
  func.return
}

// -----

// CHECK: Cannot concatenate arrays with shapes that differ in dimensions other than the one being concatenated: concatenating along dimension 0 for shapes (4, 2), (2, 3).
func.func @concatenate(%x : tensor<4x2xf32>, %y : tensor<2x3xf32>) {
  %0 = array.concatenate %x, %y dimension 0 : tensor<4x2xf32>, tensor<2x3xf32> -> tensor<6x2xf32>
  func.return
}

// -----

// CHECK: dot_general: contracting dimensions differ: lhs (4, 8) has 8 at axis 1, rhs (7, 2) has 7 at axis 0
func.func @dot(%x : tensor<4x8xf32>, %y : tensor<7x2xf32>) {
  %0 = array.dot %x, %y contract [[1], [0]] batch [[], []] : tensor<4x8xf32>, tensor<7x2xf32> -> tensor<4x2xf32>
  func.return
}

// -----

// CHECK: dot_general requires arguments of equal dtypes, got float32 and int32.
func.func @dot(%x : tensor<4x8xf32>, %y : tensor<8x2xi32>) {
  %0 = array.dot %x, %y contract [[1], [0]] batch [[], []] : tensor<4x8xf32>, tensor<8x2xi32> -> tensor<4x2xf32>
  func.return
}

// -----

// CHECK: conv_general_dilated: lhs feature dimension size 3 must be rhs input feature dimension size 3 times feature_group_count 2.
func.func @conv(%x : tensor<8x3x16xf32>, %w : tensor<4x3x3xf32>) {
  %0 = array.conv %x, %w window_strides [1] padding [[1, 1]] lhs_dilation [1] rhs_dilation [1] feature_group_count 2 batch_group_count 1 : tensor<8x3x16xf32>, tensor<4x3x3xf32> -> tensor<8x4x16xf32>
  func.return
}

// -----

// CHECK: iota dimension must be between 0 and 2, got dimension=2 for shape (4, 8)
func.func @iota() {
  %0 = array.iota dimension 2 : tensor<4x8xi32>
  func.return
}

// -----

// CHECK: random_bits: the key must be uint32[2], got uint32[3].
func.func @random_bits(%k : tensor<3xui32>) {
  %0 = array.random_bits %k : tensor<3xui32> -> tensor<4xui32>
  func.return
}

// -----

// CHECK: gather: collapsed and batching dimensions must have slice size at most 1, got slice_sizes (2, 8) and dimensions (0,).
func.func @gather(%x : tensor<4x8xf32>, %i : tensor<3x1xi32>) {
  %0 = array.gather %x, %i offset_dims [1] collapsed_slice_dims [0] start_index_map [0] operand_batching_dims [] start_indices_batching_dims [] slice_sizes [2, 8] mode clip : tensor<4x8xf32>, tensor<3x1xi32> -> tensor<3x8xf32>
  func.return
}

// -----

// CHECK: gather: mode must be one of clip, fill, promise_in_bounds, got 'wrap'
func.func @gather(%x : tensor<4x8xf32>, %i : tensor<3x1xi32>) {
  %0 = array.gather %x, %i offset_dims [1] collapsed_slice_dims [0] start_index_map [0] operand_batching_dims [] start_indices_batching_dims [] slice_sizes [1, 8] mode wrap : tensor<4x8xf32>, tensor<3x1xi32> -> tensor<3x8xf32>
  func.return
}

// -----

// CHECK: scatter: the updates' shape (3, 8) without update_window_dims (1,) must be that of the indices without the last axis, (2,).
func.func @scatter(%x : tensor<4x8xf32>, %i : tensor<2x1xi32>, %u : tensor<3x8xf32>) {
  %0 = array.scatter add %x, %i, %u update_window_dims [1] inserted_window_dims [0] scatter_dims_to_operand_dims [0] operand_batching_dims [] scatter_indices_batching_dims [] mode fill : tensor<4x8xf32>, tensor<2x1xi32>, tensor<3x8xf32> -> tensor<4x8xf32>
  func.return
}

// -----

// CHECK: dynamic_slice: slice sizes must be less than or equal to operand shape, got sizes (9,) for operand shape (8,).
func.func @dynamic_slice(%x : tensor<8xf32>, %i : tensor<i32>) {
  %0 = array.dynamic_slice %x, %i sizes [9] : tensor<8xf32>, tensor<i32> -> tensor<9xf32>
  func.return
}

// -----

// CHECK: dynamic_slice: start indices must be integer scalars, got float32[].
func.func @dynamic_slice(%x : tensor<8xf32>, %i : tensor<f32>) {
  %0 = array.dynamic_slice %x, %i sizes [3] : tensor<8xf32>, tensor<f32> -> tensor<3xf32>
  func.return
}

// -----

// CHECK: dynamic_update_slice requires the operand and the update to have equal dtypes, got float32 and int32.
func.func @dynamic_update_slice(%x : tensor<8xf32>, %u : tensor<3xi32>, %i : tensor<i32>) {
  %0 = array.dynamic_update_slice %x, %u, %i : tensor<8xf32>, tensor<3xi32>, tensor<i32> -> tensor<8xf32>
  func.return
}

// -----

// CHECK: reduce: kind must be one of add, mul, max, min, and, or, xor, got 'mean'
func.func @reduce(%x : tensor<4xf32>) {
  %0 = array.reduce mean %x axes [0] : tensor<4xf32> -> tensor<f32>
  func.return
}

// -----

// CHECK: reduce add does not accept dtype bool.
func.func @reduce(%x : tensor<4xi1>) {
  %0 = array.reduce add %x axes [0] : tensor<4xi1> -> tensor<i1>
  func.return
}

// -----

// CHECK: reduce: axes must lie in [0, 1), got (1,).
func.func @reduce(%x : tensor<4xf32>) {
  %0 = array.reduce add %x axes [1] : tensor<4xf32> -> tensor<4xf32>
  func.return
}

// -----

// CHECK: argmax of an empty axis: axis 0 of an operand of shape (0,).
func.func @argreduce(%x : tensor<0xf32>) {
  %0 = array.argreduce max %x axis 0 : tensor<0xf32> -> tensor<i32>
  func.return
}

// -----

// CHECK: argmax requires an integer index dtype, got float32.
func.func @argreduce(%x : tensor<4xf32>) {
  %0 = array.argreduce max %x axis 0 : tensor<4xf32> -> tensor<f32>
  func.return
}

// -----

// CHECK: cumulate: kind must be one of add, mul, max, min, got 'and'
func.func @cumulate(%x : tensor<8xi32>) {
  %0 = array.cumulate and %x axis 0 reverse false : tensor<8xi32>
  func.return
}

// -----

// CHECK: optimization_barrier: expected result type tensor<4xf32>, got tensor<5xf32>
func.func @optimization_barrier(%x : tensor<4xf32>) {
  %0 = array.optimization_barrier %x : tensor<4xf32> -> tensor<5xf32>
  func.return
}

// -----

// CHECK: argsort requires keys of equal shapes, got (8,), (7,).
func.func @argsort(%k : tensor<8xf32>, %l : tensor<7xi32>) {
  %0 = array.argsort %k, %l axis 0 : tensor<8xf32>, tensor<7xi32> -> tensor<8xi32>
  func.return
}

// -----

// CHECK: argselect: the ranks must be int32 of shape (4, n), got int32[3,2].
func.func @argselect(%x : tensor<4x300xf32>, %r : tensor<3x2xi32>) {
  %0 = array.argselect %x, %r : tensor<4x300xf32>, tensor<3x2xi32> -> tensor<3x2xi32>
  func.return
}

// -----

// CHECK: argleast: count must be between 0 and 8, got 9.
func.func @argleast(%x : tensor<8xf32>) {
  %0 = array.argleast %x count 9 : tensor<8xf32> -> tensor<9xi32>
  func.return
}

// -----

// CHECK: merge_path: chunk must be positive, got 0.
func.func @merge_path(%length : tensor<1xi32>, %k : tensor<4x96xi32>) {
  %0 = array.merge_path %length, %k chunk 0 steps 7 within 0 : tensor<1xi32>, tensor<4x96xi32> -> tensor<4x6xi32>
  func.return
}

// -----

// CHECK: merge: rows of 100 elements are no multiple of chunk 16.
func.func @merge(%length : tensor<1xi32>, %p : tensor<4x6xi32>, %k : tensor<4x100xi32>) {
  %0 = array.merge %length, %p, %k chunk 16 : tensor<1xi32>, tensor<4x6xi32>, tensor<4x100xi32> -> tensor<4x100xi32>
  func.return
}

// -----

// CHECK: reduce_precision: exponent_bits must be positive, got 0.
func.func @reduce_precision(%x : tensor<4xf32>) {
  %0 = array.reduce_precision %x exponent_bits 0 mantissa_bits 10 : tensor<4xf32>
  func.return
}

// -----

// CHECK: butterfly: expected roots float32[2,3,8], got float32[2,4,4].
func.func @butterfly(%x : tensor<2x3x1x4x8x1xf32>, %w : tensor<2x4x4xf32>) {
  %0 = array.butterfly %x, %w inverse false over 1 : tensor<2x3x1x4x8x1xf32>, tensor<2x4x4xf32> -> tensor<2x3x4x1x8x1xf32>
  func.return
}

// -----

// CHECK: IRFFT input shape (4, 4) minor dimensions must be (5,) for fft_lengths (8,)
func.func @fft(%x : tensor<4x4xcomplex<f32>>) {
  %0 = array.fft IRFFT %x lengths [8] : tensor<4x4xcomplex<f32>> -> tensor<4x8xf32>
  func.return
}

// -----

// CHECK: running: the starts of chunks of 32 elements must be float32[3], got float32[2].
func.func @running(%x : tensor<70xf32>, %s : tensor<2xf32>) {
  %0 = array.running add %x, %s axis 0 reverse false chunk 32 : tensor<70xf32>, tensor<2xf32> -> tensor<70xf32>
  func.return
}

// -----

// CHECK: bisect: side must be left or right, got 'middle'
func.func @bisect(%a : tensor<8xi32>, %v : tensor<4xi32>) {
  %0 = array.bisect middle %a, %v : tensor<8xi32>, tensor<4xi32> -> tensor<4xi32>
  func.return
}

// -----

// CHECK: Incompatible shapes for triangular_solve: a (4, 4) needs as many rows in b, got (3, 2).
func.func @triangular_solve(%a : tensor<4x4xf32>, %b : tensor<3x2xf32>) {
  %0 = array.triangular_solve %a, %b left_side true lower true transpose_a false conjugate_a false unit_diagonal false : tensor<4x4xf32>, tensor<3x2xf32> -> tensor<3x2xf32>
  func.return
}

// -----

// CHECK: cholesky expects square matrices in the last two dimensions, got shape (4, 3).
func.func @cholesky(%x : tensor<4x3xf32>) {
  %0 = array.cholesky %x : tensor<4x3xf32>
  func.return
}

// -----

// CHECK: lu does not accept dtype int32. Accepted dtypes are: float32, float64, complex64, complex128.
func.func @lu(%x : tensor<4x4xi32>) {
  %0, %1, %2 = array.lu %x : tensor<4x4xi32> -> tensor<4x4xi32>, tensor<4xi32>, tensor<4xi32>
  func.return
}

// -----

// CHECK: qr expects an array with at least 2 dimensions, got shape (4,).
func.func @qr(%x : tensor<4xf32>) {
  %0, %1 = array.qr %x full_matrices false : tensor<4xf32> -> tensor<4xf32>, tensor<4xf32>
  func.return
}

// -----

// CHECK: eigh expects square matrices in the last two dimensions, got shape (4, 3).
func.func @eigh(%x : tensor<4x3xf32>) {
  %0, %1 = array.eigh %x : tensor<4x3xf32> -> tensor<4x3xf32>, tensor<3xf32>
  func.return
}

// -----

// CHECK: svd does not accept dtype float16. Accepted dtypes are: float32, float64, complex64, complex128.
func.func @svd(%x : tensor<4x4xf16>) {
  %0 = array.svd %x full_matrices false compute_uv false : tensor<4x4xf16> -> tensor<4xf16>
  func.return
}
