// RUN: xdsl-opt %s -p array-decompose,array-simplify | filecheck %s --check-prefix=SLICES
// RUN: xdsl-opt %s -p array-decompose,array-simplify,array-to-kernel | filecheck %s --check-prefix=NESTS
// RUN: xdsl-opt %s -p 'array-decompose,array-simplify,array-to-kernel,kernel-plan-memory{target=wasm in_place=true}' | filecheck %s --check-prefix=WASM
// RUN: xdsl-opt %s -p 'array-decompose,array-simplify,array-to-kernel,kernel-plan-memory{target=webgpu}' | filecheck %s --check-prefix=WEBGPU
// RUN: xdsl-opt %s -p array-to-wasm -t weft-wat | filecheck %s --check-prefix=WAT

// A loop takes and puts its slices itself: it carries a counter, and the stack that it fills.
// SLICES:      array.scan length 10 carry([[I:%.*]] = %{{.*}} : tensor<i32>, [[C:%.*]] = %{{.*}} : tensor<f32>, [[S:%.*]] = %{{.*}} : tensor<10xf32>) over() {
// SLICES:        array.dynamic_slice %{{.*}}, [[I]] sizes [1]
// SLICES:        array.dynamic_update_slice [[S]]

// Each region is lowered as a function is.
// NESTS:      array.while %{{.*}}, %{{.*}} : tensor<i32>, tensor<64xf32> cond([[A:%.*]], %{{.*}}) {
// NESTS:        kernel.nest [] ins({{.*}} = [[A]] : tensor<i32>
// NESTS:        array.yield %{{.*}} : tensor<i1>
// NESTS:      } do(%{{.*}}, [[V:%.*]]) {
// NESTS:        array.cond %{{.*}} : tensor<i32> case {
// NESTS:          kernel.nest [i: par 64] ins({{.*}} = [[V]] : tensor<64xf32>
// NESTS:        } case {
// NESTS-NEXT:     array.yield [[V]] : tensor<64xf32>

// What is carried stays in one buffer where rounds may write into it; else two change places.
// WASM:      kernel.repeat 10 rotating (%{{.*}}, %{{.*}} : memref<f32>)
// WASM-NOT:    kernel.copy {{.*}} memref<10xf32>
// WASM:      }
// WASM:      kernel.while {
// WASM-NEXT:   kernel.launch @[[LESS:.*]] ins({{.*}}) outs([[P:%.*]] : memref<i1>)
// WASM-NEXT: } holds [[P]] : memref<i1> rotating ([[X:%.*]], [[T:%.*]] : memref<64xf32>) do {
// WASM-NEXT:   kernel.switch [[I:%.*]] : memref<i32> case {
// WASM-NEXT:     kernel.launch @{{.*}} ins([[X]] : memref<64xf32>) outs([[T]] : memref<64xf32>)
// WASM-NEXT:   } case {
// WASM-NEXT:     kernel.copy [[X]] to [[T]] : memref<64xf32>
// WASM-NEXT:   }
// WASM-NEXT:   kernel.launch @{{.*}} ins([[I]] : memref<i32>) outs([[I]] : memref<i32>)

// A copy in a loop is a kernel on WebGPU, which can be left out without asking the host.
// WEBGPU:      kernel.while {
// WEBGPU-NOT:    kernel.copy

// On WebAssembly they are loops and branches of the program itself.
// WAT: (func $main
// WAT: block
// WAT: loop
// WAT: i32.load8_u
// WAT: br_if
func.func @stacked(%c0 : tensor<f32>, %xs : tensor<10xf32>) -> (tensor<f32>, tensor<10xf32>) {
  %s, %y = array.scan length 10 carry(%c = %c0 : tensor<f32>) over(%x = %xs : tensor<10xf32>) {
    %n = array.mul %c, %x : tensor<f32>
    array.yield %n, %c : tensor<f32>, tensor<f32>
  }
  func.return %s, %y : tensor<f32>, tensor<10xf32>
}

func.func @main(%n : tensor<i32>, %x : tensor<64xf32>) -> tensor<64xf32> {
  %zero = array.constant 0 : tensor<i32>
  %i, %y = array.while %zero, %x : tensor<i32>, tensor<64xf32> cond(%a, %u) {
    %p = array.compare lt %a, %n : tensor<i32>, tensor<i32> -> tensor<i1>
    array.yield %p : tensor<i1>
  } do(%b, %v) {
    %w = array.cond %b : tensor<i32> case {
      %s = array.sin %v : tensor<64xf32>
      array.yield %s : tensor<64xf32>
    } case {
      array.yield %v : tensor<64xf32>
    }
    %one = array.constant 1 : tensor<i32>
    %c = array.add %b, %one : tensor<i32>
    array.yield %c, %w : tensor<i32>, tensor<64xf32>
  }
  func.return %y : tensor<64xf32>
}
