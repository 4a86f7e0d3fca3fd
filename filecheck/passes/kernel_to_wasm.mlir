// RUN: xdsl-opt %s -p kernel-to-wasm | filecheck %s

// A kernel becomes a function of its buffers' addresses; main reads those from the table of parameters and calls it.
kernel.func @scale(%a : memref<64xf32>) -> (%r : memref<64xf32>) {
  kernel.nest [i0: par@grid 16, i1: par@lane 4] ins(%x = %a : memref<64xf32>) outs(%o = %r : memref<64xf32>) {
    %c = arith.constant 2.0 : f32
    %0 = kernel.load %x[i0 * 4 + i1] : memref<64xf32>
    %1 = arith.mulf %0, %c : f32
    kernel.store %1, %o[i0 * 4 + i1] : memref<64xf32>
  }
}
kernel.program @main(%x : memref<64xf32>) -> (%y : memref<64xf32>) {
  kernel.launch @scale ins(%x : memref<64xf32>) outs(%y : memref<64xf32>)
}
// CHECK:       wasm.module
// CHECK:         wasm.func @main(%{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32) export "main"
// CHECK:           wasm.call @scale
// CHECK:         wasm.func @scale
// CHECK:           wasm.loop
// CHECK:             %[[X:.*]] = wasm.inst v128.load
// CHECK-NEXT:        %[[Y:.*]] = wasm.inst f32x4.mul %[[X]], %{{.*}}
// CHECK-NEXT:        wasm.inst v128.store %{{.*}}, %[[Y]]
// CHECK:             wasm.continue_if
