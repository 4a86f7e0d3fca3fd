// RUN: xdsl-opt %s -p kernel-apply-schedule --verify-diagnostics --split-input-file | filecheck %s

// Steps are carried out one after the other, then the maps are written once.
func.func @rows(%a : tensor<8x16xf32>, %e : tensor<8xf32>) -> tensor<8xf32> {
  %r = kernel.nest [i: par 8, j: red 16] ins(%x = %a : tensor<8x16xf32>) outs(%o = %e : tensor<8xf32>) schedule ["split j 8", "split j1 4", "order i j0 j10 j11", "level j11 lane", "level i grid"] {
    %0 = kernel.load %x[i, j] : tensor<8x16xf32>
    %1 = kernel.reduce max %0 over [j] : f32
    kernel.store %1, %o[i] : tensor<8xf32>
  }
  func.return %r : tensor<8xf32>
}
// CHECK:      kernel.nest [i: par@grid 8, j0: red 2, j10: red 2, j11: red@lane 4]
// CHECK-NOT:  schedule
// CHECK:        kernel.load %{{.*}}[i, j0 * 8 + j10 * 4 + j11]
// CHECK-NEXT:   kernel.reduce max %{{.*}} over [j0, j10, j11] : f32

// -----

func.func @wrong(%a : tensor<8xf32>, %e : tensor<8xf32>) -> tensor<8xf32> {
  %r = kernel.nest [i: par 8] ins(%x = %a : tensor<8xf32>) outs(%o = %e : tensor<8xf32>) schedule ["split k 8"] {
    %0 = kernel.load %x[i] : tensor<8xf32>
    kernel.store %0, %o[i] : tensor<8xf32>
  }
  func.return %r : tensor<8xf32>
}
// CHECK:      kernel-apply-schedule: 'k' is not an axis of [i: par 8]

// -----

// In memory the last vector may run on into what pads its buffer, and is nobody's.
func.func @padded(%a: memref<10xf32>, %e: memref<10xf32>) {
  kernel.nest [i: par 10] ins(%x = %a : memref<10xf32>) outs(%o = %e : memref<10xf32>) schedule ["split i 4 pad", "level i1 lane"] {
    %0 = kernel.load %x[i] : memref<10xf32>
    kernel.store %0, %o[i] : memref<10xf32>
  }
  func.return
}
// CHECK-LABEL: func.func @padded
// CHECK:         kernel.nest [i0: par 3, i1: par@lane 4]
// CHECK-NEXT:      kernel.load %{{.*}}[i0 * 4 + i1] : memref<10xf32>
// CHECK-NEXT:      kernel.store %{{.*}}, %{{.*}}[i0 * 4 + i1] : memref<10xf32>
