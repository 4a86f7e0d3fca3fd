// RUN: xdsl-opt %s -p array-simplify | filecheck %s

// Literals are computed.
// CHECK-LABEL: func.func @literals
// CHECK-NEXT:  [[C:%.*]] = array.constant -7.0 : tensor<4xf32>
// CHECK-NEXT:  func.return [[C]]
func.func @literals() -> tensor<4xf32> {
  %0 = array.constant 3.0 : tensor<f32>
  %1 = array.constant 2.0 : tensor<f32>
  %2 = array.mul %0, %1 : tensor<f32>
  %3 = array.neg %2 : tensor<f32>
  %4 = array.broadcast_in_dim %3 broadcast_dimensions [] : tensor<f32> -> tensor<4xf32>
  %5 = array.constant 1.0 : tensor<4xf32>
  %6 = array.sub %4, %5 : tensor<4xf32>
  func.return %6 : tensor<4xf32>
}

// x * 1 and x - 0 are x. x + 0 is not, where x is -0; x + -0 is. Integers have one zero.
// CHECK-LABEL: func.func @identities
// CHECK-NEXT:  [[Z:%.*]] = array.constant 0.0 : tensor<f32>
// CHECK-NEXT:  [[S:%.*]] = array.add %x, [[Z]]
// CHECK-NEXT:  func.return [[S]], %x, %n
func.func @identities(%x: tensor<4xf32>, %n: tensor<4xi32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xi32>) {
  %one = array.constant 1.0 : tensor<f32>
  %zero = array.constant 0.0 : tensor<f32>
  %minus = array.constant -0.0 : tensor<f32>
  %nought = array.constant 0 : tensor<i32>
  %0 = array.mul %x, %one : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  %1 = array.sub %0, %zero : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  %2 = array.add %1, %zero : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  %3 = array.add %1, %minus : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  %4 = array.add %n, %nought : tensor<4xi32>, tensor<i32> -> tensor<4xi32>
  func.return %2, %3, %4 : tensor<4xf32>, tensor<4xf32>, tensor<4xi32>
}

// A scalar times a literal array is no scalar.
// CHECK-LABEL: func.func @shapes
// CHECK: array.mul
func.func @shapes(%x: tensor<f32>) -> tensor<4xf32> {
  %one = array.constant 1.0 : tensor<4xf32>
  %0 = array.mul %x, %one : tensor<f32>, tensor<4xf32> -> tensor<4xf32>
  func.return %0 : tensor<4xf32>
}

// Views of views are one view, or none.
// CHECK-LABEL: func.func @views
// CHECK-NEXT:  [[R:%.*]] = array.reshape %x : tensor<2x3x4xf32> -> tensor<24xf32>
// CHECK-NEXT:  func.return %x, [[R]]
func.func @views(%x: tensor<2x3x4xf32>) -> (tensor<2x3x4xf32>, tensor<24xf32>) {
  %0 = array.transpose %x permutation [1, 2, 0] : tensor<2x3x4xf32> -> tensor<3x4x2xf32>
  %1 = array.transpose %0 permutation [2, 0, 1] : tensor<3x4x2xf32> -> tensor<2x3x4xf32>
  %2 = array.reshape %1 : tensor<2x3x4xf32> -> tensor<6x4xf32>
  %3 = array.reshape %2 : tensor<6x4xf32> -> tensor<24xf32>
  func.return %1, %3 : tensor<2x3x4xf32>, tensor<24xf32>
}

// What was computed before is not computed again, and what nobody uses is not computed.
// CHECK-LABEL: func.func @twice
// CHECK-NEXT:  [[S:%.*]] = array.sin %x
// CHECK-NEXT:  [[M:%.*]] = array.mul [[S]], [[S]]
// CHECK-NEXT:  func.return [[M]]
func.func @twice(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = array.sin %x : tensor<4xf32>
  %1 = array.sin %x : tensor<4xf32>
  %2 = array.cos %x : tensor<4xf32>
  %3 = array.integer_pow %0 y 2 : tensor<4xf32>
  %4 = array.mul %0, %1 : tensor<4xf32>
  func.return %4 : tensor<4xf32>
}

// CHECK-LABEL: func.func @choices
// CHECK-NEXT:  func.return %y, %x, %x
func.func @choices(%p: tensor<4xi1>, %x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %no = array.constant false : tensor<4xi1>
  %0 = array.select %no, %x, %y : tensor<4xi1>, tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
  %1 = array.select %p, %x, %x : tensor<4xi1>, tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
  %2 = array.neg %x : tensor<4xf32>
  %3 = array.neg %2 : tensor<4xf32>
  func.return %0, %1, %3 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
