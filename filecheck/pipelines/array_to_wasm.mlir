// RUN: xdsl-opt %s -p array-to-wasm -t weft-wat | filecheck %s

// From arrays to a module in one name: an exported main, and a kernel that it calls.
// CHECK: (module
// CHECK: v128.load
// CHECK: f32x4.add
func.func @main(%x: tensor<64x64xf32>, %y: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %0 = array.add %x, %y : tensor<64x64xf32>
  func.return %0 : tensor<64x64xf32>
}
