// RUN: xdsl-opt %s -p array-to-webgpu -t weft-wgsl | filecheck %s

// From arrays to WGSL in one name.
// CHECK: @compute
func.func @main(%x: tensor<64x64xf32>, %y: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %0 = array.add %x, %y : tensor<64x64xf32>
  func.return %0 : tensor<64x64xf32>
}
