// RUN: xdsl-opt %s -p 'kernel-split-reductions{pieces=4}' | filecheck %s
// RUN: xdsl-opt %s -p 'kernel-split-reductions{target=webgpu}' | filecheck %s --check-prefix=FEW

// A sum of all: a partial sum of each of 4 pieces, then their sum; what follows at the same point (a mean) stays with it. The target says that 1024 are no work for a machine.
// CHECK-LABEL: func.func @mean
// CHECK: kernel.nest [i0: par 4, i1: red 256]
// CHECK-NEXT: kernel.load %{{.*}}[i0 * 256 + i1]
// CHECK-NEXT: kernel.reduce add %{{.*}} over [i1]
// CHECK-NEXT: kernel.store %{{.*}}, %{{.*}}[i0] : tensor<4xf32>
// CHECK: kernel.nest [i0: red 4]
// CHECK-NEXT: kernel.load %{{.*}}[i0]
// CHECK-NEXT: kernel.reduce add %{{.*}} over [i0]
// CHECK: arith.mulf
// CHECK-NEXT: kernel.store
// FEW-LABEL: func.func @mean
// FEW: kernel.nest [i: red 1024]
// FEW-NOT: kernel.nest [i0
func.func @mean(%x : tensor<1024xf32>) -> tensor<f32> {
  %e = kernel.empty : tensor<f32>
  %0 = kernel.nest [i: red 1024] ins(%a = %x : tensor<1024xf32>) outs(%o = %e : tensor<f32>) {
    %1 = kernel.load %a[i] : tensor<1024xf32>
    %2 = kernel.reduce add %1 over [i] : f32
    %c = arith.constant 0.5 : f32
    %3 = arith.mulf %2, %c : f32
    kernel.store %3, %o[] : tensor<f32>
  }
  func.return %0 : tensor<f32>
}

// Where no divisor is near, the last piece starts earlier, and what it repeats does not count.
// CHECK-LABEL: func.func @prime
// CHECK: kernel.nest [i0: par 4, i1: red 253]
// CHECK-NEXT: kernel.load %{{.*}}[i1 + min(i0 * 253, 756)]
// CHECK-NEXT: %[[OWN:.*]] = kernel.inside if (0 <= -i0 * 253 + i1 + min(i0 * 253, 756) < 253)
// CHECK-NEXT: arith.constant 0.000000e+00 : f32
// CHECK-NEXT: arith.select %[[OWN]]
func.func @prime(%x : tensor<1009xf32>) -> tensor<f32> {
  %e = kernel.empty : tensor<f32>
  %0 = kernel.nest [i: red 1009] ins(%a = %x : tensor<1009xf32>) outs(%o = %e : tensor<f32>) {
    %1 = kernel.load %a[i] : tensor<1009xf32>
    %2 = kernel.reduce add %1 over [i] : f32
    kernel.store %2, %o[] : tensor<f32>
  }
  func.return %0 : tensor<f32>
}

// A product of matrices (split-K). The target splits it too: 16 x 16 results are few, 65536 steps are many.
// CHECK-LABEL: func.func @matmul
// CHECK: kernel.nest [k0: par 4, i: par 16, j: par 16, k1: red 16384]
// CHECK: kernel.store %{{.*}}, %{{.*}}[k0, i, j] : tensor<4x16x16xf32>
// CHECK: kernel.nest [i: par 16, j: par 16, k0: red 4]
// FEW-LABEL: func.func @matmul
// FEW: kernel.nest [k0: par {{[0-9]+}}, i: par 16, j: par 16, k1: red {{[0-9]+}}]
func.func @matmul(%x : tensor<16x65536xf32>, %y : tensor<65536x16xf32>) -> tensor<16x16xf32> {
  %e = kernel.empty : tensor<16x16xf32>
  %0 = kernel.nest [i: par 16, j: par 16, k: red 65536] ins(%a = %x : tensor<16x65536xf32>, %b = %y : tensor<65536x16xf32>) outs(%o = %e : tensor<16x16xf32>) {
    %1 = kernel.load %a[i, k] : tensor<16x65536xf32>
    %2 = kernel.load %b[k, j] : tensor<65536x16xf32>
    %3 = arith.mulf %1, %2 : f32
    %4 = kernel.reduce add %3 over [k] : f32
    kernel.store %4, %o[i, j] : tensor<16x16xf32>
  }
  func.return %0 : tensor<16x16xf32>
}

// What needs the total at other points reads it from memory, and is parallel.
// CHECK-LABEL: func.func @scaled
// CHECK: kernel.nest [i0: par 4, i1: red 256]
// CHECK: kernel.nest [i0: red 4]
// CHECK: kernel.nest [i: par 1024]
// CHECK: kernel.load %{{.*}}[i]
// CHECK-NEXT: arith.divf
func.func @scaled(%x : tensor<1024xf32>) -> tensor<1024xf32> {
  %e = kernel.empty : tensor<1024xf32>
  %0 = kernel.nest [i: red 1024] ins(%a = %x : tensor<1024xf32>) outs(%o = %e : tensor<1024xf32>) {
    %1 = kernel.load %a[i] : tensor<1024xf32>
    %2 = kernel.reduce max %1 over [i] : f32
    %3 = arith.divf %1, %2 : f32
    kernel.store %3, %o[i] : tensor<1024xf32>
  }
  func.return %0 : tensor<1024xf32>
}

// 16-bit floats are not rounded between the pieces.
// CHECK-LABEL: func.func @half
// CHECK: arith.extf %{{.*}} : f16 to f32
// CHECK-NEXT: kernel.store %{{.*}}, %{{.*}}[i0] : tensor<4xf32>
// CHECK: kernel.reduce add %{{.*}} over [i0] : f32
// CHECK-NEXT: arith.truncf
func.func @half(%x : tensor<1024xf16>) -> tensor<f16> {
  %e = kernel.empty : tensor<f16>
  %0 = kernel.nest [i: red 1024] ins(%a = %x : tensor<1024xf16>) outs(%o = %e : tensor<f16>) {
    %1 = kernel.load %a[i] : tensor<1024xf16>
    %2 = kernel.reduce add %1 over [i] : f16
    kernel.store %2, %o[] : tensor<f16>
  }
  func.return %0 : tensor<f16>
}
