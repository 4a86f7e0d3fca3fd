// RUN: xdsl-opt %s -p canonicalize | filecheck %s

// Loads whose value nobody uses go, and with them buffers that nobody reads.
// CHECK-LABEL: func.func @dead
// CHECK:      kernel.nest [i: par 8] ins(%x = %a : tensor<8xf32>) outs(%o = %e : tensor<8xf32>) {
// CHECK-NEXT:   %0 = kernel.load %x[i] : tensor<8xf32>
// CHECK-NEXT:   kernel.store %0, %o[i] : tensor<8xf32>
// CHECK-NEXT: }
func.func @dead(%a: tensor<8xf32>, %b: tensor<8xf32>) -> tensor<8xf32> {
  %e = kernel.empty : tensor<8xf32>
  %r = kernel.nest [i: par 8] ins(%x = %a : tensor<8xf32>, %y = %b : tensor<8xf32>) outs(%o = %e : tensor<8xf32>) {
    %0 = kernel.load %x[i] : tensor<8xf32>
    %1 = kernel.load %y[i] : tensor<8xf32>
    %2 = arith.addf %0, %1 : f32
    kernel.store %0, %o[i] : tensor<8xf32>
  }
  func.return %r : tensor<8xf32>
}

// Conditions that the ranges of axes decide are none.
// CHECK-LABEL: func.func @always
// CHECK: kernel.load %x[i + j] if (0 <= i + j < 6) : tensor<6xf32>
// CHECK: kernel.load %x[i] : tensor<6xf32>
func.func @always(%a: tensor<6xf32>) -> tensor<4x4xf32> {
  %e = kernel.empty : tensor<4x4xf32>
  %r = kernel.nest [i: par 4, j: par 4] ins(%x = %a : tensor<6xf32>) outs(%o = %e : tensor<4x4xf32>) {
    %0 = kernel.load %x[i + j] if (0 <= i + j < 6, 0 <= j < 4) : tensor<6xf32>
    %1 = kernel.load %x[i] if (0 <= i < 6) : tensor<6xf32>
    %2 = arith.addf %0, %1 : f32
    kernel.store %2, %o[i, j] : tensor<4x4xf32>
  }
  func.return %r : tensor<4x4xf32>
}

// An axis of extent 1 is no loop, and a reduction over it nothing.
// CHECK-LABEL: func.func @unit
// CHECK:      kernel.nest [i: par 8] ins
// CHECK-NEXT:   %0 = kernel.load %x[i, 0] : tensor<8x1xf32>
// CHECK-NEXT:   kernel.store %0, %o[i] : tensor<8xf32>
func.func @unit(%a: tensor<8x1xf32>) -> tensor<8xf32> {
  %e = kernel.empty : tensor<8xf32>
  %r = kernel.nest [i: par 8, j: red 1] ins(%x = %a : tensor<8x1xf32>) outs(%o = %e : tensor<8xf32>) {
    %0 = kernel.load %x[i, j] : tensor<8x1xf32>
    %1 = kernel.reduce add %0 over [j] : f32
    kernel.store %1, %o[i] : tensor<8xf32>
  }
  func.return %r : tensor<8xf32>
}
