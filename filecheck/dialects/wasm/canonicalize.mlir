// RUN: xdsl-opt %s -p canonicalize | filecheck %s

wasm.module {
  // Constants fold, wrapped to their width; what would trap stays.
  wasm.func @constants() -> (i32, i32, i64, i32) {
    %a = wasm.const 2147483647 : i32
    %b = wasm.const 2 : i32
    %z = wasm.const 0 : i32
    %l = wasm.const 3 : i64
    %add = wasm.inst i32.add %a, %b
    %shift = wasm.inst i32.shl %b, %a
    %mul = wasm.inst i64.mul %l, %l
    %div = wasm.inst i32.div_s %a, %z
    wasm.return %add, %shift, %mul, %div : i32, i32, i64, i32
  }
  // CHECK:      wasm.func @constants() -> (i32, i32, i64, i32) {
  // CHECK-DAG:    %div = wasm.inst i32.div_s %a, %z
  // CHECK-DAG:    %add = wasm.const -2147483647 : i32
  // CHECK-DAG:    %shift = wasm.const 0 : i32
  // CHECK-DAG:    %mul = wasm.const 9 : i64
  // CHECK:        wasm.return %add, %shift, %mul, %div

  // Neutral and absorbing operands.
  wasm.func @neutral(%x: i32) -> (i32, i32, i32, i32) {
    %z = wasm.const 0 : i32
    %one = wasm.const 1 : i32
    %a = wasm.inst i32.add %z, %x
    %m = wasm.inst i32.mul %a, %one
    %n = wasm.inst i32.mul %x, %z
    %s = wasm.inst i32.shr_u %x, %z
    %c = wasm.inst select %x, %n, %one : i32
    wasm.return %m, %n, %s, %c : i32, i32, i32, i32
  }
  // CHECK:      wasm.func @neutral(%x: i32) -> (i32, i32, i32, i32) {
  // CHECK-NEXT:   %z = wasm.const 0 : i32
  // CHECK-NEXT:   wasm.return %x, %z, %x, %x

  // Constants of a sum gather on the right.
  wasm.func @gather(%x: i32) -> i32 {
    %two = wasm.const 2 : i32
    %three = wasm.const 3 : i32
    %a = wasm.inst i32.add %two, %x
    %b = wasm.inst i32.add %a, %three
    wasm.return %b : i32
  }
  // CHECK:      wasm.func @gather(%x: i32) -> i32 {
  // CHECK:        %[[C:.*]] = wasm.const 5 : i32
  // CHECK-NEXT:   %[[S:.*]] = wasm.inst i32.add %x, %[[C]]
  // CHECK-NEXT:   wasm.return %[[S]]

  // Floats are left alone: -0.0 + 0.0 is 0.0. Dead pure code goes, and dead loads; what writes or traps stays.
  wasm.func @kept(%p: i32, %x: f32) -> f32 {
    %z = wasm.const 0.0 : f32
    %a = wasm.inst f32.add %x, %z
    %dead = wasm.inst f32.mul %x, %x
    %load = wasm.inst f32.load %p
    %trap = wasm.inst i32.trunc_f32_s %x
    %old = wasm.inst i32.atomic.rmw.add %p, %p
    wasm.return %a : f32
  }
  // CHECK:      wasm.func @kept(%p: i32, %x: f32) -> f32 {
  // CHECK-NEXT:   %z = wasm.const 0.000000e+00 : f32
  // CHECK-NEXT:   %a = wasm.inst f32.add %x, %z
  // CHECK-NEXT:   %trap = wasm.inst i32.trunc_f32_s %x
  // CHECK-NEXT:   %old = wasm.inst i32.atomic.rmw.add %p, %p
  // CHECK-NEXT:   wasm.return %a
}
