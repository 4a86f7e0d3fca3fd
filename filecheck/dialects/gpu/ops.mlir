// RUN: xdsl-opt %s | filecheck %s
// RUN: xdsl-opt %s --print-op-generic | xdsl-opt | filecheck %s

// Every op that weft adds, and upstream's in MLIR's own syntax.
// CHECK: gpu.module @k0 {
gpu.module @k0 {
  // CHECK-NEXT: gpu.func @main() kernel attributes {gpu.known_block_size = array<i32: 64, 1, 1>} {
  gpu.func @main() kernel attributes {gpu.known_block_size = array<i32: 64, 1, 1>} {
    // CHECK-NEXT: %x = gpu.binding 0 read : memref<1024xf32, #gpu<address_space global>>
    %x = gpu.binding 0 read : memref<1024xf32, #gpu<address_space global>>
    // CHECK-NEXT: %y = gpu.binding 1 group 2 read_write : memref<256xvector<4xf32>, #gpu<address_space global>>
    %y = gpu.binding 1 group 2 read_write : memref<256xvector<4xf32>, #gpu<address_space global>>
    // CHECK-NEXT: %t = gpu.workgroup_alloc : memref<64xf32, #gpu<address_space workgroup>>
    %t = gpu.workgroup_alloc : memref<64xf32, #gpu<address_space workgroup>>
    // CHECK-NEXT: %i = gpu.thread_id x
    %i = gpu.thread_id x
    // CHECK-NEXT: %b = gpu.block_id y
    %b = gpu.block_id y
    // CHECK-NEXT: %g = gpu.global_id z
    %g = gpu.global_id z
    // CHECK-NEXT: %n = gpu.block_dim x
    %n = gpu.block_dim x
    // CHECK-NEXT: %m = gpu.grid_dim x
    %m = gpu.grid_dim x
    // CHECK-NEXT: %l = gpu.local_index
    %l = gpu.local_index
    // CHECK-NEXT: %lane = gpu.lane_id
    %lane = gpu.lane_id
    // CHECK-NEXT: %sg = gpu.subgroup_id
    %sg = gpu.subgroup_id
    // CHECK-NEXT: %ss = gpu.subgroup_size
    %ss = gpu.subgroup_size
    // CHECK-NEXT: %ns = gpu.num_subgroups
    %ns = gpu.num_subgroups
    %v = memref.load %x[%i] : memref<1024xf32, #gpu<address_space global>>
    // CHECK: %acc = gpu.var %v : memref<f32, #gpu<address_space private>>
    %acc = gpu.var %v : memref<f32, #gpu<address_space private>>
    // CHECK-NEXT: gpu.barrier
    gpu.barrier
    // CHECK-NEXT: gpu.storage_barrier
    gpu.storage_barrier
    %word = gpu.workgroup_alloc : memref<1xi32, #gpu<address_space workgroup>>
    // CHECK: %told = gpu.uniform_load %word : memref<1xi32, #gpu<address_space workgroup>>
    %told = gpu.uniform_load %word : memref<1xi32, #gpu<address_space workgroup>>
    // CHECK-NEXT: %w = gpu.lanes %v, %v, %v, %v : vector<4xf32>
    %w = gpu.lanes %v, %v, %v, %v : vector<4xf32>
    // CHECK-NEXT: %c = gpu.lanewise arith.cmpf %w, %w {predicate = 2 : i64} : vector<4xf32>, vector<4xf32> -> vector<4xi1>
    %c = gpu.lanewise arith.cmpf %w, %w {predicate = 2 : i64} : vector<4xf32>, vector<4xf32> -> vector<4xi1>
    // CHECK-NEXT: %s = gpu.subgroup_reduce add %v : f32
    %s = gpu.subgroup_reduce add %v : f32
    %one = arith.constant 1 : i32
    // CHECK: %d = gpu.subgroup_shuffle xor %s, %one : f32
    %d = gpu.subgroup_shuffle xor %s, %one : f32
    // CHECK-NEXT: gpu.atomic add %d, %t[%l] : f32, memref<64xf32, #gpu<address_space workgroup>>
    gpu.atomic add %d, %t[%l] : f32, memref<64xf32, #gpu<address_space workgroup>>
    // CHECK-NEXT: gpu.return
    gpu.return
  }
  // CHECK: gpu.func @twice(%p: f32) -> (f32) {
  gpu.func @twice(%p : f32) -> (f32) {
    %q = arith.addf %p, %p : f32
    // CHECK: gpu.return %q : f32
    gpu.return %q : f32
  }
}

// Upstream's generic form still parses, and host ops are what they were.
// CHECK: gpu.module @upstream {
"gpu.module"() <{sym_name = "upstream"}> ({
  "gpu.func"() <{function_type = () -> (), kernel}> ({
    // CHECK: %{{.*}} = gpu.thread_id x
    %0 = "gpu.thread_id"() <{dimension = #gpu<dim x>}> : () -> index
    // CHECK-NEXT: gpu.barrier
    "gpu.barrier"() : () -> ()
    "gpu.return"() : () -> ()
  }) {sym_name = "k"} : () -> ()
}) : () -> ()
// CHECK: "gpu.alloc"
%mem = "gpu.alloc"() <{operandSegmentSizes = array<i32: 0, 0, 0>}> : () -> memref<8xf32>
