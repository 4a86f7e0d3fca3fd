// RUN: xdsl-opt %s -p 'kernel-unroll{axis=j factor=4}' | filecheck %s

// A reduction of 16 becomes 4 rounds of 4; loads follow the split axis, the body does not change.
func.func @rows(%a : tensor<8x16xf32>, %b : tensor<8x16xf32>, %e : tensor<8xf32>) -> tensor<8xf32> {
  %r = kernel.nest [i: par 8, j: red 16] ins(%x = %a : tensor<8x16xf32>, %y = %b : tensor<8x16xf32>) outs(%o = %e : tensor<8xf32>) {
    %0 = kernel.load %x[i, j] : tensor<8x16xf32>
    %1 = kernel.load %y[i, j] : tensor<8x16xf32>
    %2 = arith.mulf %0, %1 : f32
    %3 = kernel.reduce add %2 over [j] : f32
    kernel.store %3, %o[i] : tensor<8xf32>
  }
  func.return %r : tensor<8xf32>
}
// CHECK:      kernel.nest [i: par 8, j0: red 4, j1: red@reg 4]
// CHECK-NEXT:   kernel.load %{{.*}}[i, j0 * 4 + j1]
// CHECK:        kernel.reduce add %{{.*}} over [j0, j1]
