// RUN: xdsl-opt %s -p 'array-split-reductions{least=1024 piece=256 invocations=64}' | filecheck %s
// RUN: xdsl-opt %s -p 'array-split-reductions{least=1024 invocations=64 rows=512}' | filecheck %s --check-prefix=ROWS

// A sum of all: 4 pieces of 256, then the pieces.
// CHECK-LABEL: func.func @all
// CHECK: array.reshape {{.*}} -> tensor<4x256xf32>
// CHECK-NEXT: array.reduce {{.*}} tensor<4x256xf32> -> tensor<4xf32>
// CHECK-NEXT: array.reduce {{.*}} tensor<4xf32> -> tensor<f32>
func.func @all(%x : tensor<1024xf32>) -> tensor<f32> {
  %0 = "array.reduce"(%x) <{kind = "add", axes = array<i64: 0>}> : (tensor<1024xf32>) -> tensor<f32>
  func.return %0 : tensor<f32>
}

// Columns: what lies side by side is read side by side, so only the rows are cut.
// CHECK-LABEL: func.func @columns
// CHECK: array.reshape {{.*}} -> tensor<4x64x8xf32>
// CHECK-NEXT: array.reduce {{.*}} tensor<4x64x8xf32> -> tensor<4x8xf32>
// CHECK-NEXT: array.reduce {{.*}} tensor<4x8xf32> -> tensor<8xf32>
func.func @columns(%x : tensor<256x8xf32>) -> tensor<8xf32> {
  %0 = "array.reduce"(%x) <{kind = "max", axes = array<i64: 0>}> : (tensor<256x8xf32>) -> tensor<8xf32>
  func.return %0 : tensor<8xf32>
}

// Short ones stay.
// CHECK-LABEL: func.func @short
// CHECK-NOT: array.reshape
func.func @short(%x : tensor<8x64xf32>) -> tensor<8xf32> {
  %0 = "array.reduce"(%x) <{kind = "add", axes = array<i64: 1>}> : (tensor<8x64xf32>) -> tensor<8xf32>
  func.return %0 : tensor<8xf32>
}

// Rows in pages of their own: a few at a time.
// ROWS-LABEL: func.func @pages
// ROWS: array.reshape {{.*}} -> tensor<4x512x1024xf32>
// ROWS-NEXT: array.reduce {{.*}} tensor<4x512x1024xf32> -> tensor<4x1024xf32>
func.func @pages(%x : tensor<2048x1024xf32>) -> tensor<1024xf32> {
  %0 = "array.reduce"(%x) <{kind = "add", axes = array<i64: 0>}> : (tensor<2048x1024xf32>) -> tensor<1024xf32>
  func.return %0 : tensor<1024xf32>
}
