// RUN: xdsl-opt %s -p 'kernel-schedule{target=wasm}' | filecheck %s
// RUN: xdsl-opt %s -p 'kernel-schedule{target=wasm},kernel-apply-schedule' | filecheck %s --check-prefix APPLIED

// A product of matrices gets a register tile of 4 rows by 2 vectors of 4, and copies of both operands in the order in which the tile reads them,
// three steps of the sum at a time: zeros fill the copies up.
func.func @matmul(%a : tensor<64x32xf32>, %b : tensor<32x48xf32>, %e : tensor<64x48xf32>) -> tensor<64x48xf32> {
  %r = kernel.nest [i: par 64, j: par 48, k: red 32] ins(%x = %a : tensor<64x32xf32>, %y = %b : tensor<32x48xf32>) outs(%o = %e : tensor<64x48xf32>) {
    %0 = kernel.load %x[i, k] : tensor<64x32xf32>
    %1 = kernel.load %y[k, j] : tensor<32x48xf32>
    %2 = arith.mulf %0, %1 : f32
    %3 = kernel.reduce add %2 over [k] : f32
    kernel.store %3, %o[i, j] : tensor<64x48xf32>
  }
  func.return %r : tensor<64x48xf32>
}
// CHECK:        schedule ["split i 64", "split i1 4", "split j 8", "split j1 4", "split k 3 zero", "level k1 unroll"
// CHECK-SAME:   {{.*}}"stage 1 at entry panel=j0,k0,k1,j10,j11", "stage 0 at entry panel=i0,i10,k0,k1,i11"]
// APPLIED:      kernel.nest [i0: par 1, j0: par@grid 6, i10: par 16, k0: red 11, k1: red@unroll 3, i11: par@reg 4, j10: par@reg 2, j11: par@lane 4]

// A matrix times a vector has lanes along its rows, and four rows side by side, which read the vector once.
func.func @matvec(%a : tensor<64x32xf32>, %b : tensor<32xf32>, %e : tensor<64xf32>) -> tensor<64xf32> {
  %r = kernel.nest [i: par 64, k: red 32] ins(%x = %a : tensor<64x32xf32>, %y = %b : tensor<32xf32>) outs(%o = %e : tensor<64xf32>) {
    %0 = kernel.load %x[i, k] : tensor<64x32xf32>
    %1 = kernel.load %y[k] : tensor<32xf32>
    %2 = arith.mulf %0, %1 : f32
    %3 = kernel.reduce add %2 over [k] : f32
    kernel.store %3, %o[i] : tensor<64xf32>
  }
  func.return %r : tensor<64xf32>
}
// CHECK:        schedule ["split i 4", "split k 4", "level i1 reg", "level k1 lane", "order i0 k0 i1 k1", "level i0 grid"]
// APPLIED:      kernel.nest [i0: par@grid 16, k0: red 8, i1: par@reg 4, k1: red@lane 4]

// An elementwise nest gets lanes and four vectors; threads share the rows.
func.func @add(%a : tensor<16x64xf32>, %e : tensor<16x64xf32>) -> tensor<16x64xf32> {
  %r = kernel.nest [i: par 16, j: par 64] ins(%x = %a : tensor<16x64xf32>) outs(%o = %e : tensor<16x64xf32>) {
    %0 = kernel.load %x[i, j] : tensor<16x64xf32>
    %1 = arith.addf %0, %0 : f32
    kernel.store %1, %o[i, j] : tensor<16x64xf32>
  }
  func.return %r : tensor<16x64xf32>
}
// CHECK:        schedule ["split j 16", "split j1 4", "level j10 reg", "level j11 lane", "order i j0 j10 j11", "level i grid"]
// APPLIED:      kernel.nest [i: par@grid 16, j0: par 4, j10: par@reg 4, j11: par@lane 4]
