// RUN: xdsl-opt %s -p 'array-vmap{size=8 dims=0,-1}' --split-input-file | filecheck %s
// RUN: xdsl-opt %s -p 'array-vmap{size=8 dims=1,-1}' --split-input-file | filecheck %s --check-prefix=LAST

// The batch axis goes through elementwise ops where it is. A scalar that all examples share stays one scalar; reductions count their axes anew.
// CHECK:      func.func @f([[X:%.*]]: tensor<8x4xf32>, [[S:%.*]]: tensor<f32>) -> tensor<8xf32> {
// CHECK-NEXT:   [[Y:%.*]] = array.sin [[X]] : tensor<8x4xf32>
// CHECK-NEXT:   [[P:%.*]] = array.mul [[Y]], [[S]] : tensor<8x4xf32>, tensor<f32> -> tensor<8x4xf32>
// CHECK-NEXT:   [[R:%.*]] = array.reduce add [[P]] axes [1] : tensor<8x4xf32> -> tensor<8xf32>
// CHECK-NEXT:   func.return [[R]] : tensor<8xf32>

// LAST:      func.func @f([[X:%.*]]: tensor<4x8xf32>, [[S:%.*]]: tensor<f32>) -> tensor<8xf32> {
// LAST-NEXT:   [[Y:%.*]] = array.sin [[X]] : tensor<4x8xf32>
// LAST-NEXT:   [[P:%.*]] = array.mul [[Y]], [[S]] : tensor<4x8xf32>, tensor<f32> -> tensor<4x8xf32>
func.func @f(%x: tensor<4xf32>, %s: tensor<f32>) -> tensor<f32> {
  %y = array.sin %x : tensor<4xf32>
  %p = array.mul %y, %s : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  %r = array.reduce add %p axes [0] : tensor<4xf32> -> tensor<f32>
  func.return %r : tensor<f32>
}

// -----

// An operand that only some examples' axis is missing from is repeated; a result that does not depend on the batch is repeated at the end.
// CHECK:      func.func @g([[X:%.*]]: tensor<8x4xf32>, [[Y:%.*]]: tensor<4xf32>) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
// CHECK-DAG:    array.broadcast_in_dim [[Y]] broadcast_dimensions [1] : tensor<4xf32> -> tensor<8x4xf32>
// CHECK-DAG:    array.add [[X]], %{{.*}} : tensor<8x4xf32>
// CHECK-DAG:    array.cos [[Y]] : tensor<4xf32>
// CHECK:        func.return
func.func @g(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %a = array.add %x, %y : tensor<4xf32>
  %b = array.cos %y : tensor<4xf32>
  func.return %a, %b : tensor<4xf32>, tensor<4xf32>
}
