// RUN: xdsl-opt %s -p array-transpose{linear=0} --split-input-file | filecheck %s
// RUN: xdsl-opt %s -p 'array-jvp{wrt=0},array-transpose{linear=2 results=1}' --split-input-file | filecheck %s --check-prefix=GRAD

// Data flows backwards: a product with y is a product with y, a sum spreads its cotangent over what it summed.
// CHECK:      func.func @dot([[Y:%.*]]: tensor<4xf32>, [[CT:%.*]]: tensor<f32>) -> tensor<4xf32> {
// CHECK-NEXT:   [[B:%.*]] = array.broadcast_in_dim [[CT]] {{.*}}: tensor<f32> -> tensor<4xf32>
// CHECK-NEXT:   [[X:%.*]] = array.mul [[B]], [[Y]] : tensor<4xf32>
// CHECK-NEXT:   func.return [[X]] : tensor<4xf32>

// Forward derivative, then transpose: reverse mode.
// GRAD:      func.func @dot(%{{.*}}: tensor<4xf32>, [[Y:%.*]]: tensor<4xf32>, [[CT:%.*]]: tensor<f32>) -> tensor<4xf32> {
// GRAD-NEXT:   [[B:%.*]] = array.broadcast_in_dim [[CT]] {{.*}}: tensor<f32> -> tensor<4xf32>
// GRAD-NEXT:   [[X:%.*]] = array.mul [[B]], [[Y]] : tensor<4xf32>
// GRAD-NEXT:   func.return [[X]] : tensor<4xf32>
func.func @dot(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<f32> {
  %p = array.mul %x, %y : tensor<4xf32>
  %s = array.reduce add %p axes [0] : tensor<4xf32> -> tensor<f32>
  func.return %s : tensor<f32>
}

// -----

// A value that is used twice gets the sum of two cotangents; a scalar that was added to every element gets the sum of all of them.
// CHECK:      func.func @uses([[Y:%.*]]: tensor<4xf32>, [[CT:%.*]]: tensor<4xf32>) -> tensor<f32> {
// CHECK-NEXT:   [[ADDED:%.*]] = array.reduce add [[CT]] axes [0] : tensor<4xf32> -> tensor<f32>
// CHECK-NEXT:   [[P:%.*]] = array.mul {{.*}} : tensor<4xf32>
// CHECK-NEXT:   [[SCALED:%.*]] = array.reduce add [[P]] axes [0] : tensor<4xf32> -> tensor<f32>
// CHECK-NEXT:   [[S:%.*]] = array.add [[ADDED]], [[SCALED]] : tensor<f32>
// CHECK-NEXT:   func.return [[S]] : tensor<f32>
func.func @uses(%s: tensor<f32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %a = array.mul %y, %s : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  %b = array.add %a, %s : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}
