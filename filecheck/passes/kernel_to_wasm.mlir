// RUN: xdsl-opt %s -p kernel-to-wasm --split-input-file | filecheck %s

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

// -----

// Threads share what is worth it. The small launches before and in the loop are the first thread's alone; others wait before they read what it has written, and it waits for them.
kernel.func @large(%a : memref<65536xf32>, %s : memref<1xf32>) -> (%r : memref<65536xf32>) {
  kernel.nest [i0: par@grid 16384, i1: par@lane 4] ins(%x = %a : memref<65536xf32>, %y = %s : memref<1xf32>) outs(%o = %r : memref<65536xf32>) {
    %0 = kernel.load %x[i0 * 4 + i1] : memref<65536xf32>
    %1 = kernel.load %y[0] : memref<1xf32>
    %2 = math.exp %0 : f32
    %3 = arith.mulf %2, %1 : f32
    kernel.store %3, %o[i0 * 4 + i1] : memref<65536xf32>
  }
}
kernel.func @small(%a : memref<65536xf32>) -> (%r : memref<1xf32>) {
  kernel.nest [] ins(%x = %a : memref<65536xf32>) outs(%o = %r : memref<1xf32>) {
    %0 = kernel.load %x[7] : memref<65536xf32>
    kernel.store %0, %o[0] : memref<1xf32>
  }
}
kernel.program @main(%x : memref<65536xf32>) -> (%y : memref<65536xf32>) {
  %s = kernel.alloc at 0 slot 0 : memref<1xf32>
  kernel.launch @small ins(%x : memref<65536xf32>) outs(%s : memref<1xf32>)
  kernel.launch @large ins(%x, %s : memref<65536xf32>, memref<1xf32>) outs(%y : memref<65536xf32>)
  kernel.repeat 3 {
    kernel.launch @small ins(%y : memref<65536xf32>) outs(%s : memref<1xf32>)
    kernel.launch @small ins(%x : memref<65536xf32>) outs(%s : memref<1xf32>)
  }
}
// CHECK:       wasm.func @main(%{{.*}}: i32, %[[TID:.*]]: i32, %[[N:.*]]: i32)
// CHECK:         %[[FIRST:.*]] = wasm.inst i32.eqz %[[TID]]
// CHECK-NEXT:    wasm.if %[[FIRST]] {
// CHECK:           wasm.call @small
// CHECK-NEXT:    }
// CHECK:           wasm.call @barrier
// CHECK-NEXT:    }
// CHECK-NEXT:    wasm.call @large({{.*}}, %[[TID]], %[[N]])
// CHECK:           wasm.call @barrier
// CHECK-NEXT:    }
// CHECK-NEXT:    %[[AGAIN:.*]] = wasm.inst i32.eqz %[[TID]]
// CHECK-NEXT:    wasm.if %[[AGAIN]] {
// CHECK:           wasm.loop
// CHECK-NEXT:        wasm.call @small
// CHECK-NEXT:        wasm.call @small
// CHECK-NOT:         wasm.call @barrier
// CHECK:         wasm.func @large

// -----

// Buffers that change places between rounds are addresses that do; what a `while` leaves elsewhere comes home.
kernel.func @less(%a : memref<64xf32>) -> (%p : memref<i1>) {
  kernel.nest [] ins(%x = %a : memref<64xf32>) outs(%o = %p : memref<i1>) {
    %c = arith.constant 2.0 : f32
    %0 = kernel.load %x[0] : memref<64xf32>
    %1 = arith.cmpf olt, %0, %c : f32
    kernel.store %1, %o[] : memref<i1>
  }
}
kernel.func @flip(%a : memref<64xf32>) -> (%r : memref<64xf32>) {
  kernel.nest [i: par 64] ins(%x = %a : memref<64xf32>) outs(%o = %r : memref<64xf32>) {
    %0 = kernel.load %x[-i + 63] : memref<64xf32>
    kernel.store %0, %o[i] : memref<64xf32>
  }
}
kernel.program @main() -> (%y : memref<64xf32>) {
  %t = kernel.alloc at 0 slot 0 : memref<64xf32>
  %p = kernel.alloc at 256 slot 1 : memref<i1>
  kernel.repeat 10 rotating (%y, %t : memref<64xf32>) {
    kernel.launch @flip ins(%y : memref<64xf32>) outs(%t : memref<64xf32>)
  }
  kernel.while {
    kernel.launch @less ins(%y : memref<64xf32>) outs(%p : memref<i1>)
  } holds %p : memref<i1> rotating (%y, %t : memref<64xf32>) do {
    kernel.launch @flip ins(%y : memref<64xf32>) outs(%t : memref<64xf32>)
  }
}
// CHECK:       wasm.func @main({{.*}}) export "main"
// CHECK:         %[[TIMES:.*]] = wasm.const 10 : i32
// CHECK-NEXT:    wasm.loop (%{{.*}} = %[[TIMES]] : i32, %[[Y:.*]] = %[[HOME:.*]] : i32, %[[T:.*]] = %[[OTHER:.*]] : i32) {
// CHECK-NEXT:      wasm.call @flip(%[[Y]], %[[T]]
// CHECK:           wasm.continue_if %{{.*}}, %{{.*}}, %[[T]], %[[Y]]
// CHECK:         %[[LEFT:.*]], %{{.*}} = wasm.loop (%[[A:.*]] = %[[HOME]] : i32, %[[B:.*]] = %[[OTHER]] : i32)
// CHECK-NEXT:      wasm.call @less(%[[A]]
// CHECK:           wasm.break_if %{{.*}}, %[[A]], %[[B]]
// CHECK-NEXT:      wasm.call @flip(%[[A]], %[[B]]
// CHECK-NEXT:      wasm.continue %[[B]], %[[A]]
// CHECK:         wasm.inst i32.eq %[[LEFT]], %[[OTHER]]
// CHECK:         wasm.inst memory.copy %[[HOME]], %[[OTHER]]

// -----

// One case of a branch runs: the work is that of the longest.
kernel.func @large(%a : memref<65536xf32>) -> (%r : memref<65536xf32>) {
  kernel.nest [i0: par@grid 16384, i1: par@lane 4] ins(%x = %a : memref<65536xf32>) outs(%o = %r : memref<65536xf32>) {
    %0 = kernel.load %x[i0 * 4 + i1] : memref<65536xf32>
    %1 = math.exp %0 : f32
    kernel.store %1, %o[i0 * 4 + i1] : memref<65536xf32>
  }
}
kernel.program @main(%x : memref<65536xf32>, %i : memref<i32>) -> (%y : memref<65536xf32>) {
  kernel.switch %i : memref<i32> case {
    kernel.launch @large ins(%x : memref<65536xf32>) outs(%y : memref<65536xf32>)
  } case {
    kernel.launch @large ins(%x : memref<65536xf32>) outs(%y : memref<65536xf32>)
    kernel.launch @large ins(%x : memref<65536xf32>) outs(%y : memref<65536xf32>)
  }
}
// CHECK: wasm.module attributes {program = {{{.*}}work = 88474 : i64
