// RUN: xdsl-opt %s | xdsl-opt | filecheck %s
// RUN: xdsl-opt %s --print-op-generic | xdsl-opt | filecheck %s
// RUN: xdsl-opt %s --print-op-generic | filecheck %s --check-prefix=GENERIC

// Every operation of the dialect, in both syntaxes.

// xDSL's own form: a module without a region.
wasm.module
"wasm.module"() : () -> ()
wasm.module attributes {hello = 1 : i32}

// CHECK:      builtin.module {
// CHECK-NEXT:   wasm.module
// CHECK-NEXT:   wasm.module
// CHECK-NEXT:   wasm.module attributes {hello = 1 : i32}

wasm.module {
  wasm.memory @memory import "env" "memory" 1 to 65536 shared
  wasm.global @counter mutable = 0 : i32
  wasm.global @scale export "scale" = 1.5 : f32
  wasm.data at 1024 "hello\00\ff"
  wasm.data "passive"
  wasm.func @log(i32) import "env" "log"
  // CHECK:        wasm.module {
  // CHECK-NEXT:     wasm.memory @memory import "env" "memory" 1 to 65536 shared
  // CHECK-NEXT:     wasm.global @counter mutable = 0 : i32
  // CHECK-NEXT:     wasm.global @scale export "scale" = 1.500000e+00 : f32
  // CHECK-NEXT:     wasm.data at 1024 "hello\00\FF"
  // CHECK-NEXT:     wasm.data "passive"
  // CHECK-NEXT:     wasm.func @log(i32) import "env" "log"
  // GENERIC:        "wasm.memory"() <{sym_name = "memory", minimum = 1 : i64, maximum = 65536 : i64, shared, import_from = ["env", "memory"]}>
  // GENERIC:        "wasm.func"() <{sym_name = "log", function_type = (i32) -> (), import_from = ["env", "log"]}>

  wasm.func @values(%p: i32) -> (i32, f32) export "values" {
    %n = wasm.const -7 : i32
    %f = wasm.const 1.5 : f32
    %v = wasm.const f32x4 [0.0, 1.0, -0.0, 3.0]
    %b = wasm.const i8x16 [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, -15]
    // CHECK-NEXT:   wasm.func @values(%p: i32) -> (i32, f32) export "values" {
    // CHECK-NEXT:     %n = wasm.const -7 : i32
    // CHECK-NEXT:     %f = wasm.const 1.500000e+00 : f32
    // CHECK-NEXT:     %v = wasm.const f32x4 [0.000000e+00, 1.000000e+00, -0.000000e+00, 3.000000e+00]
    // CHECK-NEXT:     %b = wasm.const i8x16 [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, -15]
    // GENERIC:        %v = "wasm.const"() <{value = array<f32: 0.000000e+00, 1.000000e+00, -0.000000e+00, 3.000000e+00>}> : () -> !wasm.v128

    %s = wasm.inst i32.add %p, %n
    %x = wasm.inst v128.load %s offset=16 align=4
    %y = wasm.inst f32x4.relaxed_madd %x, %v, %v
    %l = wasm.inst f32x4.extract_lane[2] %y
    %w = wasm.inst v128.load32_lane[1] %p, %y offset=8
    %z = wasm.inst i8x16.shuffle[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 31] %w, %b
    wasm.inst v128.store %p, %z
    %o = wasm.inst select %n, %s, %p : i32
    %old = wasm.inst i32.atomic.rmw.add %p, %n offset=4
    wasm.inst atomic.fence
    wasm.inst memory.fill %p, %n, %n
    wasm.inst memory.init[1] %p, %n, %n
    // CHECK-NEXT:     %s = wasm.inst i32.add %p, %n
    // CHECK-NEXT:     %x = wasm.inst v128.load %s offset=16 align=4
    // CHECK-NEXT:     %y = wasm.inst f32x4.relaxed_madd %x, %v, %v
    // CHECK-NEXT:     %l = wasm.inst f32x4.extract_lane[2] %y
    // CHECK-NEXT:     %w = wasm.inst v128.load32_lane[1] %p, %y offset=8
    // CHECK-NEXT:     %z = wasm.inst i8x16.shuffle[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 31] %w, %b
    // CHECK-NEXT:     wasm.inst v128.store %p, %z
    // CHECK-NEXT:     %o = wasm.inst select %n, %s, %p : i32
    // CHECK-NEXT:     %old = wasm.inst i32.atomic.rmw.add %p, %n offset=4
    // CHECK-NEXT:     wasm.inst atomic.fence
    // CHECK-NEXT:     wasm.inst memory.fill %p, %n, %n
    // CHECK-NEXT:     wasm.inst memory.init[1] %p, %n, %n
    // GENERIC:        %s = "wasm.inst"(%p, %n) <{mnemonic = "i32.add"}> : (i32, i32) -> i32
    // GENERIC-NEXT:   %x = "wasm.inst"(%s) <{mnemonic = "v128.load", immediates = array<i64: 2, 16>}> : (i32) -> !wasm.v128

    %c = wasm.global.get @counter : i32
    wasm.global.set @counter, %c : i32
    wasm.call @log(%c) : (i32)
    wasm.return %o, %l : i32, f32
    // CHECK-NEXT:     %c = wasm.global.get @counter : i32
    // CHECK-NEXT:     wasm.global.set @counter, %c : i32
    // CHECK-NEXT:     wasm.call @log(%c) : (i32)
    // CHECK-NEXT:     wasm.return %o, %l : i32, f32
  }

  wasm.func @control(%n: i32) -> i32 {
    %zero = wasm.const 0 : i32
    %one = wasm.const 1 : i32
    %sum = wasm.loop (%i = %zero : i32, %s = %zero : i32) -> i32 {
      %t = wasm.inst i32.add %s, %i
      %j = wasm.inst i32.add %i, %one
      %done = wasm.inst i32.eq %t, %n
      wasm.break_if %done, %t : i32
      %more = wasm.inst i32.lt_s %j, %n
      wasm.continue_if %more, %j, %t : i32, i32
      wasm.yield %t : i32
    }
    %r = wasm.if %sum -> i32 {
      wasm.yield %one : i32
    } else {
      wasm.return %zero : i32
    }
    wasm.if %r {
      wasm.call @log(%r) : (i32)
    }
    %e = wasm.block -> i32 {
      wasm.break_if %r, %zero : i32
      wasm.yield %one : i32
    }
    wasm.loop {
      wasm.continue
    }
    wasm.return %e : i32
    // CHECK:        wasm.func @control(%n: i32) -> i32 {
    // CHECK-NEXT:     %zero = wasm.const 0 : i32
    // CHECK-NEXT:     %one = wasm.const 1 : i32
    // CHECK-NEXT:     %sum = wasm.loop (%i = %zero : i32, %s = %zero : i32) -> i32 {
    // CHECK-NEXT:       %t = wasm.inst i32.add %s, %i
    // CHECK-NEXT:       %j = wasm.inst i32.add %i, %one
    // CHECK-NEXT:       %done = wasm.inst i32.eq %t, %n
    // CHECK-NEXT:       wasm.break_if %done, %t : i32
    // CHECK-NEXT:       %more = wasm.inst i32.lt_s %j, %n
    // CHECK-NEXT:       wasm.continue_if %more, %j, %t : i32, i32
    // CHECK-NEXT:       wasm.yield %t : i32
    // CHECK-NEXT:     }
    // CHECK-NEXT:     %r = wasm.if %sum -> i32 {
    // CHECK-NEXT:       wasm.yield %one : i32
    // CHECK-NEXT:     } else {
    // CHECK-NEXT:       wasm.return %zero : i32
    // CHECK-NEXT:     }
    // CHECK-NEXT:     wasm.if %r {
    // CHECK-NEXT:       wasm.call @log(%r) : (i32)
    // CHECK-NEXT:     }
    // CHECK-NEXT:     %e = wasm.block -> i32 {
    // CHECK-NEXT:       wasm.break_if %r, %zero : i32
    // CHECK-NEXT:       wasm.yield %one : i32
    // CHECK-NEXT:     }
    // CHECK-NEXT:     wasm.loop {
    // CHECK-NEXT:       wasm.continue
    // CHECK-NEXT:     }
    // CHECK-NEXT:     wasm.return %e : i32
  }
}
