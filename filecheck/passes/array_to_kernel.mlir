// RUN: xdsl-opt %s -p array-to-kernel | filecheck %s
// RUN: xdsl-opt %s -p 'array-to-kernel{max_buffers=3}' | filecheck %s --check-prefix=THREE

// A chain of elementwise ops is one nest; literals are in its body, a broadcast row is an index.
// CHECK-LABEL: func.func @chain
// CHECK:      kernel.nest [i: par 8, j: par 4] ins([[X:%.*]] = %x : tensor<8x4xf32>, [[B:%.*]] = %b : tensor<4xf32>)
// CHECK-NEXT:   kernel.load [[X]][i, j]
// CHECK-NEXT:   kernel.load [[B]][j]
// CHECK-NEXT:   arith.addf
// CHECK-NEXT:   math.exp
// CHECK-NEXT:   arith.constant 2.000000e+00 : f32
// CHECK-NEXT:   arith.mulf
// CHECK-NEXT:   kernel.store
func.func @chain(%x: tensor<8x4xf32>, %b: tensor<4xf32>) -> tensor<8x4xf32> {
  %0 = array.broadcast_in_dim %b broadcast_dimensions [1] : tensor<4xf32> -> tensor<8x4xf32>
  %1 = array.add %x, %0 : tensor<8x4xf32>
  %2 = array.exp %1 : tensor<8x4xf32>
  %two = array.constant 2.0 : tensor<f32>
  %3 = array.mul %2, %two : tensor<8x4xf32>, tensor<f32> -> tensor<8x4xf32>
  func.return %3 : tensor<8x4xf32>
}

// Softmax: both reductions run over the axis of the row. One load, no temporary.
// CHECK-LABEL: func.func @softmax
// CHECK:      kernel.nest [i: par 128, j: red 512]
// CHECK-NEXT:   [[V:%.*]] = kernel.load %{{.*}}[i, j]
// CHECK-NEXT:   [[M:%.*]] = kernel.reduce max [[V]] over [j] : f32
// CHECK-NEXT:   [[D:%.*]] = arith.subf [[V]], [[M]]
// CHECK-NEXT:   [[E:%.*]] = math.exp [[D]]
// CHECK-NEXT:   [[S:%.*]] = kernel.reduce add [[E]] over [j] : f32
// CHECK-NEXT:   [[R:%.*]] = arith.divf [[E]], [[S]]
// CHECK-NEXT:   kernel.store [[R]], %{{.*}}[i, j]
// CHECK-NOT:  kernel.nest
func.func @softmax(%x: tensor<128x512xf32>) -> tensor<128x512xf32> {
  %0 = array.reduce max %x axes [1] : tensor<128x512xf32> -> tensor<128xf32>
  %1 = array.broadcast_in_dim %0 broadcast_dimensions [0] : tensor<128xf32> -> tensor<128x512xf32>
  %2 = array.sub %x, %1 : tensor<128x512xf32>
  %3 = array.exp %2 : tensor<128x512xf32>
  %4 = array.reduce add %3 axes [1] : tensor<128x512xf32> -> tensor<128xf32>
  %5 = array.broadcast_in_dim %4 broadcast_dimensions [0] : tensor<128xf32> -> tensor<128x512xf32>
  %6 = array.div %3, %5 : tensor<128x512xf32>
  func.return %6 : tensor<128x512xf32>
}

// … but not where too few rows would be left to run in parallel: the sum of all is a nest of its own.
// CHECK-LABEL: func.func @normalize
// CHECK: kernel.nest [i: red 1024, j: red 512]
// CHECK: kernel.nest [i: par 1024, j: par 512]
func.func @normalize(%x: tensor<1024x512xf32>) -> tensor<1024x512xf32> {
  %0 = array.reduce add %x axes [0, 1] : tensor<1024x512xf32> -> tensor<f32>
  %1 = array.div %x, %0 : tensor<1024x512xf32>, tensor<f32> -> tensor<1024x512xf32>
  func.return %1 : tensor<1024x512xf32>
}

// A matmul takes what follows it into its nest, but not what its operand is made by, which it would compute a hundred times over.
// What is needed twice is one more output. A result that is an argument stays one.
// CHECK-LABEL: func.func @layer
// CHECK:      [[T:%.*]] = kernel.nest [i: par 64, j: par 128] ins(%{{.*}} = %x : tensor<64x128xf32>)
// CHECK-NEXT:   kernel.load
// CHECK-NEXT:   math.tanh
// CHECK-NEXT:   kernel.store
// CHECK:      %{{.*}}, %{{.*}} = kernel.nest [i: par 64, j: par 100, k: red 128] ins(%{{.*}} = [[T]] : tensor<64x128xf32>, %{{.*}} = %w : tensor<100x128xf32>)
// CHECK-NEXT:   [[A:%.*]] = kernel.load %{{.*}}[i, k]
// CHECK-NEXT:   [[B:%.*]] = kernel.load %{{.*}}[j, k]
// CHECK-NEXT:   [[P:%.*]] = arith.mulf [[A]], [[B]]
// CHECK-NEXT:   [[S:%.*]] = kernel.reduce add [[P]] over [k]
// CHECK-NEXT:   [[Z:%.*]] = arith.constant 0
// CHECK-NEXT:   [[R:%.*]] = arith.maximumf [[S]], [[Z]]
// CHECK-NEXT:   kernel.store [[R]]
// CHECK-NEXT:   kernel.store [[S]]
// CHECK:      func.return %{{.*}}, %{{.*}}, %x
func.func @layer(%x: tensor<64x128xf32>, %w: tensor<100x128xf32>) -> (tensor<64x100xf32>, tensor<64x100xf32>, tensor<64x128xf32>) {
  %0 = array.tanh %x : tensor<64x128xf32>
  %1 = array.transpose %w permutation [1, 0] : tensor<100x128xf32> -> tensor<128x100xf32>
  %2 = array.dot %0, %1 contract [[1], [0]] batch [[], []] : tensor<64x128xf32>, tensor<128x100xf32> -> tensor<64x100xf32>
  %zero = array.constant 0.0 : tensor<f32>
  %3 = array.max %2, %zero : tensor<64x100xf32>, tensor<f32> -> tensor<64x100xf32>
  func.return %3, %2, %x : tensor<64x100xf32>, tensor<64x100xf32>, tensor<64x128xf32>
}

// Two reductions of one array that do not need each other share a nest.
// CHECK-LABEL: func.func @moments
// CHECK:      kernel.nest [i: par 256, j: red 64] ins(%{{.*}} = %x : tensor<256x64xf32>) outs(%{{.*}} : tensor<256xf32>, %{{.*}} : tensor<256xf32>)
// CHECK-NOT:  kernel.nest
func.func @moments(%x: tensor<256x64xf32>) -> (tensor<256xf32>, tensor<256xf32>) {
  %0 = array.reduce add %x axes [1] : tensor<256x64xf32> -> tensor<256xf32>
  %1 = array.mul %x, %x : tensor<256x64xf32>
  %2 = array.reduce add %1 axes [1] : tensor<256x64xf32> -> tensor<256xf32>
  func.return %0, %2 : tensor<256xf32>, tensor<256xf32>
}

// A view that is returned is a copy through its index map.
// CHECK-LABEL: func.func @transposed
// CHECK:      [[V:%.*]] = kernel.load %{{.*}}[j, i]
// CHECK-NEXT: kernel.store [[V]], %{{.*}}[i, j]
func.func @transposed(%x: tensor<8x4xf32>) -> tensor<4x8xf32> {
  %0 = array.transpose %x permutation [1, 0] : tensor<8x4xf32> -> tensor<4x8xf32>
  func.return %0 : tensor<4x8xf32>
}

// Nothing is computed for an empty array.
// CHECK-LABEL: func.func @empty
// CHECK-NEXT:  kernel.empty : tensor<0x4xf32>
// CHECK-NEXT:  func.return
func.func @empty(%x: tensor<0x4xf32>) -> tensor<0x4xf32> {
  %0 = array.exp %x : tensor<0x4xf32>
  func.return %0 : tensor<0x4xf32>
}

// With three buffers a nest reads two and writes one.
// CHECK-LABEL: func.func @many
// CHECK:      kernel.nest
// CHECK-NOT:  kernel.nest
// THREE-LABEL: func.func @many
// THREE:      kernel.nest [i: par 8] ins(%{{.*}} = %{{.*}}, %{{.*}} = %{{[a-z0-9]+}} : tensor<8xf32>) outs
// THREE:      kernel.nest [i: par 8] ins(%{{.*}} = %{{.*}}, %{{.*}} = %{{[a-z0-9]+}} : tensor<8xf32>) outs
// THREE:      kernel.nest [i: par 8] ins(%{{.*}} = %{{.*}}, %{{.*}} = %{{[a-z0-9]+}} : tensor<8xf32>) outs
// THREE-NOT:  kernel.nest
func.func @many(%a: tensor<8xf32>, %b: tensor<8xf32>, %c: tensor<8xf32>, %d: tensor<8xf32>) -> tensor<8xf32> {
  %0 = array.add %a, %b : tensor<8xf32>
  %1 = array.add %0, %c : tensor<8xf32>
  %2 = array.add %1, %d : tensor<8xf32>
  func.return %2 : tensor<8xf32>
}

// More arrays than a nest may read are put together in steps.
// CHECK-LABEL: func.func @wide
// CHECK:      kernel.nest
// CHECK-NOT:  kernel.nest
// THREE-LABEL: func.func @wide
// THREE:      [[L:%.*]] = kernel.nest [i: par 4] ins(%{{.*}} = %a : tensor<2xf32>, %{{.*}} = %b : tensor<2xf32>)
// THREE:      [[R:%.*]] = kernel.nest [i: par 4] ins(%{{.*}} = %c : tensor<2xf32>, %{{.*}} = %d : tensor<2xf32>)
// THREE:      kernel.nest [i: par 8] ins(%{{.*}} = [[L]] : tensor<4xf32>, %{{.*}} = [[R]] : tensor<4xf32>)
func.func @wide(%a: tensor<2xf32>, %b: tensor<2xf32>, %c: tensor<2xf32>, %d: tensor<2xf32>) -> tensor<8xf32> {
  %0 = array.concatenate %a, %b, %c, %d dimension 0 : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32> -> tensor<8xf32>
  func.return %0 : tensor<8xf32>
}

// An op that pushes runs over a space of its own, here the chunks of a running sum, and writes several elements at each point.
// CHECK-LABEL: func.func @running
// CHECK:      kernel.nest [i: par 2] ins(%{{.*}} = %s : tensor<2xf32>, %{{.*}} = %x : tensor<4xf32>)
// CHECK:      kernel.store %{{.*}}, %{{.*}}[i * 2]
// CHECK:      kernel.store %{{.*}}, %{{.*}}[i * 2 + 1]
func.func @running(%x: tensor<4xf32>, %s: tensor<2xf32>) -> tensor<4xf32> {
  %0 = array.running add %x, %s axis 0 reverse false chunk 2 : tensor<4xf32>, tensor<2xf32> -> tensor<4xf32>
  func.return %0 : tensor<4xf32>
}

// What is searched, again and again, is stored first; what is looked for is computed on the way.
// CHECK-LABEL: func.func @search
// CHECK:      [[A:%.*]] = kernel.nest [i: par 8] ins(%{{.*}} = %a : tensor<8xi32>)
// CHECK:      kernel.nest [i: par 4] ins(%{{.*}} = %v : tensor<4xi32>, %{{.*}} = [[A]] : tensor<8xi32>)
// CHECK-NOT:  kernel.nest
func.func @search(%a: tensor<8xi32>, %v: tensor<4xi32>) -> tensor<4xi32> {
  %0 = array.mul %a, %a : tensor<8xi32>
  %1 = array.mul %v, %v : tensor<4xi32>
  %2 = array.bisect left %0, %1 : tensor<8xi32>, tensor<4xi32> -> tensor<4xi32>
  func.return %2 : tensor<4xi32>
}

// What passes a barrier is stored before it, and loaded after it.
// CHECK-LABEL: func.func @barrier
// CHECK:      [[C:%.*]] = kernel.nest
// CHECK:        math.cos
// CHECK:      kernel.nest [i: par 8] ins(%{{.*}} = [[C]] : tensor<8xf32>)
// CHECK:        math.sin
func.func @barrier(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = array.cos %x : tensor<8xf32>
  %1 = array.optimization_barrier %0 : tensor<8xf32>
  %2 = array.sin %1 : tensor<8xf32>
  func.return %2 : tensor<8xf32>
}
