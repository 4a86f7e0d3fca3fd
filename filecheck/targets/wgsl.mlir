// RUN: xdsl-opt %s -t weft-wgsl | filecheck %s

// Values used once are written where they are used; a loop over a variable reads like one; functions that WGSL has not, or not exactly, come along.
// CHECK:      // kernel row
// CHECK-NEXT: @group(0) @binding(0) var<storage, read> x: array<f32>;
// CHECK-NEXT: @group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
// CHECK-NEXT: var<workgroup> t: array<f32, 64>;
// CHECK:      fn w_exp4(x: vec4<f32>) -> vec4<f32> {
// CHECK:      @compute @workgroup_size(64, 1, 1)
// CHECK-NEXT: fn main(@builtin(local_invocation_index) li: u32) {
// CHECK-NEXT:   let l = i32(li);
// CHECK-NEXT:   t[l] = x[l];
// CHECK-NEXT:   workgroupBarrier();
// CHECK-NEXT:   var acc: f32 = 0.0f;
// CHECK-NEXT:   for (var k: i32 = 0; k < 64; k += 1) {
// CHECK-NEXT:     acc = acc + t[k];
// CHECK-NEXT:   }
// CHECK-NEXT:   y[l] = w_exp4(vec4<f32>(acc));
// CHECK-NEXT: }
gpu.module @row {
  gpu.func @main() kernel attributes {gpu.known_block_size = array<i32: 64, 1, 1>} {
    %x = gpu.binding 0 read : memref<64xf32, #gpu<address_space global>>
    %y = gpu.binding 1 read_write : memref<64xvector<4xf32>, #gpu<address_space global>>
    %t = gpu.workgroup_alloc : memref<64xf32, #gpu<address_space workgroup>>
    %l = gpu.local_index
    %v = memref.load %x[%l] : memref<64xf32, #gpu<address_space global>>
    memref.store %v, %t[%l] : memref<64xf32, #gpu<address_space workgroup>>
    gpu.barrier
    %zero = arith.constant 0.0 : f32
    %acc = gpu.var %zero : memref<f32, #gpu<address_space private>>
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    scf.for %k = %c0 to %c64 step %c1 {
      %a = memref.load %acc[] : memref<f32, #gpu<address_space private>>
      %b = memref.load %t[%k] : memref<64xf32, #gpu<address_space workgroup>>
      %c = arith.addf %a, %b : f32
      memref.store %c, %acc[] : memref<f32, #gpu<address_space private>>
    }
    %s = memref.load %acc[] : memref<f32, #gpu<address_space private>>
    %w = vector.broadcast %s : f32 to vector<4xf32>
    %e = math.exp %w : vector<4xf32>
    memref.store %e, %y[%l] : memref<64xvector<4xf32>, #gpu<address_space global>>
    gpu.return
  }
}

// Loops with carried values, unsigned comparison, NaN that no literal can say, division that does not trap, a comparison that NaN makes true, float atomics.
// CHECK:      // kernel numbers
// CHECK:      array<atomic<i32>>
// CHECK:      var acc: i32 = 0;
// CHECK-NEXT: for (var i: i32 = 0; i < 8; i += 1) {
// CHECK-NEXT:   acc = acc + n[i];
// CHECK-NEXT: }
// CHECK-NEXT: let d = w_div_i32(acc, n[l]);
// CHECK:      select(x, w_nan(), (bitcast<u32>(d) < bitcast<u32>(acc)) & (!(x == f32(acc))))
// CHECK:      atomicCompareExchangeWeak(place, old, bitcast<i32>(bitcast<f32>(old) + value));
gpu.module @numbers {
  gpu.func @main() kernel attributes {gpu.known_block_size = array<i32: 8, 1, 1>} {
    %n = gpu.binding 0 read : memref<8xi32, #gpu<address_space global>>
    %f = gpu.binding 1 read_write : memref<8xf32, #gpu<address_space global>>
    %l = gpu.local_index
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c8 = arith.constant 8 : index
    %z = arith.constant 0 : i32
    %sum = scf.for %i = %c0 to %c8 step %c1 iter_args(%acc = %z) -> (i32) {
      %v = memref.load %n[%i] : memref<8xi32, #gpu<address_space global>>
      %a = arith.addi %acc, %v : i32
      scf.yield %a : i32
    }
    %w = memref.load %n[%l] : memref<8xi32, #gpu<address_space global>>
    %d = arith.divsi %sum, %w : i32
    %less = arith.cmpi ult, %d, %sum : i32
    %nan = arith.constant 0x7FC00000 : f32
    %x = arith.sitofp %d : i32 to f32
    %y = arith.sitofp %sum : i32 to f32
    %differ = arith.cmpf une, %x, %y : f32
    %p = arith.andi %less, %differ : i1
    %r = arith.select %p, %nan, %x : f32
    gpu.atomic add %r, %f[%l] : f32, memref<8xf32, #gpu<address_space global>>
    gpu.return
  }
}
