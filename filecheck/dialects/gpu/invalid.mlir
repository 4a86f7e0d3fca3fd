// RUN: xdsl-opt %s --verify-diagnostics --parsing-diagnostics --split-input-file | filecheck %s

%0 = gpu.binding 0 read : memref<4xf32>
// CHECK: a binding is a memref in global memory, got memref<4xf32>

// -----

%0 = gpu.binding 0 read : memref<4x4xf32, #gpu<address_space global>>
// CHECK: a binding has one dimension

// -----

%0 = gpu.binding 0 read : memref<4xi1, #gpu<address_space global>>
// CHECK: a binding holds no i1: buffers keep truth values as i32

// -----

%0 = gpu.binding 0 write : memref<4xf32, #gpu<address_space global>>
// CHECK: access is one of read, read_write, got 'write'

// -----

%0 = gpu.binding 0 read : f32
// CHECK: expected a memref, got f32

// -----

%0 = gpu.workgroup_alloc : memref<4xf32>
// CHECK: the result is a memref in workgroup memory

// -----

%0 = gpu.workgroup_alloc : memref<?xf32, #gpu<address_space workgroup>>
// CHECK: workgroup memory has a static shape

// -----

%t = gpu.workgroup_alloc : memref<1xf32, #gpu<address_space workgroup>>
%0 = gpu.uniform_load %t : memref<1xf32, #gpu<address_space workgroup>>
// CHECK: a uniform load reads i32, got memref<1xf32

// -----

%f = arith.constant 1.0 : f32
%0 = gpu.var %f : memref<4xf32, #gpu<address_space private>>
// CHECK: a variable of f32 has rank 0 and that element type

// -----

%f = arith.constant 1.0 : f32
%i = gpu.local_index
%x = gpu.binding 0 read : memref<4xf32, #gpu<address_space global>>
gpu.atomic add %f, %x[%i] : f32, memref<4xf32, #gpu<address_space global>>
// CHECK: an atomic needs a binding with access read_write

// -----

%f = arith.constant 1.0 : f32
%i = gpu.local_index
%x = gpu.workgroup_alloc : memref<4xf32, #gpu<address_space workgroup>>
gpu.atomic mean %f, %x[%i] : f32, memref<4xf32, #gpu<address_space workgroup>>
// CHECK: kind is one of add, mul, max, min, umax, umin, and, or, xor, got 'mean'

// -----

%f = arith.constant 1 : i32
%i = gpu.local_index
%x = gpu.workgroup_alloc : memref<4xf32, #gpu<address_space workgroup>>
gpu.atomic add %f, %x[%i] : i32, memref<4xf32, #gpu<address_space workgroup>>
// CHECK: the value has the type of the elements, f32, got i32

// -----

%f = arith.constant 1.0 : f32
%0 = gpu.subgroup_reduce mean %f : f32
// CHECK: kind is one of

// -----

%f = arith.constant 1.0 : f32
%o = arith.constant 1 : i32
%0 = gpu.subgroup_shuffle left %f, %o : f32
// CHECK: mode is one of idx, xor, up, down, got 'left'

// -----

%f = arith.constant 1.0 : f32
%0 = gpu.lanes %f, %f : vector<4xf32>
// CHECK: vector<4xf32> is made of as many scalars of its element type

// -----

%f = arith.constant 1.0 : f32
%v = gpu.lanes %f, %f : vector<2xf32>
%0 = gpu.lanewise math.exp %v : vector<2xf32> -> vector<2xf32>
// CHECK: op is one of arith.bitcast

// -----

%f = arith.constant 1.0 : f32
%v = gpu.lanes %f, %f : vector<2xf32>
%0 = gpu.lanewise arith.fptosi %v : vector<2xf32> -> vector<4xi32>
// CHECK: operands and result have the same number of lanes
