// RUN: xdsl-opt %s -p 'kernel-split-reductions{pieces=4}' | filecheck %s
// RUN: xdsl-opt %s -p 'kernel-split-reductions{target=webgpu}' | filecheck %s --check-prefix=FEW
// RUN: xdsl-opt %s -p 'kernel-split-reductions{target=wasm}' | filecheck %s --check-prefix=WASM

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

// The gradient of a convolution's weights: every tile of dot products reads both factors, which are 9.6 MB. Each piece of 16 images is read from the cache.
// WASM-LABEL: func.func @weights
// WASM: kernel.nest [b0: par 16, o: par 32, c: par 16, p: par 3, q: par 3, b1: red 16, y: red 14, x: red 14]
// WASM:      kernel.nest [o: par 32, c: par 16, p: par 3, q: par 3, b0: red 16]
func.func @weights(%a : tensor<256x16x14x14xf32>, %g : tensor<256x32x14x14xf32>) -> tensor<32x16x3x3xf32> {
  %e = kernel.empty : tensor<32x16x3x3xf32>
  %r = kernel.nest [o: par 32, c: par 16, p: par 3, q: par 3, b: red 256, y: red 14, x: red 14] ins(%s = %a : tensor<256x16x14x14xf32>, %t = %g : tensor<256x32x14x14xf32>) outs(%u = %e : tensor<32x16x3x3xf32>) {
    %0 = kernel.load %s[b, c, y + p - 1, x + q - 1] if (0 <= y + p - 1 < 14, 0 <= x + q - 1 < 14) : tensor<256x16x14x14xf32>
    %1 = kernel.load %t[b, o, y, x] : tensor<256x32x14x14xf32>
    %2 = arith.mulf %0, %1 : f32
    %3 = kernel.reduce add %2 over [b, y, x] : f32
    kernel.store %3, %u[o, c, p, q] : tensor<32x16x3x3xf32>
  }
  func.return %r : tensor<32x16x3x3xf32>
}
