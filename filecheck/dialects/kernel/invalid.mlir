// RUN: xdsl-opt %s --verify-diagnostics --parsing-diagnostics --split-input-file | filecheck %s

// CHECK: axis names must differ, got [i: par 2, i: par 3]
kernel.func @twice(%a : memref<2xf32>) -> (%b : memref<2xf32>) {
  "kernel.nest"(%a, %b) <{axes = #kernel.axes<[i: par 2, i: par 3]>, operandSegmentSizes = array<i32: 1, 1>}> ({
  ^bb0(%x : memref<2xf32>, %o : memref<2xf32>):
  }) : (memref<2xf32>, memref<2xf32>) -> ()
}

// -----

// CHECK: 'k' is not an axis of this nest
kernel.func @unknown_axis(%a : memref<2xf32>) -> (%b : memref<2xf32>) {
  kernel.nest [i: par 2] ins(%x = %a : memref<2xf32>) outs(%o = %b : memref<2xf32>) {
    %0 = kernel.load %x[k] : memref<2xf32>
  }
}

// -----

// CHECK: expected a role (par, red), got 'vec'
kernel.func @role(%a : memref<2xf32>) -> (%b : memref<2xf32>) {
  kernel.nest [i: vec 2] ins(%x = %a : memref<2xf32>) outs(%o = %b : memref<2xf32>) {
  }
}

// -----

// CHECK: expected a level (none, grid, local, group, loop, reg, unroll, lane), got 'warp'
kernel.func @level(%a : memref<2xf32>) -> (%b : memref<2xf32>) {
  kernel.nest [i: par@warp 2] ins(%x = %a : memref<2xf32>) outs(%o = %b : memref<2xf32>) {
  }
}

// -----

// CHECK: index 0 (i + 1) ranges over [1, 2], dimension 0 of the buffer has extent 2
kernel.func @out_of_range(%a : memref<2xf32>) -> (%b : memref<2xf32>) {
  kernel.nest [i: par 2] ins(%x = %a : memref<2xf32>) outs(%o = %b : memref<2xf32>) {
    %0 = kernel.load %x[i + 1] : memref<2xf32>
    kernel.store %0, %o[i] : memref<2xf32>
  }
}

// -----

// CHECK: the map has 2 results, the buffer has rank 1
kernel.func @rank(%a : memref<2xf32>) -> (%b : memref<2xf32>) {
  kernel.nest [i: par 2] ins(%x = %a : memref<2xf32>) outs(%o = %b : memref<2xf32>) {
    %0 = kernel.load %x[i, i] : memref<2xf32>
  }
}

// -----

// CHECK: one factor of a product in an index expression must be a constant
kernel.func @product(%a : memref<2xf32>) -> (%b : memref<2xf32>) {
  kernel.nest [i: par 2] ins(%x = %a : memref<2xf32>) outs(%o = %b : memref<2xf32>) {
    %0 = kernel.load %x[i * i] : memref<2xf32>
  }
}

// -----

// CHECK: the divisor in an index expression must be positive
kernel.func @divisor(%a : memref<2xf32>) -> (%b : memref<2xf32>) {
  kernel.nest [i: par 2] ins(%x = %a : memref<2xf32>) outs(%o = %b : memref<2xf32>) {
    %0 = kernel.load %x[i floordiv 0] : memref<2xf32>
  }
}

// -----

// CHECK: 'i' is not a reduction axis of [i: par 2]
kernel.func @parallel_reduction(%a : memref<2xf32>) -> (%b : memref<2xf32>) {
  kernel.nest [i: par 2] ins(%x = %a : memref<2xf32>) outs(%o = %b : memref<2xf32>) {
    %0 = kernel.load %x[i] : memref<2xf32>
    %1 = kernel.reduce add %0 over [i] : f32
  }
}

// -----

// CHECK: kind must be one of add, mul, max, min, umax, umin, and, or, xor, got 'mean'
kernel.func @kind(%a : memref<2xf32>) -> (%b : memref<1xf32>) {
  kernel.nest [i: red 2] ins(%x = %a : memref<2xf32>) outs(%o = %b : memref<1xf32>) {
    %0 = kernel.load %x[i] : memref<2xf32>
    %1 = kernel.reduce mean %0 over [i] : f32
  }
}

// -----

// CHECK: combine must be one of add, mul, max, min, umax, umin, and, or, got 'sub'
kernel.func @combine(%a : memref<2xf32>) -> (%b : memref<2xf32>) {
  kernel.nest [i: par 2] ins(%x = %a : memref<2xf32>) outs(%o = %b : memref<2xf32>) {
    %0 = kernel.load %x[i] : memref<2xf32>
    kernel.store sub %0, %o[i] : memref<2xf32>
  }
}

// -----

// CHECK: the result of loading from memref<2xui32> is i32, got ui32
kernel.func @sign(%a : memref<2xui32>) -> (%b : memref<2xui32>) {
  kernel.nest [i: par 2] ins(%x = %a : memref<2xui32>) outs(%o = %b : memref<2xui32>) {
    %0 = "kernel.load"(%x) <{map = #kernel.map<(i: 2) -> (i)>}> : (memref<2xui32>) -> ui32
  }
}

// -----

// CHECK: axis 'i' of extent 4 is not an axis of this nest
kernel.func @extent(%a : memref<4xf32>) -> (%b : memref<4xf32>) {
  kernel.nest [i: par 2] ins(%x = %a : memref<4xf32>) outs(%o = %b : memref<4xf32>) {
    %0 = "kernel.load"(%x) <{map = #kernel.map<(i: 4) -> (i)>}> : (memref<4xf32>) -> f32
  }
}

// -----

// CHECK: symbol s0 has no operand
kernel.func @symbol(%a : memref<4xf32>) -> (%b : memref<4xf32>) {
  kernel.nest [i: par 2] ins(%x = %a : memref<4xf32>) outs(%o = %b : memref<4xf32>) {
    %0 = "kernel.load"(%x) <{map = #kernel.map<()[s0: 0 to 3] -> (s0)>}> : (memref<4xf32>) -> f32
  }
}

// -----

// CHECK: results must have the types of the outs that are tensors
func.func @results(%a : tensor<2xf32>) {
  %0 = "kernel.nest"(%a) <{axes = #kernel.axes<[i: par 2]>, operandSegmentSizes = array<i32: 0, 1>}> ({
  ^bb0(%o : tensor<2xf32>):
  }) : (tensor<2xf32>) -> tensor<4xf32>
  func.return
}

// -----

// CHECK: arguments must be memrefs, got [tensor<2xf32>]
"kernel.func"() <{sym_name = "k", function_type = (tensor<2xf32>) -> (), number_of_outputs = 1 : i64}> ({
^bb0(%a : tensor<2xf32>):
}) : () -> ()

// -----

// CHECK: copy from memref<2xf32> to memref<4xf32>
kernel.program @main(%a : memref<2xf32>) -> (%b : memref<4xf32>) {
  "kernel.copy"(%a, %b) : (memref<2xf32>, memref<4xf32>) -> ()
}

// -----

// CHECK: the condition must be a memref<i1>, got memref<2xf32>
kernel.program @main(%a : memref<2xf32>) -> (%b : memref<2xf32>) {
  kernel.while {
  } holds %a : memref<2xf32> do {
  }
}

// -----

// CHECK: 1 buffers are no cycles of lengths [1]
kernel.program @main(%a : memref<2xf32>) -> (%b : memref<2xf32>) {
  kernel.repeat 3 rotating (%b : memref<2xf32>) {
  }
}

// -----

// CHECK: a buffer stands twice among those that rotate
kernel.program @main(%a : memref<2xf32>) -> (%b : memref<2xf32>) {
  kernel.repeat 3 rotating (%b, %b : memref<2xf32>) {
  }
}

// -----

// CHECK: the index must be a memref<i32>, got memref<2xf32>
kernel.program @main(%a : memref<2xf32>) -> (%b : memref<2xf32>) {
  kernel.switch %a : memref<2xf32> case {
  }
}

// -----

// CHECK: there is no kernel @k
kernel.program @main(%a : memref<2xf32>) -> (%b : memref<2xf32>) {
  kernel.launch @k ins(%a : memref<2xf32>) outs(%b : memref<2xf32>)
}

// -----

// CHECK: @k takes ins() outs(memref<4xf32>), got ins(memref<2xf32>) outs(memref<2xf32>)
kernel.func @k() -> (%o : memref<4xf32>) {
  kernel.nest [] ins() outs(%p = %o : memref<4xf32>) {
  }
}
kernel.program @main(%a : memref<2xf32>) -> (%b : memref<2xf32>) {
  kernel.launch @k ins(%a : memref<2xf32>) outs(%b : memref<2xf32>)
}

// -----

// CHECK: expected one expression, got 2
kernel.func @two(%a : memref<2xf32>) -> (%b : memref<2xf32>) {
  kernel.nest [i: par 2] ins(%x = %a : memref<2xf32>) outs(%o = %b : memref<2xf32>) {
    %0 = "kernel.index"() <{map = #kernel.map<(i: 2) -> (i, i)>}> : () -> i32
  }
}
