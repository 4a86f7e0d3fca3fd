// RUN: xdsl-opt %s -t weft-wgsl | filecheck %s

// Types that WGSL has not. Bytes lie four to a word: one that is read is taken out of its word, what a sum may have beyond eight bits is dropped,
// one that is written goes into its word by compare-and-exchange, for the word is shared.
// CHECK:      // kernel bytes
// CHECK-NEXT: @group(0) @binding(0) var<storage, read> x: array<u32>;
// CHECK-NEXT: @group(0) @binding(1) var<storage, read_write> y: array<atomic<i32>>;
// CHECK:      let v = extractBits(bitcast<i32>(x[(l) >> 2u]), ((u32(l) & 3u) * 8u), 8u);
// CHECK:      let value = extractBits(v + v, 0u, 8u);
// CHECK-NEXT: let place = &y[(l) >> 2u];
// CHECK-NEXT: let shift = ((u32(l) & 3u) * 8u);
// CHECK:      atomicCompareExchangeWeak(place, old, insertBits(old, bitcast<i32>(bitcast<u32>(value)), shift, 8u));
gpu.module @bytes {
  gpu.func @main() kernel attributes {gpu.known_block_size = array<i32: 64, 1, 1>} {
    %x = gpu.binding 0 read : memref<64xi8, #gpu<address_space global>>
    %y = gpu.binding 1 read_write : memref<64xi8, #gpu<address_space global>>
    %l = gpu.local_index
    %v = memref.load %x[%l] : memref<64xi8, #gpu<address_space global>>
    %s = arith.addi %v, %v : i8
    memref.store %s, %y[%l] : memref<64xi8, #gpu<address_space global>>
    gpu.return
  }
}

// Four at once are words that one invocation owns.
// CHECK:      // kernel words
// CHECK-NEXT: @group(0) @binding(0) var<storage, read> x: array<vec2<u32>>;
// CHECK-NEXT: @group(0) @binding(1) var<storage, read_write> y: array<vec2<u32>>;
// CHECK:      let v = w_unpack_bf16(x[l]);
// CHECK-NEXT: y[l] = w_pack_bf16(v * v);
gpu.module @words {
  gpu.func @main() kernel attributes {gpu.known_block_size = array<i32: 64, 1, 1>} {
    %x = gpu.binding 0 read : memref<64xvector<4xbf16>, #gpu<address_space global>>
    %y = gpu.binding 1 read_write : memref<64xvector<4xbf16>, #gpu<address_space global>>
    %l = gpu.local_index
    %v = memref.load %x[%l] : memref<64xvector<4xbf16>, #gpu<address_space global>>
    %s = arith.mulf %v, %v : vector<4xbf16>
    memref.store %s, %y[%l] : memref<64xvector<4xbf16>, #gpu<address_space global>>
    gpu.return
  }
}

// An integer of 64 bits is a pair of words.
// CHECK:      // kernel pairs
// CHECK-NEXT: @group(0) @binding(0) var<storage, read_write> x: array<vec2<u32>>;
// CHECK:      fn w_mul_i64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
// CHECK:      x[l] = w_mul_i64(x[l], vec2<u32>(4294967295u, 4294967295u));
gpu.module @pairs {
  gpu.func @main() kernel attributes {gpu.known_block_size = array<i32: 64, 1, 1>} {
    %x = gpu.binding 0 read_write : memref<64xi64, #gpu<address_space global>>
    %l = gpu.local_index
    %v = memref.load %x[%l] : memref<64xi64, #gpu<address_space global>>
    %m = arith.constant -1 : i64
    %s = arith.muli %v, %m : i64
    memref.store %s, %x[%l] : memref<64xi64, #gpu<address_space global>>
    gpu.return
  }
}
