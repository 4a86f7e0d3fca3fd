// RUN: xdsl-opt %s -p 'kernel-split-ranges{least=1}' | filecheck %s
// RUN: xdsl-opt %s -p kernel-split-ranges | filecheck %s --check-prefix=SMALL

// A concatenation is two copies: in each range of the axis the question which operand is meant has one answer. Small nests stay whole.
kernel.func @join(%a : memref<5xf32>, %b : memref<7xf32>) -> (%r : memref<12xf32>) {
  kernel.nest [i: par 12] ins(%x = %a : memref<5xf32>, %y = %b : memref<7xf32>) outs(%o = %r : memref<12xf32>) {
    %0 = kernel.load %x[i] if (0 <= i < 5) : memref<5xf32>
    %1 = kernel.load %y[i - 5] if (5 <= i < 12) : memref<7xf32>
    %2 = kernel.inside if (0 <= i < 5)
    %3 = arith.select %2, %0, %1 : f32
    kernel.store %3, %o[i] : memref<12xf32>
  }
}
// CHECK:      kernel.nest [i: par 5] ins(%[[X:.*]] = %{{.*}} : memref<5xf32>) outs(%[[O:.*]] = %{{.*}} : memref<12xf32>) {
// CHECK-NEXT:   %[[V:.*]] = kernel.load %[[X]][i] : memref<5xf32>
// CHECK-NEXT:   kernel.store %[[V]], %[[O]][i] : memref<12xf32>
// CHECK-NEXT: }
// CHECK-NEXT: kernel.nest [i: par 7] ins(%[[Y:.*]] = %{{.*}} : memref<7xf32>) outs(%[[P:.*]] = %{{.*}} : memref<12xf32>) {
// CHECK-NEXT:   %[[W:.*]] = kernel.load %[[Y]][i] : memref<7xf32>
// CHECK-NEXT:   kernel.store %[[W]], %[[P]][i + 5] : memref<12xf32>
// CHECK-NEXT: }
// SMALL:      kernel.nest [i: par 12]
// SMALL-NOT:  kernel.nest
