// RUN: xdsl-opt %s -p 'kernel-plan-memory{target=wasm}' --split-input-file | filecheck %s --check-prefixes=CHECK,WASM
// RUN: xdsl-opt %s -p 'kernel-plan-memory{target=webgpu}' --split-input-file | filecheck %s --check-prefixes=CHECK,WEBGPU
// RUN: xdsl-opt %s -p 'kernel-plan-memory{target=wasm in_place=true donate=0}' --split-input-file | filecheck %s --check-prefix=REUSE

// Four launches of one kernel. The first value is dead when the third is written, so the third may lie where the first was; the result goes where the caller wants it.
// CHECK:      kernel.func @k0
// CHECK-NOT:  kernel.func
// WASM:       kernel.program @chain(%a: memref<64xf32>) -> (%0: memref<64xf32>) attributes {arena = 512 : i64} {
// WASM-NEXT:    [[A:%.*]] = kernel.alloc at 0 slot 0 : memref<64xf32>
// WASM-NEXT:    [[B:%.*]] = kernel.alloc at 256 slot 0 : memref<64xf32>
// WASM-NEXT:    [[C:%.*]] = kernel.alloc at 0 slot 0 : memref<64xf32>
// WEBGPU:     kernel.program @chain(%a: memref<64xf32>) -> (%0: memref<64xf32>) attributes {arena = 512 : i64} {
// WEBGPU-NEXT:  [[A:%.*]] = kernel.alloc at 0 slot 0 : memref<64xf32>
// WEBGPU-NEXT:  [[B:%.*]] = kernel.alloc at 0 slot 1 : memref<64xf32>
// WEBGPU-NEXT:  [[C:%.*]] = kernel.alloc at 0 slot 0 : memref<64xf32>
// CHECK-NEXT:   kernel.launch @k0 ins(%a : memref<64xf32>) outs([[A]] : memref<64xf32>)
// CHECK-NEXT:   kernel.launch @k0 ins([[A]] : memref<64xf32>) outs([[B]] : memref<64xf32>)
// CHECK-NEXT:   kernel.launch @k0 ins([[B]] : memref<64xf32>) outs([[C]] : memref<64xf32>)
// CHECK-NEXT:   kernel.launch @k0 ins([[C]] : memref<64xf32>) outs(%0 : memref<64xf32>)

// In place, a result takes the buffer of the operand that dies at the index where it is written: one buffer does for all.
// REUSE:      kernel.program @chain{{.*}} attributes {arena = 256 : i64, donated = array<i64: 0, 0>} {
// REUSE-NEXT:   [[A:%.*]] = kernel.alloc at 0 slot 0 : memref<64xf32>
// REUSE-NEXT:   kernel.launch @k0 ins(%a : memref<64xf32>) outs([[A]] : memref<64xf32>)
// REUSE-NEXT:   kernel.launch @k0 ins([[A]] : memref<64xf32>) outs([[A]] : memref<64xf32>)
func.func @chain(%a: tensor<64xf32>) -> tensor<64xf32> {
  %e1 = kernel.empty : tensor<64xf32>
  %1 = kernel.nest [i: par 64] ins(%x = %a : tensor<64xf32>) outs(%o = %e1 : tensor<64xf32>) {
    %v = kernel.load %x[i] : tensor<64xf32>
    %w = math.exp %v : f32
    kernel.store %w, %o[i] : tensor<64xf32>
  }
  %e2 = kernel.empty : tensor<64xf32>
  %2 = kernel.nest [i: par 64] ins(%x = %1 : tensor<64xf32>) outs(%o = %e2 : tensor<64xf32>) {
    %v = kernel.load %x[i] : tensor<64xf32>
    %w = math.exp %v : f32
    kernel.store %w, %o[i] : tensor<64xf32>
  }
  %e3 = kernel.empty : tensor<64xf32>
  %3 = kernel.nest [i: par 64] ins(%x = %2 : tensor<64xf32>) outs(%o = %e3 : tensor<64xf32>) {
    %v = kernel.load %x[i] : tensor<64xf32>
    %w = math.exp %v : f32
    kernel.store %w, %o[i] : tensor<64xf32>
  }
  %e4 = kernel.empty : tensor<64xf32>
  %4 = kernel.nest [i: par 64] ins(%x = %3 : tensor<64xf32>) outs(%o = %e4 : tensor<64xf32>) {
    %v = kernel.load %x[i] : tensor<64xf32>
    %w = math.exp %v : f32
    kernel.store %w, %o[i] : tensor<64xf32>
  }
  func.return %4 : tensor<64xf32>
}

// -----

// What a nest updates is copied first, if it is not the program's own. Results that are arguments, or the same twice, are copies.
// CHECK:      kernel.program @update
// CHECK-NEXT:   kernel.copy %a to %0 : memref<64xf32>
// CHECK-NEXT:   kernel.launch @k0 ins(%n : memref<8xi32>) outs(%0 : memref<64xf32>)
// CHECK-NEXT:   kernel.copy %0 to %1 : memref<64xf32>
// CHECK-NEXT:   kernel.copy %n to %2 : memref<8xi32>

// A donated argument that is read no more gives its buffer to a result.
// REUSE:      kernel.program @update{{.*}} attributes {arena = 0 : i64, donated = array<i64: 0, 0>} {
func.func @update(%a: tensor<64xf32>, %n: tensor<8xi32>) -> (tensor<64xf32>, tensor<64xf32>, tensor<8xi32>) {
  %r = kernel.nest [i: par 8] ins(%x = %n : tensor<8xi32>) outs(%o = %a : tensor<64xf32>) {
    %s = kernel.load %x[i] : tensor<8xi32>
    %v = arith.constant 1.0 : f32
    kernel.store add %v, %o (s0 = %s in 0 to 63) [s0] : tensor<64xf32>
  }
  func.return %r, %r, %n : tensor<64xf32>, tensor<64xf32>, tensor<8xi32>
}

// -----

// Data of the program's own.
// CHECK:      kernel.program @data
// CHECK-NEXT:   %{{.*}} = kernel.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32> -> memref<2xf32>
// CHECK-NEXT:   kernel.copy
func.func @data(%a: tensor<2xf32>) -> tensor<2xf32> {
  %c = array.constant dense<[1.0, 2.0]> : tensor<2xf32>
  func.return %c : tensor<2xf32>
}

// -----

// What a round computes from all of the last one has a buffer of its own, and the two change places; after an odd number of rounds the other one is the result.
// Of a recurrence of two steps, three take turns.
// CHECK:      kernel.program @turns(%x: memref<64xf32>) -> (%0: memref<64xf32>)
// CHECK:        [[X:%.*]] = kernel.alloc at {{.*}} slot {{.*}} : memref<64xf32>
// CHECK:        kernel.copy %x to [[X]] : memref<64xf32>
// CHECK:        kernel.repeat 7 rotating ([[X]], %0 : memref<64xf32>) {
// CHECK-NEXT:     kernel.launch @{{.*}} ins([[X]] : memref<64xf32>) outs(%0 : memref<64xf32>)
// CHECK-NEXT:   }
// CHECK:      kernel.program @recurrence(
// CHECK:        kernel.repeat 6 rotating ([[A:%.*]], [[B:%.*]], [[C:%.*]] : memref<64xf32>) {
// CHECK-NEXT:     kernel.launch @{{.*}} ins([[B]] : memref<64xf32>) outs([[C]] : memref<64xf32>)
// CHECK-NEXT:   }
func.func @turns(%x: tensor<64xf32>) -> tensor<64xf32> {
  %y = array.scan length 7 carry(%c = %x : tensor<64xf32>) over() {
    %e = kernel.empty : tensor<64xf32>
    %n = kernel.nest [i: par 64] ins(%a = %c : tensor<64xf32>) outs(%o = %e : tensor<64xf32>) {
      %v = kernel.load %a[-i + 63] : tensor<64xf32>
      kernel.store %v, %o[i] : tensor<64xf32>
    }
    array.yield %n : tensor<64xf32>
  }
  func.return %y : tensor<64xf32>
}
func.func @recurrence(%x: tensor<64xf32>, %z: tensor<64xf32>) -> tensor<64xf32> {
  %y, %w = array.scan length 6 carry(%b = %x : tensor<64xf32>, %c = %z : tensor<64xf32>) over() {
    %e = kernel.empty : tensor<64xf32>
    %n = kernel.nest [i: par 64] ins(%a = %c : tensor<64xf32>) outs(%o = %e : tensor<64xf32>) {
      %v = kernel.load %a[-i + 63] : tensor<64xf32>
      kernel.store %v, %o[i] : tensor<64xf32>
    }
    array.yield %c, %n : tensor<64xf32>, tensor<64xf32>
  }
  func.return %w : tensor<64xf32>
}
