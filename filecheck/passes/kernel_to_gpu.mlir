// RUN: xdsl-opt %s -p kernel-to-gpu --split-input-file | filecheck %s

// Without a schedule: an invocation for each result, which asks whether there is work for it; the reduction is a loop, its sum of products a fused multiply-add.
// CHECK-LABEL: gpu.module @dot {
// CHECK-NEXT: gpu.func @main() kernel attributes {gpu.known_block_size = array<i32: 64, 1, 1>, gpu.known_grid_size = array<i32: 4, 1, 1>, in_bounds} {
// CHECK: %x = gpu.binding 0 read : memref<600xf32, #gpu<address_space global>>
// CHECK-NEXT: %y = gpu.binding 1 read : memref<300xf32, #gpu<address_space global>>
// CHECK-NEXT: %o = gpu.binding 2 read_write : memref<200xf32, #gpu<address_space global>>
// CHECK: scf.if
// CHECK-NEXT: gpu.var %{{.*}} : memref<f32, #gpu<address_space private>>
// CHECK: scf.for
// CHECK: math.fma
// CHECK: memref.store %{{.*}}, %o[%{{.*}}]
kernel.func @dot(%x : memref<20x30xf32>, %y : memref<30x10xf32>) -> (%o : memref<20x10xf32>) {
  kernel.nest [i: par 20, j: par 10, k: red 30] ins(%a = %x : memref<20x30xf32>, %b = %y : memref<30x10xf32>) outs(%c = %o : memref<20x10xf32>) {
    %0 = kernel.load %a[i, k] : memref<20x30xf32>
    %1 = kernel.load %b[k, j] : memref<30x10xf32>
    %2 = arith.mulf %0, %1 : f32
    %3 = kernel.reduce add %2 over [k] : f32
    kernel.store %3, %c[i, j] : memref<20x10xf32>
  }
}

// -----

// A row a workgroup: lanes make vectors, the group combines its partial sums in a tree with a barrier at each step, and one invocation stores.
// CHECK-LABEL: gpu.module @rowsum {
// CHECK: gpu.known_block_size = array<i32: 4, 1, 1>, gpu.known_grid_size = array<i32: 8, 1, 1>
// CHECK: gpu.binding 0 read : memref<64xvector<4xf32>, #gpu<address_space global>>
// CHECK: gpu.var %{{.*}} : memref<vector<4xf32>, #gpu<address_space private>>
// CHECK: scf.for
// CHECK: gpu.workgroup_alloc : memref<4xf32, #gpu<address_space workgroup>>
// CHECK: gpu.barrier
// CHECK: scf.if
// CHECK: gpu.barrier
// CHECK: scf.if
// CHECK: gpu.barrier
// CHECK: scf.if
// CHECK-NEXT: memref.store %{{.*}}, %o
kernel.func @rowsum(%x : memref<8x32xf32>) -> (%o : memref<8xf32>) {
  kernel.nest [i: par@grid 8, j1: red@group 4, j0: red@loop 2, j2: red@lane 4] ins(%a = %x : memref<8x32xf32>) outs(%c = %o : memref<8xf32>) {
    %0 = kernel.load %a[i, j0 * 16 + j1 * 4 + j2] : memref<8x32xf32>
    %1 = kernel.reduce add %0 over [j0, j1, j2] : f32
    kernel.store %1, %c[i] : memref<8xf32>
  }
}

// -----

// A load staged at the entry: filled along the source, read along the destination.
// CHECK-LABEL: gpu.module @transpose {
// CHECK: %tile_x = gpu.workgroup_alloc : memref<72xf32, #gpu<address_space workgroup>>
// CHECK: memref.load %x
// CHECK: memref.store %{{.*}}, %tile_x
// CHECK: gpu.barrier
// CHECK: memref.load %tile_x
// CHECK: memref.store %{{.*}}, %o
kernel.func @transpose(%x : memref<16x16xf32>) -> (%o : memref<16x16xf32>) {
  kernel.nest [i0: par@grid 2, j0: par@grid 2, i1: par@local 8, j1: par@local 8] ins(%a = %x : memref<16x16xf32>) outs(%c = %o : memref<16x16xf32>) {
    %0 = kernel.load %a[j0 * 8 + j1, i0 * 8 + i1] stage {at = "entry", pad = "1"} : memref<16x16xf32>
    kernel.store %0, %c[i0 * 8 + i1, j0 * 8 + j1] : memref<16x16xf32>
  }
}

// -----

// What may meet is added atomically.
// CHECK-LABEL: gpu.module @scatter {
// CHECK: gpu.atomic add %{{.*}}, %o[%{{.*}}] : f32, memref<5xf32, #gpu<address_space global>>
kernel.func @scatter(%u : memref<64xf32>, %i : memref<64xi32>) -> (%o : memref<5xf32>) {
  kernel.nest [i: par 64] ins(%a = %u : memref<64xf32>, %b = %i : memref<64xi32>) outs(%c = %o : memref<5xf32>) {
    %0 = kernel.load %b[i] : memref<64xi32>
    %1 = kernel.load %a[i] : memref<64xf32>
    kernel.store add %1, %c (s0 = %0 in 0 to 4) [s0] : memref<5xf32>
  }
}
