// RUN: xdsl-opt %s --verify-diagnostics --parsing-diagnostics --split-input-file | filecheck %s

// What loops and branches refuse.

// CHECK: scan: the first results must have the types of the carries
func.func @scan(%c0 : tensor<f32>, %i : tensor<i32>) {
  %0 = array.scan length 3 carry(%c = %c0 : tensor<f32>) over() {
    array.yield %i : tensor<i32>
  }
  func.return
}

// -----

// CHECK: while: the condition must yield tensor<i1>, got tensor<f32>
func.func @while(%x : tensor<f32>) {
  %0 = array.while %x : tensor<f32> cond(%a) {
    array.yield %a : tensor<f32>
  } do(%b) {
    array.yield %b : tensor<f32>
  }
  func.return
}

// -----

// CHECK: cond: a branch must yield tensor<f32>, got nothing
func.func @cond(%i : tensor<i32>, %x : tensor<f32>) {
  %0 = array.cond %i : tensor<i32> case {
    array.yield %x : tensor<f32>
  } case {
    array.yield
  }
  func.return
}
