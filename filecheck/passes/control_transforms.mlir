// RUN: xdsl-opt %s -p 'array-jvp{wrt=1}' | filecheck %s --check-prefix=JVP
// RUN: xdsl-opt %s -p 'array-jvp{wrt=1},array-transpose{linear=2 results=1}' | filecheck %s --check-prefix=GRAD
// RUN: xdsl-opt %s -p 'array-vmap{size=8 dims=0,-1}' | filecheck %s --check-prefix=VMAP

// The derivative of a loop is two: the first one stacks what the second one, which is linear, needs of each round.
// JVP:      [[S:%.*]], [[K:%.*]] = array.scan length 10 carry([[C:%.*]] = %0 : tensor<f32>) over([[X:%.*]] = %1 : tensor<10xf32>) {
// JVP-NEXT:   [[N:%.*]] = array.mul [[C]], [[X]] : tensor<f32>
// JVP-NEXT:   array.yield [[N]], [[C]] : tensor<f32>, tensor<f32>
// JVP:      [[T:%.*]] = array.scan length 10 carry([[DC:%.*]] = %{{.*}} : tensor<f32>) over({{.*}} = %1 : tensor<10xf32>, [[R:%.*]] = [[K]] : tensor<10xf32>, [[DX:%.*]] = %2 : tensor<10xf32>) {
// JVP:      func.return [[S]], [[T]] : tensor<f32>, tensor<f32>

// Transposed, the second one runs the other way.
// GRAD:      [[S:%.*]], [[K:%.*]] = array.scan length 10 carry
// GRAD:      [[CT:%.*]], [[G:%.*]] = array.scan length 10 reverse carry([[C:%.*]] = %2 : tensor<f32>) over([[X:%.*]] = %1 : tensor<10xf32>, [[R:%.*]] = [[K]] : tensor<10xf32>) {
// GRAD-NEXT:   [[A:%.*]] = array.mul [[C]], [[R]] : tensor<f32>
// GRAD-NEXT:   [[B:%.*]] = array.mul [[C]], [[X]] : tensor<f32>
// GRAD-NEXT:   array.yield [[B]], [[A]] : tensor<f32>, tensor<f32>
// GRAD:      func.return [[G]] : tensor<10xf32>

// A batch of loops is a loop over a batch.
// VMAP:      array.scan length 10 carry([[C:%.*]] = %0 : tensor<8xf32>) over([[X:%.*]] = %1 : tensor<10xf32>) {
// VMAP-NEXT:   [[N:%.*]] = array.mul [[C]], [[X]] : tensor<8xf32>, tensor<f32> -> tensor<8xf32>
// VMAP-NEXT:   array.yield [[N]] : tensor<8xf32>
func.func @product(%c0 : tensor<f32>, %xs : tensor<10xf32>) -> tensor<f32> {
  %s = array.scan length 10 carry(%c = %c0 : tensor<f32>) over(%x = %xs : tensor<10xf32>) {
    %n = array.mul %c, %x : tensor<f32>
    array.yield %n : tensor<f32>
  }
  func.return %s : tensor<f32>
}
