// RUN: xdsl-opt %s -p kernel-fuse-loops | filecheck %s
// RUN: xdsl-opt %s -p 'kernel-fuse-loops{max_buffers=1}' | filecheck %s --check-prefix=MANY
// RUN: xdsl-opt %s -p 'kernel-fuse-loops{nests=2}' | filecheck %s --check-prefix=MANY
// RUN: xdsl-opt %s -p 'kernel-fuse-loops,kernel-schedule{target=webgpu},kernel-apply-schedule,kernel-to-gpu' -t weft-wgsl | filecheck %s --check-prefix=WGSL

// Rounds of little work are one kernel, launched once. What was copied to its place at the end of a round is written there at once, if it was read at that very point only (the counter);
// the sum of neighbours still needs both buffers.
// CHECK:      kernel.func @k5(%{{.*}}: memref<64xf32>) -> (%[[T:.*]]: memref<64xf32>, %[[I:.*]]: memref<i32>, %[[X:.*]]: memref<64xf32>) {
// CHECK-NEXT:   kernel.repeat 1000 {
// CHECK-NEXT:     kernel.nest [i: par 64] ins(%{{.*}} = %[[X]] : memref<64xf32>, %{{.*}} : memref<64xf32>) outs(%{{.*}} = %[[T]] : memref<64xf32>)
// CHECK:          kernel.nest [] ins(%{{.*}} = %[[I]] : memref<i32>) outs(%{{.*}} = %[[I]] : memref<i32>)
// CHECK:          kernel.nest [i: par 64] ins(%{{.*}} = %[[T]] : memref<64xf32>) outs(%{{.*}} = %[[X]] : memref<64xf32>)

// So are a `while` and a branch in it.
// CHECK:      kernel.func @k6(
// CHECK-NEXT:   kernel.while {
// CHECK-NEXT:     kernel.nest [] ins(%{{.*}} = %[[J:.*]] : memref<i32>) outs(%{{.*}} = %[[P:.*]] : memref<i1>)
// CHECK:        } holds %[[P]] : memref<i1> do {
// CHECK-NEXT:     kernel.switch %[[J]] : memref<i32> case {
// CHECK-NEXT:       kernel.nest [i: par 64]
// CHECK:          } case {
// CHECK-NEXT:     }
// CHECK-NEXT:     kernel.nest [] ins(%{{.*}} = %[[J]] : memref<i32>) outs(%{{.*}} = %[[J]] : memref<i32>)

// In a kernel buffers do not change places: the contents do, and go where they are looked for after the last round.
// CHECK:      kernel.func @k7(%{{.*}}: memref<64xf32>) -> (%[[B:.*]]: memref<64xf32>, %[[A:.*]]: memref<64xf32>) {
// CHECK-NEXT:   kernel.repeat 9 {
// CHECK-NEXT:     kernel.nest [i: par 64] ins(%{{.*}} = %[[A]] : memref<64xf32>, {{.*}}) outs(%{{.*}} = %[[B]] : memref<64xf32>)
// CHECK:          kernel.nest [i: par 64] ins(%{{.*}} = %[[B]] : memref<64xf32>) outs(%{{.*}} = %[[A]] : memref<64xf32>)
// CHECK:      kernel.func @k8(

// CHECK:      kernel.program @main
// CHECK-NOT:    kernel.repeat
// CHECK:        kernel.launch @k5
// CHECK:      kernel.program @search
// CHECK:        kernel.launch @k6
// CHECK:      kernel.program @turns
// CHECK:        kernel.launch @k7
// CHECK-NEXT:   kernel.launch @k8 ins(%a : memref<64xf32>) outs(%b : memref<64xf32>)

// A kernel that would have too many buffers stays a loop of launches.
// MANY:       kernel.program @main
// MANY:         kernel.repeat 1000
// MANY:       kernel.program @search
// MANY:         kernel.while

// The workgroup waits where a nest needs what another has written, and at the end of a round.
// WGSL:      for (var [[R:.*]]: i32 = 0; [[R]] < 1000; [[R]] += 1) {
// WGSL:        i[0] = i[0] + 1;
// WGSL:        storageBarrier();
// WGSL:        x[{{.*}}] = t[{{.*}}];
// WGSL:        storageBarrier();
// WGSL-NEXT: }

// One invocation reads what decides, and tells the others.
// WGSL:      loop {
// WGSL:        storageBarrier();
// WGSL:        let [[FIRST:.*]] = v0 == 0;
// WGSL-NEXT:   if ([[FIRST]]) {
// WGSL-NEXT:     shared0[0] = p[0];
// WGSL-NEXT:   }
// WGSL-NEXT:   let [[GO:.*]] = workgroupUniformLoad(&shared0[0]);
// WGSL-NEXT:   if (!([[GO]] != 0)) { break; }
// WGSL:        let [[CASE:.*]] = workgroupUniformLoad(&shared0[0]);
// WGSL-NEXT:   let [[ONE:.*]] = [[CASE]] <= 0;
// WGSL-NEXT:   if ([[ONE]]) {
kernel.func @shift(%x : memref<64xf32>, %w : memref<64xf32>) -> (%o : memref<64xf32>) {
  kernel.nest [i: par 64] ins(%a = %x : memref<64xf32>, %b = %w : memref<64xf32>) outs(%c = %o : memref<64xf32>) {
    %0 = kernel.load %a[-i + 63] : memref<64xf32>
    %1 = kernel.load %b[i] : memref<64xf32>
    %2 = arith.addf %0, %1 : f32
    kernel.store %2, %c[i] : memref<64xf32>
  }
}
kernel.func @next(%x : memref<i32>) -> (%o : memref<i32>) {
  kernel.nest [] ins(%a = %x : memref<i32>) outs(%c = %o : memref<i32>) {
    %0 = kernel.load %a[] : memref<i32>
    %1 = arith.constant 1 : i32
    %2 = arith.addi %0, %1 : i32
    kernel.store %2, %c[] : memref<i32>
  }
}
kernel.func @copy_counter(%x : memref<i32>) -> (%o : memref<i32>) {
  kernel.nest [] ins(%a = %x : memref<i32>) outs(%c = %o : memref<i32>) {
    %0 = kernel.load %a[] : memref<i32>
    kernel.store %0, %c[] : memref<i32>
  }
}
kernel.func @copy(%x : memref<64xf32>) -> (%o : memref<64xf32>) {
  kernel.nest [i: par 64] ins(%a = %x : memref<64xf32>) outs(%c = %o : memref<64xf32>) {
    %0 = kernel.load %a[i] : memref<64xf32>
    kernel.store %0, %c[i] : memref<64xf32>
  }
}
kernel.program @main(%w : memref<64xf32>) -> (%x : memref<64xf32>) {
  %i = kernel.alloc at 0 slot 0 : memref<i32>
  %j = kernel.alloc at 0 slot 1 : memref<i32>
  %t = kernel.alloc at 0 slot 1 : memref<64xf32>
  kernel.repeat 1000 {
    kernel.launch @shift ins(%x, %w : memref<64xf32>, memref<64xf32>) outs(%t : memref<64xf32>)
    kernel.launch @next ins(%i : memref<i32>) outs(%j : memref<i32>)
    kernel.launch @copy_counter ins(%j : memref<i32>) outs(%i : memref<i32>)
    kernel.launch @copy ins(%t : memref<64xf32>) outs(%x : memref<64xf32>)
  }
}
kernel.func @few(%x : memref<i32>) -> (%p : memref<i1>) {
  kernel.nest [] ins(%a = %x : memref<i32>) outs(%c = %p : memref<i1>) {
    %0 = kernel.load %a[] : memref<i32>
    %1 = arith.constant 9 : i32
    %2 = arith.cmpi slt, %0, %1 : i32
    kernel.store %2, %c[] : memref<i1>
  }
}
kernel.program @search() -> (%x : memref<64xf32>, %j : memref<i32>) {
  %p = kernel.alloc at 0 slot 0 : memref<i1>
  %t = kernel.alloc at 0 slot 1 : memref<64xf32>
  kernel.while {
    kernel.launch @few ins(%j : memref<i32>) outs(%p : memref<i1>)
  } holds %p : memref<i1> do {
    kernel.switch %j : memref<i32> case {
      kernel.launch @copy ins(%x : memref<64xf32>) outs(%t : memref<64xf32>)
      kernel.launch @shift ins(%t, %t : memref<64xf32>, memref<64xf32>) outs(%x : memref<64xf32>)
    } case {
    }
    kernel.launch @next ins(%j : memref<i32>) outs(%j : memref<i32>)
  }
}
kernel.program @turns(%w : memref<64xf32>) -> (%b : memref<64xf32>) {
  %a = kernel.alloc at 0 slot 0 : memref<64xf32>
  kernel.repeat 9 rotating (%a, %b : memref<64xf32>) {
    kernel.launch @shift ins(%a, %w : memref<64xf32>, memref<64xf32>) outs(%b : memref<64xf32>)
  }
}
