// RUN: xdsl-opt %s -p array-hoist-sums | filecheck %s

// Each round adds an outer product of a slice and of what it computes: the factors are stacked, and multiplied all at once.
// CHECK-LABEL: func.func @outer_products
// CHECK-NEXT:    [[C:%.*]], [[R:%.*]] = array.scan length 10 reverse carry([[H:%.*]] = %h : tensor<8xf32>) over([[X:%.*]] = %xs : tensor<10x8xf32>) {
// CHECK-NEXT:      [[N:%.*]] = array.mul [[H]], [[X]] : tensor<8xf32>
// CHECK-NEXT:      array.yield [[N]], [[N]] : tensor<8xf32>, tensor<8xf32>
// CHECK-NEXT:    }
// CHECK-NEXT:    [[D:%.*]] = array.dot [[R]], %xs contract {{\[}}[0], [0]] batch {{\[\[\], \[\]\]}} : tensor<10x8xf32>, tensor<10x8xf32> -> tensor<8x8xf32>
// CHECK-NEXT:    [[T:%.*]] = array.transpose [[D]] permutation [1, 0] : tensor<8x8xf32>
// CHECK-NEXT:    [[S:%.*]] = array.add %w, [[T]] : tensor<8x8xf32>
// CHECK-NEXT:    func.return [[S]], [[C]]
func.func @outer_products(%w : tensor<8x8xf32>, %h : tensor<8xf32>, %xs : tensor<10x8xf32>) -> (tensor<8x8xf32>, tensor<8xf32>) {
  %s, %c = array.scan length 10 reverse carry(%a = %w : tensor<8x8xf32>, %b = %h : tensor<8xf32>) over(%x = %xs : tensor<10x8xf32>) {
    %n = array.mul %b, %x : tensor<8xf32>
    %d = array.dot %n, %x contract [[], []] batch [[], []] : tensor<8xf32>, tensor<8xf32> -> tensor<8x8xf32>
    %t = array.transpose %d permutation [1, 0] : tensor<8x8xf32>
    %e = array.add %a, %t : tensor<8x8xf32>
    array.yield %e, %n : tensor<8x8xf32>, tensor<8xf32>
  }
  func.return %s, %c : tensor<8x8xf32>, tensor<8xf32>
}

// What the round looks at stays, and so does a sum that is smaller than its factors.
// CHECK-LABEL: func.func @needed
// CHECK:         array.scan length 10 carry(%{{.*}} = %w : tensor<8x8xf32>, %{{.*}} = %z : tensor<f32>, %{{.*}} = %h : tensor<8xf32>) over() {
func.func @needed(%w : tensor<8x8xf32>, %z : tensor<f32>, %h : tensor<8xf32>) -> (tensor<8x8xf32>, tensor<f32>) {
  %s, %u, %c = array.scan length 10 carry(%a = %w : tensor<8x8xf32>, %t = %z : tensor<f32>, %b = %h : tensor<8xf32>) over() {
    %n = array.dot %a, %b contract [[1], [0]] batch [[], []] : tensor<8x8xf32>, tensor<8xf32> -> tensor<8xf32>
    %d = array.dot %n, %b contract [[], []] batch [[], []] : tensor<8xf32>, tensor<8xf32> -> tensor<8x8xf32>
    %e = array.add %a, %d : tensor<8x8xf32>
    %q = array.dot %n, %b contract [[0], [0]] batch [[], []] : tensor<8xf32>, tensor<8xf32> -> tensor<f32>
    %v = array.add %t, %q : tensor<f32>
    array.yield %e, %v, %n : tensor<8x8xf32>, tensor<f32>, tensor<8xf32>
  }
  func.return %s, %u : tensor<8x8xf32>, tensor<f32>
}

// A sum that goes on through a scan within a scan is taken out of both.
// CHECK-LABEL: func.func @nested
// CHECK-NEXT:    [[D:%.*]] = array.dot %xs, %xs contract {{\[}}[0, 1], [0, 1]] batch {{\[\[\], \[\]\]}} : tensor<10x6x8xf32>, tensor<10x6x8xf32> -> tensor<8x8xf32>
// CHECK-NEXT:    [[S:%.*]] = array.add %w, [[D]] : tensor<8x8xf32>
// CHECK-NEXT:    func.return [[S]]
func.func @nested(%w : tensor<8x8xf32>, %xs : tensor<10x6x8xf32>) -> tensor<8x8xf32> {
  %s = array.scan length 10 carry(%a = %w : tensor<8x8xf32>) over(%x = %xs : tensor<10x6x8xf32>) {
    %t = array.scan length 6 carry(%b = %a : tensor<8x8xf32>) over(%y = %x : tensor<6x8xf32>) {
      %d = array.dot %y, %y contract [[], []] batch [[], []] : tensor<8xf32>, tensor<8xf32> -> tensor<8x8xf32>
      %e = array.add %b, %d : tensor<8x8xf32>
      array.yield %e : tensor<8x8xf32>
    }
    array.yield %t : tensor<8x8xf32>
  }
  func.return %s : tensor<8x8xf32>
}
