// RUN: xdsl-opt %s -p 'array-split-complex' | filecheck %s

// An argument is memory of pairs, its parts slices of it; a product is four real ones; a result is pairs again.
// CHECK-LABEL: func.func @square(
// CHECK-SAME:    tensor<4x2xf32>) -> tensor<4x2xf32>
// CHECK-NEXT:    array.slice %{{.*}} start [0, 0] limit [4, 1]
// CHECK-NEXT:    %[[X:.*]] = array.reshape
// CHECK-NEXT:    array.slice %{{.*}} start [0, 1] limit [4, 2]
// CHECK-NEXT:    %[[Y:.*]] = array.reshape
// CHECK-NEXT:    array.mul %[[X]], %[[X]] : tensor<4xf32>
// CHECK-NEXT:    array.mul %[[Y]], %[[Y]] : tensor<4xf32>
// CHECK-NEXT:    array.sub
// CHECK-NEXT:    array.mul %[[X]], %[[Y]] : tensor<4xf32>
// CHECK-NEXT:    array.mul %[[Y]], %[[X]] : tensor<4xf32>
// CHECK-NEXT:    array.add
// CHECK:         array.concatenate %{{.*}} dimension 1 : tensor<4x1xf32>, tensor<4x1xf32> -> tensor<4x2xf32>
func.func @square(%z : tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>> {
  %y = array.mul %z, %z : tensor<4xcomplex<f32>>
  func.return %y : tensor<4xcomplex<f32>>
}

// What moves elements moves both parts.
// CHECK-LABEL: func.func @reverse(
// CHECK:         array.reverse %{{.*}} dimensions [0] : tensor<4xf32>
// CHECK:         array.reverse %{{.*}} dimensions [0] : tensor<4xf32>
func.func @reverse(%z : tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>> {
  %y = array.reverse %z dimensions [0] : tensor<4xcomplex<f32>>
  func.return %y : tensor<4xcomplex<f32>>
}
