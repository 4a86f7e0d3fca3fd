// RUN: xdsl-opt %s | xdsl-opt | filecheck %s
// RUN: xdsl-opt %s --print-op-generic | xdsl-opt | filecheck %s
// RUN: xdsl-opt %s --print-op-generic | filecheck %s --check-prefix=GENERIC

// Softmax is one nest: two reductions over the axis along which the result is stored.
// CHECK-LABEL: func.func @softmax
// CHECK:      %{{.*}} = kernel.empty : tensor<128x512xf32>
// CHECK-NEXT: %{{.*}} = kernel.nest [i: par 128, j: red 512] ins([[X:%.*]] = %{{.*}} : tensor<128x512xf32>) outs([[O:%.*]] = %{{.*}} : tensor<128x512xf32>) {
// CHECK-NEXT:   [[V:%.*]] = kernel.load [[X]][i, j] : tensor<128x512xf32>
// CHECK-NEXT:   [[M:%.*]] = kernel.reduce max [[V]] over [j] : f32
// CHECK:        %{{.*}} = kernel.reduce add %{{.*}} over [j] : f32
// CHECK:        kernel.store %{{.*}}, [[O]][i, j] : tensor<128x512xf32>
// GENERIC: "kernel.nest"{{.*}} <{axes = #kernel.axes<[i: par 128, j: red 512]>
// GENERIC: "kernel.load"{{.*}} <{map = #kernel.map<(i: 128, j: 512) -> (i, j)>
func.func @softmax(%a: tensor<128x512xf32>) -> tensor<128x512xf32> {
  %e = kernel.empty : tensor<128x512xf32>
  %y = kernel.nest [i: par 128, j: red 512] ins(%x = %a : tensor<128x512xf32>) outs(%o = %e : tensor<128x512xf32>) {
    %0 = kernel.load %x[i, j] : tensor<128x512xf32>
    %1 = kernel.reduce max %0 over [j] : f32
    %2 = arith.subf %0, %1 : f32
    %3 = math.exp %2 : f32
    %4 = kernel.reduce add %3 over [j] : f32
    %5 = arith.divf %3, %4 : f32
    kernel.store %5, %o[i, j] : tensor<128x512xf32>
  }
  func.return %y : tensor<128x512xf32>
}

// Padding is a load that is valid only inside; an index that data decides is a symbol with bounds.
// CHECK-LABEL: func.func @guarded_gather
// CHECK:      [[S:%.*]] = kernel.load %{{.*}}[i] : tensor<8xi32>
// CHECK-NEXT: %{{.*}} = kernel.load %{{.*}} (s0 = [[S]] in 0 to 61) [s0 - 3] if (0 <= s0 - 3 < 64) : tensor<64xf32>
// CHECK-NEXT: %{{.*}} = kernel.inside (s0 = [[S]] in 0 to 61) if (0 <= s0 - 3 < 64)
// CHECK:      %{{.*}} = kernel.index (s0 = [[S]] in 0 to 61) [i * 4 + s0] : i32
// GENERIC: #kernel.map<()[s0: 0 to 61] -> (s0 - 3)>
// GENERIC: #kernel.conditions<()[s0: 0 to 61] -> (0 <= s0 - 3 < 64)>
func.func @guarded_gather(%a: tensor<64xf32>, %b: tensor<8xi32>) -> tensor<8xf32> {
  %e = kernel.empty : tensor<8xf32>
  %y = kernel.nest [i: par 8] ins(%n = %b : tensor<8xi32>, %x = %a : tensor<64xf32>) outs(%o = %e : tensor<8xf32>) {
    %s = kernel.load %n[i] : tensor<8xi32>
    %v = kernel.load %x (s0 = %s in 0 to 61) [s0 - 3] if (0 <= s0 - 3 < 64) : tensor<64xf32>
    %c = kernel.inside (s0 = %s in 0 to 61) if (0 <= s0 - 3 < 64)
    %p = kernel.index (s0 = %s in 0 to 61) [i * 4 + s0] : i32
    %q = arith.sitofp %p : i32 to f32
    %w = arith.select %c, %v, %q : f32
    kernel.store %w, %o[i] : tensor<8xf32>
  }
  func.return %y : tensor<8xf32>
}

// What arith has not: the remainder of floats.
// CHECK-LABEL: func.func @remainder
// CHECK:      %{{.*}} = kernel.remf %{{.*}}, %{{.*}} : f32
// CHECK-NEXT: %{{.*}} = kernel.remf %{{.*}}, %{{.*}} : vector<4xf32>
func.func @remainder(%x: f32, %y: f32, %v: vector<4xf32>) -> f32 {
  %r = kernel.remf %x, %y : f32
  %w = kernel.remf %v, %v : vector<4xf32>
  func.return %r : f32
}

// A scatter adds to what is there: its result is tied to the operand in outs.
// CHECK-LABEL: func.func @scatter_add
// CHECK: kernel.store add %{{.*}}, %{{.*}} (s0 = %{{.*}} in 0 to 63) [s0] : tensor<64xf32>
func.func @scatter_add(%a: tensor<64xf32>, %b: tensor<8xi32>, %u: tensor<8xf32>) -> tensor<64xf32> {
  %y = kernel.nest [i: par 8] ins(%n = %b : tensor<8xi32>, %x = %u : tensor<8xf32>) outs(%o = %a : tensor<64xf32>) {
    %s = kernel.load %n[i] : tensor<8xi32>
    %v = kernel.load %x[i] : tensor<8xf32>
    kernel.store add %v, %o (s0 = %s in 0 to 63) [s0] : tensor<64xf32>
  }
  func.return %y : tensor<64xf32>
}

// On memrefs a nest has no results. Levels say where the loops of a scheduled nest run; the last tile is clamped.
// CHECK: kernel.func @scale([[A:%.*]]: memref<10xf32>) -> ([[B:%.*]]: memref<10xf32>) {
// CHECK-NEXT: kernel.nest [i: par@grid 3, j: par@lane 4] ins([[X:%.*]] = [[A]] : memref<10xf32>) outs([[O:%.*]] = [[B]] : memref<10xf32>) {
// CHECK-NEXT:   kernel.load [[X]][j + min(i * 4, 6)] : memref<10xf32>
kernel.func @scale(%a : memref<10xf32>) -> (%b : memref<10xf32>) {
  kernel.nest [i: par@grid 3, j: par@lane 4] ins(%x = %a : memref<10xf32>) outs(%o = %b : memref<10xf32>) {
    %0 = kernel.load %x[min(i * 4, 6) + j] : memref<10xf32>
    %1 = arith.addf %0, %0 : f32
    kernel.store %1, %o[min(i * 4, 6) + j] : memref<10xf32>
  }
}

// Index arithmetic folds by ranges as it is read.
// CHECK: kernel.func @ranges
// CHECK: kernel.load %{{.*}}[i, j] : memref<8x4xf32>
// CHECK: kernel.store %{{.*}}, %{{.*}}[(i * 4 + j) floordiv 3, (i * 4 + j) mod 3] if (0 <= (i * 4 + j) floordiv 3 < 4) : memref<4x3xf32>
kernel.func @ranges(%a : memref<8x4xf32>) -> (%b : memref<4x3xf32>) {
  kernel.nest [i: par 8, j: par 4] ins(%x = %a : memref<8x4xf32>) outs(%o = %b : memref<4x3xf32>) {
    %0 = kernel.load %x[(i * 4 + j) floordiv 4, (i * 4 + j) mod 4] : memref<8x4xf32>
    kernel.store %0, %o[(i * 4 + j) floordiv 3, (i * 4 + j) mod 3] if (0 <= (i * 4 + j) floordiv 3 < 4) : memref<4x3xf32>
  }
}

// CHECK:      kernel.program @main([[P:%.*]]: memref<10xf32>) -> ([[Q:%.*]]: memref<10xf32>) attributes {arena = 64 : i64} {
// CHECK-NEXT:   [[T:%.*]] = kernel.alloc at 0 slot 0 : memref<10xf32>
// CHECK-NEXT:   [[C:%.*]] = kernel.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32> -> memref<2xf32>
// CHECK-NEXT:   kernel.launch @scale ins([[P]] : memref<10xf32>) outs([[T]] : memref<10xf32>)
// CHECK-NEXT:   kernel.copy [[T]] to [[Q]] : memref<10xf32>
kernel.program @main(%p : memref<10xf32>) -> (%q : memref<10xf32>) attributes {arena = 64 : i64} {
  %t = kernel.alloc at 0 slot 0 : memref<10xf32>
  %c = kernel.constant dense<[1.0, 2.0]> : tensor<2xf32> -> memref<2xf32>
  kernel.launch @scale ins(%p : memref<10xf32>) outs(%t : memref<10xf32>)
  kernel.copy %t to %q : memref<10xf32>
}

// CHECK-LABEL: kernel.program @course
// CHECK:      kernel.repeat 10 {
// CHECK-NEXT:   kernel.copy %p to %q : memref<10xf32>
// CHECK-NEXT: }
// CHECK-NEXT: kernel.while {
// CHECK-NEXT: } holds %h : memref<i1> do {
// CHECK-NEXT:   kernel.copy %p to %q : memref<10xf32>
// CHECK-NEXT: }
// CHECK-NEXT: kernel.repeat 9 rotating (%q, %u, %v : memref<10xf32>) {
// CHECK-NEXT:   kernel.copy %u to %v : memref<10xf32>
// CHECK-NEXT: }
// CHECK-NEXT: kernel.while {
// CHECK-NEXT: } holds %h : memref<i1> rotating (%q, %u : memref<10xf32>), (%i, %j : memref<i32>) do {
// CHECK-NEXT: }
// CHECK-NEXT: kernel.switch %i : memref<i32> case {
// CHECK-NEXT: } case {
// CHECK-NEXT:   kernel.copy %p to %q : memref<10xf32>
// CHECK-NEXT: }
kernel.program @course(%p : memref<10xf32>, %h : memref<i1>, %i : memref<i32>) -> (%q : memref<10xf32>, %u : memref<10xf32>, %v : memref<10xf32>, %j : memref<i32>) {
  kernel.repeat 10 {
    kernel.copy %p to %q : memref<10xf32>
  }
  kernel.while {
  } holds %h : memref<i1> do {
    kernel.copy %p to %q : memref<10xf32>
  }
  kernel.repeat 9 rotating (%q, %u, %v : memref<10xf32>) {
    kernel.copy %u to %v : memref<10xf32>
  }
  kernel.while {
  } holds %h : memref<i1> rotating (%q, %u : memref<10xf32>), (%i, %j : memref<i32>) do {
  }
  kernel.switch %i : memref<i32> case {
  } case {
    kernel.copy %p to %q : memref<10xf32>
  }
}
