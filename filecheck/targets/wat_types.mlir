// RUN: xdsl-opt %s -p array-to-wasm -t weft-wat | filecheck %s

// Bytes are loaded sign-extended; of a sum what leaves eight bits is brought back, and eight are stored.
// CHECK:      i32.load8_s
// CHECK:      i32.add
// CHECK:      i32.extend8_s
// CHECK:      i32.store8
func.func @main(%x: tensor<3xi8>) -> tensor<3xi8> {
  %0 = array.add %x, %x : tensor<3xi8>
  func.return %0 : tensor<3xi8>
}
