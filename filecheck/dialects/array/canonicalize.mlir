// RUN: xdsl-opt %s -p canonicalize | filecheck %s

// Adding nothing (of floats that is -0.0), multiplying by one, and choosing between equals do nothing.
// CHECK-LABEL: @neutral(
// CHECK-NEXT: func.return %x : tensor<4xf32>
func.func @neutral(%x : tensor<4xf32>, %p : tensor<4xi1>) -> tensor<4xf32> {
  %zero = array.constant 0.0 : tensor<f32>
  %minus = array.constant -0.0 : tensor<f32>
  %one = array.constant 1.0 : tensor<4xf32>
  %0 = array.add %x, %minus : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  %1 = array.sub %0, %zero : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  %2 = array.mul %one, %1 : tensor<4xf32>
  %3 = array.div %2, %one : tensor<4xf32>
  %4 = array.integer_pow %3 y 1 : tensor<4xf32>
  %5 = array.max %4, %4 : tensor<4xf32>
  %6 = array.select %p, %5, %5 : tensor<4xi1>, tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>
  func.return %6 : tensor<4xf32>
}

// Likewise of integers and truth values: no bits are added, cleared or moved.
// CHECK-LABEL: @neutral_bits(
// CHECK-NEXT: func.return %i, %p : tensor<4xi32>, tensor<4xi1>
func.func @neutral_bits(%i : tensor<4xi32>, %p : tensor<4xi1>) -> (tensor<4xi32>, tensor<4xi1>) {
  %zero = array.constant 0 : tensor<4xi32>
  %false = array.constant false : tensor<4xi1>
  %0 = array.or %i, %zero : tensor<4xi32>
  %1 = array.xor %zero, %0 : tensor<4xi32>
  %2 = array.shift_left %1, %zero : tensor<4xi32>
  %3 = array.shift_right_logical %2, %zero : tensor<4xi32>
  %4 = array.shift_right_arithmetic %3, %zero : tensor<4xi32>
  %5 = array.and %4, %4 : tensor<4xi32>
  %6 = array.or %p, %false : tensor<4xi1>
  %7 = array.and %6, %6 : tensor<4xi1>
  func.return %5, %7 : tensor<4xi32>, tensor<4xi1>
}

// Nothing is above infinity or below its negative; what only transforms see is gone when they are done.
// CHECK-LABEL: @extremes(
// CHECK-NEXT: func.return %x : tensor<4xf32>
func.func @extremes(%x : tensor<4xf32>) -> tensor<4xf32> {
  %inf = array.constant inf : tensor<4xf32>
  %least = array.constant -inf : tensor<4xf32>
  %0 = array.min %x, %inf : tensor<4xf32>
  %1 = array.max %least, %0 : tensor<4xf32>
  %2 = array.stop_gradient %1 : tensor<4xf32>
  func.return %2 : tensor<4xf32>
}

// A scalar that stands for every element is not the array.
// CHECK-LABEL: @scalar_is_no_array(
// CHECK: array.add
func.func @scalar_is_no_array(%x : tensor<f32>) -> tensor<4xf32> {
  %zero = array.constant 0.0 : tensor<4xf32>
  %0 = array.add %x, %zero : tensor<f32>, tensor<4xf32> -> tensor<4xf32>
  func.return %0 : tensor<4xf32>
}

// CHECK-LABEL: @twice(
// CHECK-NEXT: func.return %x, %p : tensor<4xf32>, tensor<4xi1>
func.func @twice(%x : tensor<4xf32>, %p : tensor<4xi1>) -> (tensor<4xf32>, tensor<4xi1>) {
  %0 = array.neg %x : tensor<4xf32>
  %1 = array.neg %0 : tensor<4xf32>
  %2 = array.not %p : tensor<4xi1>
  %3 = array.not %2 : tensor<4xi1>
  func.return %1, %3 : tensor<4xf32>, tensor<4xi1>
}

// Integers times 0 are 0; a float might be NaN.
// CHECK-LABEL: @times_zero(
// CHECK-DAG: array.constant 0 : tensor<4xi32>
// CHECK-DAG: array.mul %x
func.func @times_zero(%i : tensor<4xi32>, %x : tensor<4xf32>) -> (tensor<4xi32>, tensor<4xf32>) {
  %c = array.constant 0 : tensor<i32>
  %d = array.constant 0.0 : tensor<f32>
  %0 = array.mul %i, %c : tensor<4xi32>, tensor<i32> -> tensor<4xi32>
  %1 = array.mul %x, %d : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  func.return %0, %1 : tensor<4xi32>, tensor<4xf32>
}

// CHECK-LABEL: @known_choice(
// CHECK-NEXT: %[[Y:.*]] = array.broadcast_in_dim %y broadcast_dimensions [] : tensor<f32> -> tensor<4xf32>
// CHECK-NEXT: func.return %x, %[[Y]]
func.func @known_choice(%x : tensor<4xf32>, %y : tensor<f32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %true = array.constant true : tensor<4xi1>
  %false = array.constant false : tensor<i1>
  %0 = array.select %true, %x, %y : tensor<4xi1>, tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  %1 = array.select %false, %x, %y : tensor<i1>, tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  func.return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: @conversions(
// CHECK-NEXT: %[[C:.*]] = array.constant 3.0 : tensor<4xf32>
// CHECK-NEXT: func.return %x, %x, %[[C]]
func.func @conversions(%x : tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %0 = array.convert %x : tensor<4xf32>
  %1 = array.bitcast %x : tensor<4xf32> -> tensor<4xi32>
  %2 = array.bitcast %1 : tensor<4xi32> -> tensor<4xf32>
  %3 = array.constant 3 : tensor<4xi32>
  %4 = array.convert %3 : tensor<4xi32> -> tensor<4xf32>
  func.return %0, %2, %4 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// Two views in a row are one.
// CHECK-LABEL: @reshapes(
// CHECK-NEXT: %[[R:.*]] = array.reshape %x : tensor<4x6xf32> -> tensor<24xf32>
// CHECK-NEXT: func.return %x, %[[R]]
func.func @reshapes(%x : tensor<4x6xf32>) -> (tensor<4x6xf32>, tensor<24xf32>) {
  %0 = array.reshape %x : tensor<4x6xf32> -> tensor<2x12xf32>
  %1 = array.reshape %0 : tensor<2x12xf32> -> tensor<4x6xf32>
  %2 = array.reshape %0 : tensor<2x12xf32> -> tensor<24xf32>
  func.return %1, %2 : tensor<4x6xf32>, tensor<24xf32>
}

// CHECK-LABEL: @transposes(
// CHECK-NEXT: %[[T:.*]] = array.transpose %x permutation [2, 0, 1] : tensor<2x3x4xf32> -> tensor<4x2x3xf32>
// CHECK-NEXT: func.return %[[T]], %x
func.func @transposes(%x : tensor<2x3x4xf32>) -> (tensor<4x2x3xf32>, tensor<2x3x4xf32>) {
  %0 = array.transpose %x permutation [1, 2, 0] : tensor<2x3x4xf32> -> tensor<3x4x2xf32>
  %1 = array.transpose %0 permutation [1, 2, 0] : tensor<3x4x2xf32> -> tensor<4x2x3xf32>
  %2 = array.transpose %1 permutation [1, 2, 0] : tensor<4x2x3xf32> -> tensor<2x3x4xf32>
  func.return %1, %2 : tensor<4x2x3xf32>, tensor<2x3x4xf32>
}

// CHECK-LABEL: @broadcasts(
// CHECK-NEXT: %[[B:.*]] = array.broadcast_in_dim %x broadcast_dimensions [2] : tensor<4xf32> -> tensor<2x3x4xf32>
// CHECK-NEXT: func.return %[[B]]
func.func @broadcasts(%x : tensor<4xf32>) -> tensor<2x3x4xf32> {
  %0 = array.broadcast_in_dim %x broadcast_dimensions [0] : tensor<4xf32>
  %1 = array.broadcast_in_dim %0 broadcast_dimensions [1] : tensor<4xf32> -> tensor<3x4xf32>
  %2 = array.broadcast_in_dim %1 broadcast_dimensions [1, 2] : tensor<3x4xf32> -> tensor<2x3x4xf32>
  func.return %2 : tensor<2x3x4xf32>
}

// CHECK-LABEL: @reverses(
// CHECK-NEXT: %[[R:.*]] = array.reverse %x dimensions [0] : tensor<2x3xf32>
// CHECK-NEXT: func.return %x, %[[R]]
func.func @reverses(%x : tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %0 = array.reverse %x dimensions [0, 1] : tensor<2x3xf32>
  %1 = array.reverse %0 dimensions [0, 1] : tensor<2x3xf32>
  %2 = array.reverse %0 dimensions [1] : tensor<2x3xf32>
  func.return %1, %2 : tensor<2x3xf32>, tensor<2x3xf32>
}

// CHECK-LABEL: @slices(
// CHECK-NEXT: %[[S:.*]] = array.slice %x start [3] limit [8] strides [4] : tensor<10xf32> -> tensor<2xf32>
// CHECK-NEXT: func.return %[[S]]
func.func @slices(%x : tensor<10xf32>) -> tensor<2xf32> {
  %0 = array.slice %x start [0] limit [10] strides [1] : tensor<10xf32>
  %1 = array.slice %0 start [1] limit [9] strides [2] : tensor<10xf32> -> tensor<4xf32>
  %2 = array.slice %1 start [1] limit [4] strides [2] : tensor<4xf32> -> tensor<2xf32>
  func.return %2 : tensor<2xf32>
}

// Padding that moves elements stays, though its type is its operand's.
// CHECK-LABEL: @pads(
// CHECK-NEXT: %[[P:.*]] = array.pad %x, %v low [1] high [-1]
// CHECK-NEXT: func.return %x, %[[P]]
func.func @pads(%x : tensor<4xf32>, %v : tensor<f32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = array.pad %x, %v low [0] high [0] interior [0] : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  %1 = array.pad %x, %v low [1] high [-1] interior [0] : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  func.return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: @concatenations(
// CHECK-NEXT: %[[C:.*]] = array.concatenate %x, %x dimension 0
// CHECK-NEXT: func.return %x, %[[C]]
func.func @concatenations(%x : tensor<4xf32>, %e : tensor<0xf32>) -> (tensor<4xf32>, tensor<8xf32>) {
  %0 = array.concatenate %e, %x dimension 0 : tensor<0xf32>, tensor<4xf32> -> tensor<4xf32>
  %1 = array.concatenate %0, %e, %x dimension 0 : tensor<4xf32>, tensor<0xf32>, tensor<4xf32> -> tensor<8xf32>
  func.return %0, %1 : tensor<4xf32>, tensor<8xf32>
}

// CHECK-LABEL: @along_no_axis(
// CHECK-NEXT: func.return %x
func.func @along_no_axis(%x : tensor<4xf32>) -> tensor<4xf32> {
  %0 = array.reverse %x dimensions [] : tensor<4xf32>
  %1 = array.reduce add %0 axes [] : tensor<4xf32>
  func.return %1 : tensor<4xf32>
}

// Every element of a literal is the same, wherever it goes.
// Integers wrap around; division by zero is left to the device.
// CHECK-LABEL: @arithmetic(
// CHECK-DAG:  %[[I:.*]] = array.constant -2147483648 : tensor<i32>
// CHECK-DAG:  %[[F:.*]] = array.constant 0.75 : tensor<2xf32>
// CHECK:      %[[Q:.*]] = array.div
// CHECK-NEXT: func.return %[[I]], %[[F]], %[[Q]]
func.func @arithmetic() -> (tensor<i32>, tensor<2xf32>, tensor<2xf32>) {
  %0 = array.constant 2147483647 : tensor<i32>
  %1 = array.constant -1 : tensor<i32>
  %2 = array.abs %1 : tensor<i32>
  %3 = array.add %0, %2 : tensor<i32>
  %4 = array.constant 3.0 : tensor<2xf32>
  %5 = array.constant 4.0 : tensor<2xf32>
  %6 = array.div %4, %5 : tensor<2xf32>
  %7 = array.sub %4, %4 : tensor<2xf32>
  %8 = array.div %4, %7 : tensor<2xf32>
  func.return %3, %6, %8 : tensor<i32>, tensor<2xf32>, tensor<2xf32>
}

// CHECK-LABEL: @literals(
// CHECK-NEXT: %[[C:.*]] = array.constant 2.0 : tensor<3x4xf32>
// CHECK-NEXT: func.return %[[C]]
func.func @literals() -> tensor<3x4xf32> {
  %0 = array.constant 2.0 : tensor<f32>
  %1 = array.broadcast_in_dim %0 broadcast_dimensions [] : tensor<f32> -> tensor<4x3xf32>
  %2 = array.transpose %1 permutation [1, 0] : tensor<4x3xf32> -> tensor<3x4xf32>
  %3 = array.reverse %2 dimensions [0] : tensor<3x4xf32>
  func.return %3 : tensor<3x4xf32>
}
