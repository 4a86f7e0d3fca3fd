// RUN: xdsl-opt %s | filecheck %s
// RUN: xdsl-opt %s --print-op-generic | xdsl-opt | filecheck %s

// Every operation in its custom syntax, as its documentation shows it.

// CHECK-LABEL: @integer_pow(
// CHECK: %y = array.integer_pow %x y 3 : tensor<4x8xf32>
func.func @integer_pow(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.integer_pow %x y 3 : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @neg(
// CHECK: %y = array.neg %x : tensor<4x8xf32>
func.func @neg(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.neg %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @abs(
// CHECK: %y = array.abs %x : tensor<4x8xf32>
func.func @abs(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.abs %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @sign(
// CHECK: %y = array.sign %x : tensor<4x8xf32>
func.func @sign(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.sign %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @floor(
// CHECK: %y = array.floor %x : tensor<4x8xf32>
func.func @floor(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.floor %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @ceil(
// CHECK: %y = array.ceil %x : tensor<4x8xf32>
func.func @ceil(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.ceil %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @trunc(
// CHECK: %y = array.trunc %x : tensor<4x8xf32>
func.func @trunc(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.trunc %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @round(
// CHECK: %y = array.round %x : tensor<4x8xf32>
func.func @round(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.round %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @not(
// CHECK: %y = array.not %x : tensor<4xi1>
func.func @not(%x : tensor<4xi1>) -> tensor<4xi1> {
  %y = array.not %x : tensor<4xi1>
  func.return %y : tensor<4xi1>
}

// CHECK-LABEL: @population_count(
// CHECK: %y = array.population_count %x : tensor<4xi32>
func.func @population_count(%x : tensor<4xi32>) -> tensor<4xi32> {
  %y = array.population_count %x : tensor<4xi32>
  func.return %y : tensor<4xi32>
}

// CHECK-LABEL: @clz(
// CHECK: %y = array.clz %x : tensor<4xi32>
func.func @clz(%x : tensor<4xi32>) -> tensor<4xi32> {
  %y = array.clz %x : tensor<4xi32>
  func.return %y : tensor<4xi32>
}

// CHECK-LABEL: @complex(
// CHECK: %z = array.complex %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xcomplex<f32>>
// CHECK: %c = array.conj %z : tensor<4xcomplex<f32>>
// CHECK: %r = array.real %c : tensor<4xcomplex<f32>> -> tensor<4xf32>
// CHECK: %i = array.imag %c : tensor<4xcomplex<f32>> -> tensor<4xf32>
func.func @complex(%x : tensor<4xf32>, %y : tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %z = array.complex %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xcomplex<f32>>
  %c = array.conj %z : tensor<4xcomplex<f32>>
  %r = array.real %c : tensor<4xcomplex<f32>> -> tensor<4xf32>
  %i = array.imag %c : tensor<4xcomplex<f32>> -> tensor<4xf32>
  func.return %r, %i : tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: @bitcast_pieces(
// CHECK: %y = array.bitcast %x : tensor<4xf32> -> tensor<4x2xui16>
func.func @bitcast_pieces(%x : tensor<4xf32>) -> tensor<4x2xui16> {
  %y = array.bitcast %x : tensor<4xf32> -> tensor<4x2xui16>
  func.return %y : tensor<4x2xui16>
}

// CHECK-LABEL: @bitcast(
// CHECK: %y = array.bitcast %x : tensor<4xf32> -> tensor<4xui32>
func.func @bitcast(%x : tensor<4xf32>) -> tensor<4xui32> {
  %y = array.bitcast %x : tensor<4xf32> -> tensor<4xui32>
  func.return %y : tensor<4xui32>
}

// CHECK-LABEL: @exp(
// CHECK: %y = array.exp %x : tensor<4x8xf32>
func.func @exp(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.exp %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @exp2(
// CHECK: %y = array.exp2 %x : tensor<4x8xf32>
func.func @exp2(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.exp2 %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @expm1(
// CHECK: %y = array.expm1 %x : tensor<4x8xf32>
func.func @expm1(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.expm1 %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @log(
// CHECK: %y = array.log %x : tensor<4x8xf32>
func.func @log(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.log %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @log1p(
// CHECK: %y = array.log1p %x : tensor<4x8xf32>
func.func @log1p(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.log1p %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @log2(
// CHECK: %y = array.log2 %x : tensor<4x8xf32>
func.func @log2(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.log2 %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @sqrt(
// CHECK: %y = array.sqrt %x : tensor<4x8xf32>
func.func @sqrt(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.sqrt %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @rsqrt(
// CHECK: %y = array.rsqrt %x : tensor<4x8xf32>
func.func @rsqrt(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.rsqrt %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @cbrt(
// CHECK: %y = array.cbrt %x : tensor<4x8xf32>
func.func @cbrt(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.cbrt %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @sin(
// CHECK: %y = array.sin %x : tensor<4x8xf32>
func.func @sin(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.sin %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @cos(
// CHECK: %y = array.cos %x : tensor<4x8xf32>
func.func @cos(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.cos %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @tan(
// CHECK: %y = array.tan %x : tensor<4x8xf32>
func.func @tan(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.tan %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @asin(
// CHECK: %y = array.asin %x : tensor<4x8xf32>
func.func @asin(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.asin %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @acos(
// CHECK: %y = array.acos %x : tensor<4x8xf32>
func.func @acos(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.acos %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @atan(
// CHECK: %y = array.atan %x : tensor<4x8xf32>
func.func @atan(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.atan %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @sinh(
// CHECK: %y = array.sinh %x : tensor<4x8xf32>
func.func @sinh(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.sinh %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @cosh(
// CHECK: %y = array.cosh %x : tensor<4x8xf32>
func.func @cosh(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.cosh %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @tanh(
// CHECK: %y = array.tanh %x : tensor<4x8xf32>
func.func @tanh(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.tanh %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @asinh(
// CHECK: %y = array.asinh %x : tensor<4x8xf32>
func.func @asinh(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.asinh %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @acosh(
// CHECK: %y = array.acosh %x : tensor<4x8xf32>
func.func @acosh(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.acosh %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @atanh(
// CHECK: %y = array.atanh %x : tensor<4x8xf32>
func.func @atanh(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.atanh %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @convert(
// CHECK: %y = array.convert %x : tensor<4xf32> -> tensor<4xi32>
func.func @convert(%x : tensor<4xf32>) -> tensor<4xi32> {
  %y = array.convert %x : tensor<4xf32> -> tensor<4xi32>
  func.return %y : tensor<4xi32>
}

// CHECK-LABEL: @is_finite(
// CHECK: %p = array.is_finite %x : tensor<4xf32> -> tensor<4xi1>
func.func @is_finite(%x : tensor<4xf32>) -> tensor<4xi1> {
  %p = array.is_finite %x : tensor<4xf32> -> tensor<4xi1>
  func.return %p : tensor<4xi1>
}

// CHECK-LABEL: @stop_gradient(
// CHECK: %y = array.stop_gradient %x : tensor<4xf32>
func.func @stop_gradient(%x : tensor<4xf32>) -> tensor<4xf32> {
  %y = array.stop_gradient %x : tensor<4xf32>
  func.return %y : tensor<4xf32>
}

// CHECK-LABEL: @optimization_barrier(
// CHECK: %y = array.optimization_barrier %x : tensor<4xf32>
func.func @optimization_barrier(%x : tensor<4xf32>) -> tensor<4xf32> {
  %y = array.optimization_barrier %x : tensor<4xf32>
  func.return %y : tensor<4xf32>
}

// CHECK-LABEL: @erf(
// CHECK: %y = array.erf %x : tensor<4x8xf32>
func.func @erf(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.erf %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @erfc(
// CHECK: %y = array.erfc %x : tensor<4x8xf32>
func.func @erfc(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.erfc %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @erf_inv(
// CHECK: %y = array.erf_inv %x : tensor<4x8xf32>
func.func @erf_inv(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.erf_inv %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @lgamma(
// CHECK: %y = array.lgamma %x : tensor<4x8xf32>
func.func @lgamma(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.lgamma %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @digamma(
// CHECK: %y = array.digamma %x : tensor<4x8xf32>
func.func @digamma(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.digamma %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @logistic(
// CHECK: %y = array.logistic %x : tensor<4x8xf32>
func.func @logistic(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = array.logistic %x : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @add(
// CHECK: %z = array.add %x, %y : tensor<4x8xf32>
func.func @add(%x : tensor<4x8xf32>, %y : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %z = array.add %x, %y : tensor<4x8xf32>
  func.return %z : tensor<4x8xf32>
}

// CHECK-LABEL: @sub(
// CHECK: %z = array.sub %x, %y : tensor<4x8xf32>
func.func @sub(%x : tensor<4x8xf32>, %y : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %z = array.sub %x, %y : tensor<4x8xf32>
  func.return %z : tensor<4x8xf32>
}

// CHECK-LABEL: @mul(
// CHECK: %z = array.mul %x, %y : tensor<4x8xf32>
func.func @mul(%x : tensor<4x8xf32>, %y : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %z = array.mul %x, %y : tensor<4x8xf32>
  func.return %z : tensor<4x8xf32>
}

// CHECK-LABEL: @div(
// CHECK: %z = array.div %x, %y : tensor<4x8xf32>
func.func @div(%x : tensor<4x8xf32>, %y : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %z = array.div %x, %y : tensor<4x8xf32>
  func.return %z : tensor<4x8xf32>
}

// CHECK-LABEL: @rem(
// CHECK: %z = array.rem %x, %y : tensor<4x8xf32>
func.func @rem(%x : tensor<4x8xf32>, %y : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %z = array.rem %x, %y : tensor<4x8xf32>
  func.return %z : tensor<4x8xf32>
}

// CHECK-LABEL: @pow(
// CHECK: %z = array.pow %x, %y : tensor<4x8xf32>
func.func @pow(%x : tensor<4x8xf32>, %y : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %z = array.pow %x, %y : tensor<4x8xf32>
  func.return %z : tensor<4x8xf32>
}

// CHECK-LABEL: @atan2(
// CHECK: %z = array.atan2 %x, %y : tensor<4x8xf32>
func.func @atan2(%x : tensor<4x8xf32>, %y : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %z = array.atan2 %x, %y : tensor<4x8xf32>
  func.return %z : tensor<4x8xf32>
}

// CHECK-LABEL: @max(
// CHECK: %z = array.max %x, %y : tensor<4x8xf32>
func.func @max(%x : tensor<4x8xf32>, %y : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %z = array.max %x, %y : tensor<4x8xf32>
  func.return %z : tensor<4x8xf32>
}

// CHECK-LABEL: @min(
// CHECK: %z = array.min %x, %y : tensor<4x8xf32>
func.func @min(%x : tensor<4x8xf32>, %y : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %z = array.min %x, %y : tensor<4x8xf32>
  func.return %z : tensor<4x8xf32>
}

// CHECK-LABEL: @and(
// CHECK: %z = array.and %x, %y : tensor<4xi1>
func.func @and(%x : tensor<4xi1>, %y : tensor<4xi1>) -> tensor<4xi1> {
  %z = array.and %x, %y : tensor<4xi1>
  func.return %z : tensor<4xi1>
}

// CHECK-LABEL: @or(
// CHECK: %z = array.or %x, %y : tensor<4xi1>
func.func @or(%x : tensor<4xi1>, %y : tensor<4xi1>) -> tensor<4xi1> {
  %z = array.or %x, %y : tensor<4xi1>
  func.return %z : tensor<4xi1>
}

// CHECK-LABEL: @xor(
// CHECK: %z = array.xor %x, %y : tensor<4xi32>
func.func @xor(%x : tensor<4xi32>, %y : tensor<4xi32>) -> tensor<4xi32> {
  %z = array.xor %x, %y : tensor<4xi32>
  func.return %z : tensor<4xi32>
}

// CHECK-LABEL: @shift_left(
// CHECK: %z = array.shift_left %x, %y : tensor<4xi32>
func.func @shift_left(%x : tensor<4xi32>, %y : tensor<4xi32>) -> tensor<4xi32> {
  %z = array.shift_left %x, %y : tensor<4xi32>
  func.return %z : tensor<4xi32>
}

// CHECK-LABEL: @shift_right_arithmetic(
// CHECK: %z = array.shift_right_arithmetic %x, %y : tensor<4xi32>
func.func @shift_right_arithmetic(%x : tensor<4xi32>, %y : tensor<4xi32>) -> tensor<4xi32> {
  %z = array.shift_right_arithmetic %x, %y : tensor<4xi32>
  func.return %z : tensor<4xi32>
}

// CHECK-LABEL: @shift_right_logical(
// CHECK: %z = array.shift_right_logical %x, %y : tensor<4xi32>
func.func @shift_right_logical(%x : tensor<4xi32>, %y : tensor<4xi32>) -> tensor<4xi32> {
  %z = array.shift_right_logical %x, %y : tensor<4xi32>
  func.return %z : tensor<4xi32>
}

// CHECK-LABEL: @nextafter(
// CHECK: %z = array.nextafter %x, %y : tensor<4x8xf32>
func.func @nextafter(%x : tensor<4x8xf32>, %y : tensor<4x8xf32>) -> tensor<4x8xf32> {
  %z = array.nextafter %x, %y : tensor<4x8xf32>
  func.return %z : tensor<4x8xf32>
}

// CHECK-LABEL: @compare(
// CHECK: %p = array.compare lt %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xi1>
func.func @compare(%x : tensor<4xf32>, %y : tensor<4xf32>) -> tensor<4xi1> {
  %p = array.compare lt %x, %y : tensor<4xf32>, tensor<4xf32> -> tensor<4xi1>
  func.return %p : tensor<4xi1>
}

// CHECK-LABEL: @select(
// CHECK: %z = array.select %p, %x, %y : tensor<4xi1>, tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
func.func @select(%p : tensor<4xi1>, %x : tensor<4xf32>, %y : tensor<4xf32>) -> tensor<4xf32> {
  %z = array.select %p, %x, %y : tensor<4xi1>, tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
  func.return %z : tensor<4xf32>
}

// CHECK-LABEL: @constant1(
// CHECK: %c = array.constant 1.5 : tensor<4x8xf32>
func.func @constant1() -> tensor<4x8xf32> {
  %c = array.constant 1.5 : tensor<4x8xf32>
  func.return %c : tensor<4x8xf32>
}

// CHECK-LABEL: @constant2(
// CHECK: %d = array.constant dense<[1, 2]> : tensor<2xi32>
func.func @constant2() -> tensor<2xi32> {
  %d = array.constant dense<[1, 2]> : tensor<2xi32>
  func.return %d : tensor<2xi32>
}

// CHECK-LABEL: @reshape(
// CHECK: %y = array.reshape %x : tensor<4x6xf32> -> tensor<24xf32>
func.func @reshape(%x : tensor<4x6xf32>) -> tensor<24xf32> {
  %y = array.reshape %x : tensor<4x6xf32> -> tensor<24xf32>
  func.return %y : tensor<24xf32>
}

// CHECK-LABEL: @transpose(
// CHECK: %y = array.transpose %x permutation [1, 0] : tensor<4x8xf32> -> tensor<8x4xf32>
func.func @transpose(%x : tensor<4x8xf32>) -> tensor<8x4xf32> {
  %y = array.transpose %x permutation [1, 0] : tensor<4x8xf32> -> tensor<8x4xf32>
  func.return %y : tensor<8x4xf32>
}

// CHECK-LABEL: @broadcast_in_dim(
// CHECK: %y = array.broadcast_in_dim %x broadcast_dimensions [1] : tensor<8xf32> -> tensor<4x8xf32>
func.func @broadcast_in_dim(%x : tensor<8xf32>) -> tensor<4x8xf32> {
  %y = array.broadcast_in_dim %x broadcast_dimensions [1] : tensor<8xf32> -> tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @slice(
// CHECK: %y = array.slice %x start [1] limit [7] strides [2] : tensor<8xf32> -> tensor<3xf32>
func.func @slice(%x : tensor<8xf32>) -> tensor<3xf32> {
  %y = array.slice %x start [1] limit [7] strides [2] : tensor<8xf32> -> tensor<3xf32>
  func.return %y : tensor<3xf32>
}

// CHECK-LABEL: @reverse(
// CHECK: %y = array.reverse %x dimensions [0] : tensor<8xf32>
func.func @reverse(%x : tensor<8xf32>) -> tensor<8xf32> {
  %y = array.reverse %x dimensions [0] : tensor<8xf32>
  func.return %y : tensor<8xf32>
}

// CHECK-LABEL: @pad(
// CHECK: %y = array.pad %x, %v low [1] high [2] interior [0] : tensor<4xf32>, tensor<f32> -> tensor<7xf32>
func.func @pad(%x : tensor<4xf32>, %v : tensor<f32>) -> tensor<7xf32> {
  %y = array.pad %x, %v low [1] high [2] interior [0] : tensor<4xf32>, tensor<f32> -> tensor<7xf32>
  func.return %y : tensor<7xf32>
}

// CHECK-LABEL: @concatenate(
// CHECK: %z = array.concatenate %x, %y dimension 0 : tensor<4xf32>, tensor<2xf32> -> tensor<6xf32>
func.func @concatenate(%x : tensor<4xf32>, %y : tensor<2xf32>) -> tensor<6xf32> {
  %z = array.concatenate %x, %y dimension 0 : tensor<4xf32>, tensor<2xf32> -> tensor<6xf32>
  func.return %z : tensor<6xf32>
}

// CHECK-LABEL: @window(
// CHECK: %y = array.window %x dims [0] sizes [3] strides [2] dilations [1] : tensor<9xf32> -> tensor<4x3xf32>
func.func @window(%x : tensor<9xf32>) -> tensor<4x3xf32> {
  %y = array.window %x dims [0] sizes [3] strides [2] dilations [1] : tensor<9xf32> -> tensor<4x3xf32>
  func.return %y : tensor<4x3xf32>
}

// CHECK-LABEL: @fold(
// CHECK: %x = array.fold %y dims [0] sizes [3] strides [2] dilations [1] : tensor<4x3xf32> -> tensor<9xf32>
func.func @fold(%y : tensor<4x3xf32>) -> tensor<9xf32> {
  %x = array.fold %y dims [0] sizes [3] strides [2] dilations [1] : tensor<4x3xf32> -> tensor<9xf32>
  func.return %x : tensor<9xf32>
}

// CHECK-LABEL: @dot(
// CHECK: %c = array.dot %a, %b contract [[1], [0]] batch [[], []] : tensor<4x8xf32>, tensor<8x2xf32> -> tensor<4x2xf32>
func.func @dot(%a : tensor<4x8xf32>, %b : tensor<8x2xf32>) -> tensor<4x2xf32> {
  %c = array.dot %a, %b contract [[1], [0]] batch [[], []] : tensor<4x8xf32>, tensor<8x2xf32> -> tensor<4x2xf32>
  func.return %c : tensor<4x2xf32>
}

// CHECK-LABEL: @conv(
// CHECK: %y = array.conv %x, %w window_strides [1, 1] padding [[1, 1], [1, 1]] lhs_dilation [1, 1] rhs_dilation [1, 1] feature_group_count 1 batch_group_count 1 : tensor<8x3x16x16xf32>, tensor<4x3x3x3xf32> -> tensor<8x4x16x16xf32>
func.func @conv(%x : tensor<8x3x16x16xf32>, %w : tensor<4x3x3x3xf32>) -> tensor<8x4x16x16xf32> {
  %y = array.conv %x, %w window_strides [1, 1] padding [[1, 1], [1, 1]] lhs_dilation [1, 1] rhs_dilation [1, 1] feature_group_count 1 batch_group_count 1 : tensor<8x3x16x16xf32>, tensor<4x3x3x3xf32> -> tensor<8x4x16x16xf32>
  func.return %y : tensor<8x4x16x16xf32>
}

// CHECK-LABEL: @iota(
// CHECK: %i = array.iota dimension 1 : tensor<4x8xi32>
func.func @iota() -> tensor<4x8xi32> {
  %i = array.iota dimension 1 : tensor<4x8xi32>
  func.return %i : tensor<4x8xi32>
}

// CHECK-LABEL: @random_bits(
// CHECK: %r = array.random_bits %key : tensor<2xui32> -> tensor<4x8xui32>
func.func @random_bits(%key : tensor<2xui32>) -> tensor<4x8xui32> {
  %r = array.random_bits %key : tensor<2xui32> -> tensor<4x8xui32>
  func.return %r : tensor<4x8xui32>
}

// CHECK-LABEL: @gather(
// CHECK: %y = array.gather %x, %i offset_dims [1] collapsed_slice_dims [0] start_index_map [0] operand_batching_dims [] start_indices_batching_dims [] slice_sizes [1, 8] mode clip : tensor<4x8xf32>, tensor<3x1xi32> -> tensor<3x8xf32>
func.func @gather(%x : tensor<4x8xf32>, %i : tensor<3x1xi32>) -> tensor<3x8xf32> {
  %y = array.gather %x, %i offset_dims [1] collapsed_slice_dims [0] start_index_map [0] operand_batching_dims [] start_indices_batching_dims [] slice_sizes [1, 8] mode clip : tensor<4x8xf32>, tensor<3x1xi32> -> tensor<3x8xf32>
  func.return %y : tensor<3x8xf32>
}

// CHECK-LABEL: @scatter(
// CHECK: %y = array.scatter add %x, %i, %u update_window_dims [1] inserted_window_dims [0] scatter_dims_to_operand_dims [0] operand_batching_dims [] scatter_indices_batching_dims [] mode fill unique_indices false : tensor<4x8xf32>, tensor<3x1xi32>, tensor<3x8xf32> -> tensor<4x8xf32>
func.func @scatter(%x : tensor<4x8xf32>, %i : tensor<3x1xi32>, %u : tensor<3x8xf32>) -> tensor<4x8xf32> {
  %y = array.scatter add %x, %i, %u update_window_dims [1] inserted_window_dims [0] scatter_dims_to_operand_dims [0] operand_batching_dims [] scatter_indices_batching_dims [] mode fill unique_indices false : tensor<4x8xf32>, tensor<3x1xi32>, tensor<3x8xf32> -> tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @reduce(
// CHECK: %y = array.reduce add %x axes [1] : tensor<4x8xf32> -> tensor<4xf32>
func.func @reduce(%x : tensor<4x8xf32>) -> tensor<4xf32> {
  %y = array.reduce add %x axes [1] : tensor<4x8xf32> -> tensor<4xf32>
  func.return %y : tensor<4xf32>
}

// CHECK-LABEL: @argreduce(
// CHECK: %i = array.argreduce max %x axis 1 : tensor<4x8xf32> -> tensor<4xi32>
func.func @argreduce(%x : tensor<4x8xf32>) -> tensor<4xi32> {
  %i = array.argreduce max %x axis 1 : tensor<4x8xf32> -> tensor<4xi32>
  func.return %i : tensor<4xi32>
}

// CHECK-LABEL: @cumulate(
// CHECK: %y = array.cumulate add %x axis 0 reverse false : tensor<8xf32>
func.func @cumulate(%x : tensor<8xf32>) -> tensor<8xf32> {
  %y = array.cumulate add %x axis 0 reverse false : tensor<8xf32>
  func.return %y : tensor<8xf32>
}

// CHECK-LABEL: @dynamic_slice(
// CHECK: %y = array.dynamic_slice %x, %i sizes [3] : tensor<8xf32>, tensor<i32> -> tensor<3xf32>
func.func @dynamic_slice(%x : tensor<8xf32>, %i : tensor<i32>) -> tensor<3xf32> {
  %y = array.dynamic_slice %x, %i sizes [3] : tensor<8xf32>, tensor<i32> -> tensor<3xf32>
  func.return %y : tensor<3xf32>
}

// CHECK-LABEL: @dynamic_update_slice(
// CHECK: %y = array.dynamic_update_slice %x, %u, %i : tensor<8xf32>, tensor<3xf32>, tensor<i32> -> tensor<8xf32>
func.func @dynamic_update_slice(%x : tensor<8xf32>, %u : tensor<3xf32>, %i : tensor<i32>) -> tensor<8xf32> {
  %y = array.dynamic_update_slice %x, %u, %i : tensor<8xf32>, tensor<3xf32>, tensor<i32> -> tensor<8xf32>
  func.return %y : tensor<8xf32>
}

// CHECK-LABEL: @argsort(
// CHECK: %i = array.argsort %k, %l axis 0 : tensor<8xf32>, tensor<8xi32> -> tensor<8xi32>
func.func @argsort(%k : tensor<8xf32>, %l : tensor<8xi32>) -> tensor<8xi32> {
  %i = array.argsort %k, %l axis 0 : tensor<8xf32>, tensor<8xi32> -> tensor<8xi32>
  func.return %i : tensor<8xi32>
}

// CHECK-LABEL: @argselect(
// CHECK: %i = array.argselect %x, %r : tensor<4x300xf32>, tensor<4x2xi32> -> tensor<4x2xi32>
func.func @argselect(%x : tensor<4x300xf32>, %r : tensor<4x2xi32>) -> tensor<4x2xi32> {
  %i = array.argselect %x, %r : tensor<4x300xf32>, tensor<4x2xi32> -> tensor<4x2xi32>
  func.return %i : tensor<4x2xi32>
}

// CHECK-LABEL: @argleast(
// CHECK: %i = array.argleast %x count 3 : tensor<4x300xf32> -> tensor<4x3xi32>
func.func @argleast(%x : tensor<4x300xf32>) -> tensor<4x3xi32> {
  %i = array.argleast %x count 3 : tensor<4x300xf32> -> tensor<4x3xi32>
  func.return %i : tensor<4x3xi32>
}

// CHECK-LABEL: @butterfly(
// CHECK: %y = array.butterfly %x, %w inverse false over 1 : tensor<2x3x1x4x8x1xf32>, tensor<2x3x8xf32> -> tensor<2x3x4x1x8x1xf32>
func.func @butterfly(%x : tensor<2x3x1x4x8x1xf32>, %w : tensor<2x3x8xf32>) -> tensor<2x3x4x1x8x1xf32> {
  %y = array.butterfly %x, %w inverse false over 1 : tensor<2x3x1x4x8x1xf32>, tensor<2x3x8xf32> -> tensor<2x3x4x1x8x1xf32>
  func.return %y : tensor<2x3x4x1x8x1xf32>
}

// CHECK-LABEL: @merge_path(
// CHECK: %p = array.merge_path %length, %k chunk 16 steps 7 within 0 : tensor<1xi32>, tensor<4x96xi32> -> tensor<4x6xi32>
func.func @merge_path(%length : tensor<1xi32>, %k : tensor<4x96xi32>) -> tensor<4x6xi32> {
  %p = array.merge_path %length, %k chunk 16 steps 7 within 0 : tensor<1xi32>, tensor<4x96xi32> -> tensor<4x6xi32>
  func.return %p : tensor<4x6xi32>
}

// CHECK-LABEL: @merge(
// CHECK: %s = array.merge %length, %p, %k chunk 16 : tensor<1xi32>, tensor<4x6xi32>, tensor<4x96xi32> -> tensor<4x96xi32>
func.func @merge(%length : tensor<1xi32>, %p : tensor<4x6xi32>, %k : tensor<4x96xi32>) -> tensor<4x96xi32> {
  %s = array.merge %length, %p, %k chunk 16 : tensor<1xi32>, tensor<4x6xi32>, tensor<4x96xi32> -> tensor<4x96xi32>
  func.return %s : tensor<4x96xi32>
}

// CHECK-LABEL: @reduce_precision(
// CHECK: %y = array.reduce_precision %x exponent_bits 5 mantissa_bits 10 : tensor<4xf32>
func.func @reduce_precision(%x : tensor<4xf32>) -> tensor<4xf32> {
  %y = array.reduce_precision %x exponent_bits 5 mantissa_bits 10 : tensor<4xf32>
  func.return %y : tensor<4xf32>
}

// CHECK-LABEL: @fft(
// CHECK: %y = array.fft FFT %x lengths [8] : tensor<4x8xcomplex<f32>>
// CHECK: %z = array.fft RFFT %v lengths [8] : tensor<4x8xf32> -> tensor<4x5xcomplex<f32>>
func.func @fft(%x : tensor<4x8xcomplex<f32>>, %v : tensor<4x8xf32>) -> (tensor<4x8xcomplex<f32>>, tensor<4x5xcomplex<f32>>) {
  %y = array.fft FFT %x lengths [8] : tensor<4x8xcomplex<f32>>
  %z = array.fft RFFT %v lengths [8] : tensor<4x8xf32> -> tensor<4x5xcomplex<f32>>
  func.return %y, %z : tensor<4x8xcomplex<f32>>, tensor<4x5xcomplex<f32>>
}

// CHECK-LABEL: @running(
// CHECK: %y = array.running add %x, %s axis 0 reverse false chunk 32 : tensor<70xf32>, tensor<3xf32> -> tensor<70xf32>
func.func @running(%x : tensor<70xf32>, %s : tensor<3xf32>) -> tensor<70xf32> {
  %y = array.running add %x, %s axis 0 reverse false chunk 32 : tensor<70xf32>, tensor<3xf32> -> tensor<70xf32>
  func.return %y : tensor<70xf32>
}

// CHECK-LABEL: @bisect(
// CHECK: %i = array.bisect left %a, %v : tensor<8xi32>, tensor<4x5xi32> -> tensor<4x5xi32>
func.func @bisect(%a : tensor<8xi32>, %v : tensor<4x5xi32>) -> tensor<4x5xi32> {
  %i = array.bisect left %a, %v : tensor<8xi32>, tensor<4x5xi32> -> tensor<4x5xi32>
  func.return %i : tensor<4x5xi32>
}

// CHECK-LABEL: @triangular_solve(
// CHECK: %x = array.triangular_solve %a, %b left_side true lower true transpose_a false conjugate_a false unit_diagonal false : tensor<4x4xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
func.func @triangular_solve(%a : tensor<4x4xf32>, %b : tensor<4x2xf32>) -> tensor<4x2xf32> {
  %x = array.triangular_solve %a, %b left_side true lower true transpose_a false conjugate_a false unit_diagonal false : tensor<4x4xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
  func.return %x : tensor<4x2xf32>
}

// CHECK-LABEL: @cholesky(
// CHECK: %l = array.cholesky %x : tensor<2x4x4xf32>
func.func @cholesky(%x : tensor<2x4x4xf32>) -> tensor<2x4x4xf32> {
  %l = array.cholesky %x : tensor<2x4x4xf32>
  func.return %l : tensor<2x4x4xf32>
}

// CHECK-LABEL: @lu(
// CHECK: %lu, %pivots, %permutation = array.lu %x : tensor<4x3xf32> -> tensor<4x3xf32>, tensor<3xi32>, tensor<4xi32>
func.func @lu(%x : tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<3xi32>, tensor<4xi32>) {
  %lu, %pivots, %permutation = array.lu %x : tensor<4x3xf32> -> tensor<4x3xf32>, tensor<3xi32>, tensor<4xi32>
  func.return %lu, %pivots, %permutation : tensor<4x3xf32>, tensor<3xi32>, tensor<4xi32>
}

// CHECK-LABEL: @qr(
// CHECK: %q, %r = array.qr %x full_matrices false : tensor<4x3xf32> -> tensor<4x3xf32>, tensor<3x3xf32>
func.func @qr(%x : tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<3x3xf32>) {
  %q, %r = array.qr %x full_matrices false : tensor<4x3xf32> -> tensor<4x3xf32>, tensor<3x3xf32>
  func.return %q, %r : tensor<4x3xf32>, tensor<3x3xf32>
}

// CHECK-LABEL: @eigh(
// CHECK: %v, %w = array.eigh %x : tensor<4x4xcomplex<f32>> -> tensor<4x4xcomplex<f32>>, tensor<4xf32>
func.func @eigh(%x : tensor<4x4xcomplex<f32>>) -> (tensor<4x4xcomplex<f32>>, tensor<4xf32>) {
  %v, %w = array.eigh %x : tensor<4x4xcomplex<f32>> -> tensor<4x4xcomplex<f32>>, tensor<4xf32>
  func.return %v, %w : tensor<4x4xcomplex<f32>>, tensor<4xf32>
}

// CHECK-LABEL: @svd(
// CHECK: %s, %u, %vh = array.svd %x full_matrices false compute_uv true : tensor<4x3xf32> -> tensor<3xf32>, tensor<4x3xf32>, tensor<3x3xf32>
func.func @svd(%x : tensor<4x3xf32>) -> (tensor<3xf32>, tensor<4x3xf32>, tensor<3x3xf32>) {
  %s, %u, %vh = array.svd %x full_matrices false compute_uv true : tensor<4x3xf32> -> tensor<3xf32>, tensor<4x3xf32>, tensor<3x3xf32>
  func.return %s, %u, %vh : tensor<3xf32>, tensor<4x3xf32>, tensor<3x3xf32>
}
