// RUN: xdsl-opt %s --verify-diagnostics --parsing-diagnostics --split-input-file | filecheck %s

wasm.module {
  wasm.func @f(%x: i32) -> i32 {
    %y = wasm.inst i32.plus %x, %x
    wasm.return %y : i32
  }
}
// CHECK: 'i32.plus' is no instruction of WebAssembly

// -----

wasm.module {
  wasm.func @f(%x: i32) -> i32 {
    %y = wasm.inst i32.add %x
    wasm.return %y : i32
  }
}
// CHECK: i32.add has 2 operands, got 1

// -----

wasm.module {
  wasm.func @f(%x: i32) {
    %y = wasm.inst i32.load %x align=3
  }
}
// CHECK: an alignment is a power of two, got 3

// -----

"wasm.module"() ({
  "wasm.func"() <{sym_name = "f", function_type = (i32) -> ()}> ({
  ^bb0(%x: i32):
    %y = "wasm.inst"(%x, %x) <{mnemonic = "f32.add"}> : (i32, i32) -> f32
    "wasm.return"() : () -> ()
  }) : () -> ()
}) : () -> ()
// CHECK: f32.add has operands (f32, f32), got (i32, i32)

// -----

"wasm.module"() ({
  "wasm.func"() <{sym_name = "f", function_type = (i32) -> ()}> ({
  ^bb0(%x: i32):
    %y = "wasm.inst"(%x) <{mnemonic = "f32.load"}> : (i32) -> f32
    "wasm.return"() : () -> ()
  }) : () -> ()
}) : () -> ()
// CHECK: f32.load has 2 immediates, got 0

// -----

wasm.module {
  wasm.func @f(%v: !wasm.v128) {
    %y = wasm.inst f32x4.extract_lane[4] %v
  }
}
// CHECK: f32x4.extract_lane: lanes must be in [0, 4), got [4]

// -----

wasm.module {
  wasm.func @f(%p: i32) {
    %y = wasm.inst v128.load %p align=32
  }
}
// CHECK: v128.load: alignment must be at most 16, got 32

// -----

wasm.module {
  wasm.func @f(%p: i32) {
    %y = wasm.inst i32.atomic.load %p align=2
  }
}
// CHECK: i32.atomic.load: alignment must be 4, got 2

// -----

wasm.module {
  wasm.func @f(%p: i32) {
    %y = wasm.inst i32.load %p offset=4294967296
  }
}
// CHECK: i32.load: offset 4294967296 is outside of 32 bits

// -----

wasm.module {
  wasm.func @f() {
    %y = wasm.const 1 : i8
  }
}
// CHECK: expected a WebAssembly value type (i32, i64, f32, f64, v128), got i8

// -----

wasm.module {
  wasm.func @f() {
    %y = wasm.const f32x4 [1.0, 2.0]
  }
}
// CHECK: a vector constant has 16 bytes

// -----

wasm.module {
  wasm.func @f(%x: index) {
  }
}
// CHECK: expected a WebAssembly value type

// -----

wasm.module {
  wasm.func @f(%x: i32) -> i32 {
    wasm.return %x, %x : i32, i32
  }
}
// CHECK: the function's return takes (i32), got (i32, i32)

// -----

wasm.module {
  wasm.func @g(%x: i32) -> i32 {
    wasm.return %x : i32
  }
  wasm.func @f(%x: f32) {
    %y = wasm.call @g(%x) : (f32) -> i32
  }
}
// CHECK: @g has type (i32) -> i32, called as (f32) -> i32

// -----

wasm.module {
  wasm.memory @m 1
  wasm.func @f() {
    wasm.call @m() : ()
  }
}
// CHECK: @m is no wasm.func of this module

// -----

wasm.module {
  wasm.func @f(%x: i32) {
    wasm.loop (%i = %x : i32) {
      wasm.continue_if %i, %i, %i : i32, i32
    }
  }
}
// CHECK: the next round takes (i32), got (i32, i32)

// -----

wasm.module {
  wasm.func @f(%x: i32) {
    wasm.break_if %x
  }
}
// CHECK: wasm.break_if stands in no wasm.block or wasm.loop

// -----

wasm.module {
  wasm.func @f(%x: i32) {
    wasm.continue_if %x
  }
}
// CHECK: wasm.continue_if stands in no wasm.loop

// -----

wasm.module {
  wasm.func @f(%x: i32) -> i32 {
    %y = wasm.if %x -> i32 {
      wasm.yield %x : i32
    }
    wasm.return %y : i32
  }
}
// CHECK: an if with results needs an else

// -----

wasm.module {
  wasm.func @f(%x: i32) -> i32 {
    %y = wasm.block -> i32 {
    }
    wasm.return %y : i32
  }
}
// CHECK: wasm.block takes (i32), got ()

// -----

wasm.module {
  wasm.memory @m 2 to 1
}
// CHECK: sizes in pages must hold 0 <= minimum <= maximum <= 65536, got 2 to 1

// -----

wasm.module {
  wasm.memory @m 1 shared
}
// CHECK: a shared memory needs a maximum

// -----

wasm.module {
  wasm.memory @a 1
  wasm.memory @b 1
}
// CHECK: a module has at most one memory

// -----

wasm.module {
  wasm.global @g = 0 : i32
  wasm.func @f(%x: i32) {
    wasm.global.set @g, %x : i32
  }
}
// CHECK: @g is not mutable

// -----

wasm.module {
  wasm.func @f() {
  }
  wasm.func @f() {
  }
}
// CHECK: Redefinition of symbol "f"

// -----

"wasm.module"() ({
  "wasm.func"() <{sym_name = "f", function_type = () -> ()}> ({
    "wasm.inst"() <{mnemonic = "i32.plus"}> : () -> ()
    "wasm.return"() : () -> ()
  }) : () -> ()
}) : () -> ()
// CHECK: 'i32.plus' is no instruction of WebAssembly

// -----

"wasm.module"() ({
  "wasm.memory"() <{sym_name = "m", minimum = 1 : i64, import_from = ["env"]}> : () -> ()
}) : () -> ()
// CHECK: an import has two names: a module and a field

// -----

wasm.module {
  wasm.func @f(%x: i32) -> i32 import "env" "f" {
  }
}
// CHECK: in block definition
