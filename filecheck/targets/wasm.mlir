// RUN: xdsl-opt %s -t weft-wasm | filecheck %s
// RUN: xdsl-opt %s -t 'weft-wasm{text="base64" names=true}' | filecheck %s --check-prefix=BASE64

// One line of text for each module.

wasm.module
// CHECK: 0061736d01000000
// BASE64: AGFzbQEAAAA=

wasm.module {
  wasm.func @double(%x: i32) -> i32 export "double" {
    %y = wasm.inst i32.add %x, %x
    wasm.return %y : i32
  }
}
// CHECK-NEXT: 0061736d0100000001060160017f017f0302010007{{.*}}0a09010700200020006a0b
// BASE64-NEXT: AGFzbQEAAAA
