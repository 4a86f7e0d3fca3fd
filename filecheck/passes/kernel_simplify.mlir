// RUN: xdsl-opt %s -p kernel-simplify | filecheck %s

// Two axes that are walked as one become one, whatever the shape of the array, and the buffers of a kernel lose the dimension that nobody tells apart.
// CHECK:      kernel.func @whole(%a: memref<32xf32>) -> (%b: memref<32xf32>) {
// CHECK-NEXT:   kernel.nest [i: par 32] ins(%x = %a : memref<32xf32>) outs(%o = %b : memref<32xf32>) {
// CHECK-NEXT:     %0 = kernel.load %x[i] : memref<32xf32>
// CHECK-NEXT:     %1 = math.exp %0 : f32
// CHECK-NEXT:     kernel.store %1, %o[i] : memref<32xf32>
kernel.func @whole(%a : memref<8x4xf32>) -> (%b : memref<8x4xf32>) {
  kernel.nest [i: par 8, j: par 4] ins(%x = %a : memref<8x4xf32>) outs(%o = %b : memref<8x4xf32>) {
    %0 = kernel.load %x[i, j] : memref<8x4xf32>
    %1 = math.exp %0 : f32
    kernel.store %1, %o[i, j] : memref<8x4xf32>
  }
}

// A row that is read on its own keeps its axis.
// CHECK: kernel.func @bias
// CHECK: kernel.nest [i: par 8, j: par 4]
kernel.func @bias(%a : memref<8x4xf32>, %c : memref<4xf32>) -> (%b : memref<8x4xf32>) {
  kernel.nest [i: par 8, j: par 4] ins(%x = %a : memref<8x4xf32>, %y = %c : memref<4xf32>) outs(%o = %b : memref<8x4xf32>) {
    %0 = kernel.load %x[i, j] : memref<8x4xf32>
    %1 = kernel.load %y[j] : memref<4xf32>
    %2 = arith.addf %0, %1 : f32
    kernel.store %2, %o[i, j] : memref<8x4xf32>
  }
}

// A matmul whose result was reshaped: the axis of the result that is divided becomes two, and no division is left.
// CHECK:      kernel.func @reshaped
// CHECK-NEXT:   kernel.nest [i: par 8, j: par 4, k: red 16]
// CHECK-NEXT:     kernel.load %x[i, k] : memref<8x16xf32>
// CHECK-NEXT:     kernel.load %y[k, j] : memref<16x4xf32>
// CHECK:          kernel.store %{{.*}}, %o[i * 4 + j] : memref<32xf32>
kernel.func @reshaped(%a : memref<8x16xf32>, %c : memref<16x4xf32>) -> (%b : memref<32xf32>) {
  kernel.nest [i: par 32, k: red 16] ins(%x = %a : memref<8x16xf32>, %y = %c : memref<16x4xf32>) outs(%o = %b : memref<32xf32>) {
    %0 = kernel.load %x[i floordiv 4, k] : memref<8x16xf32>
    %1 = kernel.load %y[k, i mod 4] : memref<16x4xf32>
    %2 = arith.mulf %0, %1 : f32
    %3 = kernel.reduce add %2 over [k] : f32
    kernel.store %3, %o[i] : memref<32xf32>
  }
}

// Reduction axes: the one with the smallest strides is innermost. Neighbours that reduce together are one.
// CHECK: kernel.func @column_major
// CHECK: kernel.nest [i: par 4, k: red 32, j: red 8]
// CHECK: kernel.reduce add %{{.*}} over [j, k] : f32
kernel.func @column_major(%a : memref<32x4x8xf32>) -> (%b : memref<4xf32>) {
  kernel.nest [i: par 4, j: red 8, k: red 32] ins(%x = %a : memref<32x4x8xf32>) outs(%o = %b : memref<4xf32>) {
    %0 = kernel.load %x[k, i, j] : memref<32x4x8xf32>
    %1 = kernel.reduce add %0 over [j, k] : f32
    kernel.store %1, %o[i] : memref<4xf32>
  }
}

// CHECK: kernel.func @batches
// CHECK: kernel.nest [i: par 6, k: red 32] ins(%x = %a : memref<6x32xf32>) outs(%o = %b : memref<6xf32>)
kernel.func @batches(%a : memref<2x3x4x8xf32>) -> (%b : memref<2x3xf32>) {
  kernel.nest [i: par 2, j: par 3, k: red 4, l: red 8] ins(%x = %a : memref<2x3x4x8xf32>) outs(%o = %b : memref<2x3xf32>) {
    %0 = kernel.load %x[i, j, k, l] : memref<2x3x4x8xf32>
    %1 = kernel.reduce max %0 over [k, l] : f32
    kernel.store %1, %o[i, j] : memref<2x3xf32>
  }
}
