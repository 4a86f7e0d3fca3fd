// RUN: xdsl-opt %s -t weft-wat | filecheck %s
// RUN: xdsl-opt %s -t wat | filecheck %s

// xDSL's own target `wat` prints our modules, too.
// A sum over a loop: the induction value and the sum stay in locals, all else on the stack.

wasm.module {
  wasm.memory @memory import "env" "memory" 1 to 65536 shared
  wasm.func @sum(%p: i32, %n: i32) -> f32 export "sum" {
    %zero = wasm.const 0 : i32
    %none = wasm.const 0.0 : f32
    %four = wasm.const 4 : i32
    %sum = wasm.loop (%i = %zero : i32, %s = %none : f32) -> f32 {
      %address = wasm.inst i32.add %p, %i
      %x = wasm.inst f32.load %address offset=16
      %t = wasm.inst f32.add %s, %x
      %j = wasm.inst i32.add %i, %four
      %more = wasm.inst i32.lt_u %j, %n
      wasm.continue_if %more, %j, %t : i32, f32
      wasm.yield %t : f32
    }
    wasm.return %sum : f32
  }
}

// CHECK:      (module
// CHECK-NEXT:   (memory $memory (import "env" "memory") 1 65536 shared)
// CHECK-NEXT:   (func $sum (export "sum") (param i32 i32) (result f32)
// CHECK-NEXT:     (local f32 i32 f32 f32 i32)
// CHECK-NEXT:     i32.const 0
// CHECK-NEXT:     f32.const 0.0
// CHECK-NEXT:     local.set 4
// CHECK-NEXT:     local.set 3
// CHECK-NEXT:     loop
// CHECK-NEXT:       local.get 4
// CHECK-NEXT:       local.get 0
// CHECK-NEXT:       local.get 3
// CHECK-NEXT:       i32.add
// CHECK-NEXT:       f32.load offset=16
// CHECK-NEXT:       f32.add
// CHECK-NEXT:       local.set 5
// CHECK-NEXT:       local.get 3
// CHECK-NEXT:       i32.const 4
// CHECK-NEXT:       i32.add
// CHECK-NEXT:       local.tee 6
// CHECK-NEXT:       local.get 1
// CHECK-NEXT:       i32.lt_u
// CHECK-NEXT:       local.get 6
// CHECK-NEXT:       local.get 5
// CHECK-NEXT:       local.set 4
// CHECK-NEXT:       local.set 3
// CHECK-NEXT:       br_if 0
// CHECK-NEXT:       local.get 5
// CHECK-NEXT:       local.set 2
// CHECK-NEXT:     end
// CHECK-NEXT:     local.get 2))
