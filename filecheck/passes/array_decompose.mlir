// RUN: xdsl-opt %s -p array-decompose | filecheck %s

// A running sum has no nest of its own: it is written with ops that have.
// CHECK-LABEL: func.func @running_sum
// CHECK-NOT:   array.cumulate
// CHECK:       func.return
func.func @running_sum(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = array.cumulate add %x axis 0 reverse false : tensor<8xf32>
  func.return %0 : tensor<8xf32>
}

// What has one stays.
// CHECK-LABEL: func.func @sum
// CHECK:       array.reduce add
func.func @sum(%x: tensor<8xf32>) -> tensor<f32> {
  %0 = array.reduce add %x axes [0] : tensor<8xf32> -> tensor<f32>
  func.return %0 : tensor<f32>
}
