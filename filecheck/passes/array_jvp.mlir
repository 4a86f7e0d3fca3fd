// RUN: xdsl-opt %s -p array-jvp --split-input-file | filecheck %s
// RUN: xdsl-opt %s -p array-jvp{wrt=0} --split-input-file | filecheck %s --check-prefix=WRT

// The chain rule, forward: the tangent of sin(x) * y has one product for each factor. Each derivative is written behind the primal program.
// CHECK:      func.func @product(%{{.*}}: tensor<4xf32>, %{{.*}}: tensor<4xf32>, %{{.*}}: tensor<4xf32>, %{{.*}}: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
// CHECK-NEXT:   [[S:%.*]] = array.sin [[X:%.*]] : tensor<4xf32>
// CHECK-NEXT:   [[P:%.*]] = array.mul [[S]], [[Y:%.*]] : tensor<4xf32>
// CHECK-NEXT:   [[C:%.*]] = array.cos [[X]] : tensor<4xf32>
// CHECK-NEXT:   [[DS:%.*]] = array.mul [[DX:%.*]], [[C]] : tensor<4xf32>
// CHECK-NEXT:   [[A:%.*]] = array.mul [[DS]], [[Y]] : tensor<4xf32>
// CHECK-NEXT:   [[B:%.*]] = array.mul [[S]], [[DY:%.*]] : tensor<4xf32>
// CHECK-NEXT:   [[T:%.*]] = array.add [[A]], [[B]] : tensor<4xf32>
// CHECK-NEXT:   func.return [[P]], [[T]] : tensor<4xf32>, tensor<4xf32>

// By x alone there is one product less, and one argument.
// WRT:      func.func @product(%{{.*}}: tensor<4xf32>, %{{.*}}: tensor<4xf32>, %{{.*}}: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
// WRT-COUNT-3: array.mul
// WRT-NEXT:   func.return
func.func @product(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %s = array.sin %x : tensor<4xf32>
  %p = array.mul %s, %y : tensor<4xf32>
  func.return %p : tensor<4xf32>
}

// -----

// A scalar operand stands for every element; so does its tangent. The result's tangent has the result's shape.
// CHECK:      func.func @scalar
// CHECK-NEXT:   array.add
// CHECK-NEXT:   [[T:%.*]] = array.add %{{.*}}, %{{.*}} : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
// CHECK-NEXT:   func.return %{{.*}}, [[T]] : tensor<4xf32>, tensor<4xf32>
func.func @scalar(%x: tensor<4xf32>, %s: tensor<f32>) -> tensor<4xf32> {
  %y = array.add %x, %s : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  func.return %y : tensor<4xf32>
}

// -----

// Steps have no slope: the tangent is zero. Integers have no tangents at all.
// CHECK:      func.func @steps(%{{.*}}: tensor<4xf32>, %{{.*}}: tensor<4xi32>, %{{.*}}: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xi32>, tensor<4xf32>) {
// CHECK-NEXT:   [[Y:%.*]] = array.floor %{{.*}} : tensor<4xf32>
// CHECK-NEXT:   [[Z:%.*]] = array.constant 0.0 : tensor<4xf32>
// CHECK-NEXT:   func.return [[Y]], %{{.*}}, [[Z]] : tensor<4xf32>, tensor<4xi32>, tensor<4xf32>
func.func @steps(%x: tensor<4xf32>, %i: tensor<4xi32>) -> (tensor<4xf32>, tensor<4xi32>) {
  %y = array.floor %x : tensor<4xf32>
  func.return %y, %i : tensor<4xf32>, tensor<4xi32>
}
