// RUN: xdsl-opt %s -p 'kernel-split{axis=j factor=4}' --split-input-file | filecheck %s
// RUN: xdsl-opt %s -p 'kernel-split{axis=j factor=4 tail=zero}' --split-input-file | filecheck %s --check-prefix ZERO

// An axis becomes rounds and steps; maps follow, the body does not change.
func.func @even(%a : tensor<2x8xf32>, %e : tensor<2xf32>) -> tensor<2xf32> {
  %r = kernel.nest [i: par 2, j: red 8] ins(%x = %a : tensor<2x8xf32>) outs(%o = %e : tensor<2xf32>) {
    %0 = kernel.load %x[i, j] : tensor<2x8xf32>
    %1 = kernel.reduce add %0 over [j] : f32
    kernel.store %1, %o[i] : tensor<2xf32>
  }
  func.return %r : tensor<2xf32>
}
// CHECK-LABEL: func.func @even
// CHECK:         kernel.nest [i: par 2, j0: red 2, j1: red 4]
// CHECK-NEXT:      %{{.*}} = kernel.load %{{.*}}[i, j0 * 4 + j1] : tensor<2x8xf32>
// CHECK-NEXT:      %{{.*}} = kernel.reduce add %{{.*}} over [j0, j1] : f32

// -----

// Where the factor does not divide the extent, the last round begins early, and a sum does not count again what the round before it has had.
func.func @tail(%a : tensor<2x10xf32>, %e : tensor<2xf32>) -> tensor<2xf32> {
  %r = kernel.nest [i: par 2, j: red 10] ins(%x = %a : tensor<2x10xf32>) outs(%o = %e : tensor<2xf32>) {
    %0 = kernel.load %x[i, j] : tensor<2x10xf32>
    %1 = kernel.reduce add %0 over [j] : f32
    kernel.store %1, %o[i] : tensor<2xf32>
  }
  func.return %r : tensor<2xf32>
}
// CHECK-LABEL: func.func @tail
// CHECK:         kernel.nest [i: par 2, j0: red 3, j1: red 4]
// CHECK-NEXT:      kernel.load %{{.*}}[i, j1 + min(j0 * 4, 6)] : tensor<2x10xf32>
// CHECK-NEXT:      kernel.reduce add %{{.*}} over [j0, j1] {where = #kernel.conditions<(j0: 3, j1: 4) -> (0 <= -j0 * 4 + j1 + min(j0 * 4, 6) < 4)>} : f32
// ZERO-LABEL:  func.func @tail
// ZERO:          kernel.load %{{.*}}[i, j0 * 4 + j1] if (0 <= j0 * 4 + j1 < 10) : tensor<2x10xf32>

// -----

// An elementwise nest may run in place: the store leaves out what is done already.
func.func @store(%a : tensor<10xf32>, %e : tensor<10xf32>) -> tensor<10xf32> {
  %r = kernel.nest [j: par 10] ins(%x = %a : tensor<10xf32>) outs(%o = %e : tensor<10xf32>) {
    %0 = kernel.load %x[j] : tensor<10xf32>
    kernel.store %0, %o[j] : tensor<10xf32>
  }
  func.return %r : tensor<10xf32>
}
// CHECK-LABEL: func.func @store
// CHECK:         kernel.store %{{.*}}, %{{.*}}[j1 + min(j0 * 4, 6)] if (0 <= -j0 * 4 + j1 + min(j0 * 4, 6) < 4) : tensor<10xf32>
