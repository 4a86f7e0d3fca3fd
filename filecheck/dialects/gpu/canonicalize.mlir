// RUN: xdsl-opt %s -p canonicalize | filecheck %s

// CHECK: func.func @one_value(%f: f32) -> vector<4xf32> {
// CHECK-NEXT: %v = vector.broadcast %f : f32 to vector<4xf32>
func.func @one_value(%f : f32) -> vector<4xf32> {
  %v = gpu.lanes %f, %f, %f, %f : vector<4xf32>
  func.return %v : vector<4xf32>
}

// CHECK: func.func @taken_apart(%v: vector<2xf32>) -> vector<2xf32> {
// CHECK-NEXT: func.return %v : vector<2xf32>
func.func @taken_apart(%v : vector<2xf32>) -> vector<2xf32> {
  %a = vector.extract %v[0] : f32 from vector<2xf32>
  %b = vector.extract %v[1] : f32 from vector<2xf32>
  %w = gpu.lanes %a, %b : vector<2xf32>
  func.return %w : vector<2xf32>
}

// CHECK: func.func @unread(%f: f32) {
// CHECK-NEXT: func.return
func.func @unread(%f : f32) {
  %x = gpu.var %f : memref<f32, #gpu<address_space private>>
  memref.store %f, %x[] : memref<f32, #gpu<address_space private>>
  func.return
}
