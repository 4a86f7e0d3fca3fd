// RUN: xdsl-opt %s | filecheck %s
// RUN: xdsl-opt %s --print-op-generic | xdsl-opt | filecheck %s

// Operations that hold programs: a region names what it takes from outside, and yields its results.

// CHECK-LABEL: @scan(
// CHECK: %s, %y = array.scan length 10 carry([[C:%.*]] = %c0 : tensor<f32>) over([[X:%.*]] = %xs : tensor<10xf32>) {
// CHECK-NEXT: %n = array.add [[C]], [[X]] : tensor<f32>
// CHECK-NEXT: array.yield %n, [[C]] : tensor<f32>, tensor<f32>
// CHECK-NEXT: }
func.func @scan(%c0 : tensor<f32>, %xs : tensor<10xf32>) -> (tensor<f32>, tensor<10xf32>) {
  %s, %y = array.scan length 10 carry(%c = %c0 : tensor<f32>) over(%x = %xs : tensor<10xf32>) {
    %n = array.add %c, %x : tensor<f32>
    array.yield %n, %c : tensor<f32>, tensor<f32>
  }
  func.return %s, %y : tensor<f32>, tensor<10xf32>
}

// CHECK-LABEL: @while(
// CHECK: %i = array.while %i0 : tensor<i32> cond([[A:%.*]]) {
// CHECK-NEXT: %p = array.compare lt [[A]], %n : tensor<i32>, tensor<i32> -> tensor<i1>
// CHECK-NEXT: array.yield %p : tensor<i1>
// CHECK-NEXT: } do([[B:%.*]]) {
// CHECK-NEXT: %c = array.add [[B]], %n : tensor<i32>
// CHECK-NEXT: array.yield %c : tensor<i32>
// CHECK-NEXT: }
func.func @while(%i0 : tensor<i32>, %n : tensor<i32>) -> tensor<i32> {
  %i = array.while %i0 : tensor<i32> cond(%a) {
    %p = array.compare lt %a, %n : tensor<i32>, tensor<i32> -> tensor<i1>
    array.yield %p : tensor<i1>
  } do(%b) {
    %c = array.add %b, %n : tensor<i32>
    array.yield %c : tensor<i32>
  }
  func.return %i : tensor<i32>
}

// CHECK-LABEL: @cond(
// CHECK: %y = array.cond %i : tensor<i32> case {
// CHECK-NEXT: array.yield %x : tensor<f32>
// CHECK-NEXT: } case {
// CHECK-NEXT: %n = array.neg %x : tensor<f32>
// CHECK-NEXT: array.yield %n : tensor<f32>
// CHECK-NEXT: }
func.func @cond(%i : tensor<i32>, %x : tensor<f32>) -> tensor<f32> {
  %y = array.cond %i : tensor<i32> case {
    array.yield %x : tensor<f32>
  } case {
    %n = array.neg %x : tensor<f32>
    array.yield %n : tensor<f32>
  }
  func.return %y : tensor<f32>
}
