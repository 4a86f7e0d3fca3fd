// RUN: xdsl-opt %s -p array-prune | filecheck %s

// Of two carries and a stack one carry is used: the other one, which feeds itself and the stack alone, goes with all that it needs.
// CHECK-LABEL: func.func @scan
// CHECK-NEXT:    %{{.*}} = array.scan length 10 carry([[C:%.*]] = %c0 : tensor<f32>) over([[X:%.*]] = %xs : tensor<10xf32>) {
// CHECK-NEXT:      %n = array.add [[C]], [[X]] : tensor<f32>
// CHECK-NEXT:      array.yield %n : tensor<f32>
// CHECK-NEXT:    }
func.func @scan(%c0 : tensor<f32>, %d0 : tensor<f32>, %xs : tensor<10xf32>, %ys : tensor<10xf32>) -> tensor<f32> {
  %e0 = array.sin %d0 : tensor<f32>
  %s, %t, %u = array.scan length 10 carry(%c = %c0 : tensor<f32>, %d = %e0 : tensor<f32>) over(%x = %xs : tensor<10xf32>, %y = %ys : tensor<10xf32>) {
    %n = array.add %c, %x : tensor<f32>
    %m = array.mul %d, %y : tensor<f32>
    array.yield %n, %m, %m : tensor<f32>, tensor<f32>, tensor<f32>
  }
  func.return %s : tensor<f32>
}

// What the condition asks for stays.
// CHECK-LABEL: func.func @while
// CHECK:         array.while %i, %x : tensor<i32>, tensor<f32> cond
func.func @while(%i : tensor<i32>, %x : tensor<f32>, %y : tensor<f32>, %n : tensor<i32>) -> tensor<f32> {
  %j, %v, %w = array.while %i, %x, %y : tensor<i32>, tensor<f32>, tensor<f32> cond(%a, %b, %c) {
    %p = array.compare lt %a, %n : tensor<i32>, tensor<i32> -> tensor<i1>
    array.yield %p : tensor<i1>
  } do(%d, %e, %f) {
    %g = array.add %d, %n : tensor<i32>
    %h = array.sin %e : tensor<f32>
    %k = array.cos %f : tensor<f32>
    array.yield %g, %h, %k : tensor<i32>, tensor<f32>, tensor<f32>
  }
  func.return %v : tensor<f32>
}

// CHECK-LABEL: func.func @cond
// CHECK:         array.cond %i : tensor<i32> case {
// CHECK-NEXT:      array.yield %x : tensor<f32>
// CHECK-NEXT:    } case {
// CHECK-NEXT:      %n = array.neg %x : tensor<f32>
// CHECK-NEXT:      array.yield %n : tensor<f32>
// CHECK-NEXT:    }
func.func @cond(%i : tensor<i32>, %x : tensor<f32>) -> tensor<f32> {
  %s = array.sin %x : tensor<f32>
  %y, %z = array.cond %i : tensor<i32> case {
    array.yield %x, %s : tensor<f32>, tensor<f32>
  } case {
    %n = array.neg %x : tensor<f32>
    array.yield %n, %x : tensor<f32>, tensor<f32>
  }
  func.return %y : tensor<f32>
}
