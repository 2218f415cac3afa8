;; The guest of the table of stores: it opens one mapping, and reads here and there in it. Its
;; memory is one page, so that a store is as small as wasmtime makes it.
;;
;; Memory: from 16 what a call returns, from 512 the path, from 1024 what is read.
(component
  (import "iommap:mmap/types@0.1.0" (instance $types
    (export "mapping" (type $mapping (sub resource)))
    (type $codes (variant
      (case "badarg") (case "enomem") (case "enoent") (case "eacces") (case "closed")
      (case "out-of-bounds") (case "sigbus") (case "eexist") (case "enotreg") (case "enospc")
      (case "efbig") (case "emfile") (case "limit-exceeded") (case "enotsup") (case "eio")
      (case "other" (option string))))
    (export "error-code" (type $error-code (eq $codes)))
    (type $modes (enum "read" "write" "read-write"))
    (export "access-mode" (type $access-mode (eq $modes)))
    (type $options (flags "shared" "private" "lock" "populate" "nocache" "create" "truncate" "exclusive"))
    (export "open-flags" (type $open-flags (eq $options)))
    (export "[static]mapping.open" (func
      (param "path" string) (param "mode" $access-mode) (param "options" $open-flags)
      (param "size" (option u64)) (result (result (own $mapping) (error $error-code)))))
    (export "[method]mapping.pread" (func
      (param "self" (borrow $mapping)) (param "offset" u64) (param "length" u64)
      (result (result (list u8) (error $error-code)))))
  ))

  (core module $Memory
    (memory (export "memory") 1)
    ;; One call's bytes at a time, always at the same place.
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $mem (instantiate $Memory))
  (alias core export $mem "memory" (core memory $memory))
  (alias core export $mem "realloc" (core func $realloc))

  (core func $open (canon lower (func $types "[static]mapping.open") (memory $memory) (realloc $realloc)))
  (core func $pread (canon lower (func $types "[method]mapping.pread") (memory $memory) (realloc $realloc)))

  (core module $Main
    (import "mem" "memory" (memory 1))
    (import "host" "open" (func $open (param i32 i32 i32 i32 i32 i64 i32)))
    (import "host" "pread" (func $pread (param i32 i64 i64 i32)))
    (global $mapping (mut i32) (i32.const 0))
    (data (i32.const 512) "/bench/data")

    ;; Traps if the last call failed.
    (func $check (if (i32.load8_u (i32.const 16)) (then (unreachable))))
    ;; Opens the file: mode `read`, no options, no size.
    (func (export "open")
      (call $open (i32.const 512) (i32.const 11) (i32.const 0) (i32.const 0)
        (i32.const 0) (i64.const 0) (i32.const 16))
      (call $check)
      (global.set $mapping (i32.load (i32.const 20))))
    ;; Reads 8 bytes at each of `count` offsets, which are made as `offsets::next` makes them, and
    ;; returns their sum.
    (func (export "read") (param $count i32) (param $mask i64) (param $x i64) (result i64)
      (local $sum i64)
      (loop $again
        (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 13))))
        (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 7))))
        (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 17))))
        (call $pread (global.get $mapping) (i64.and (local.get $x) (local.get $mask))
          (i64.const 8) (i32.const 16))
        (call $check)
        (local.set $sum (i64.add (local.get $sum) (i64.load (i32.load (i32.const 20)))))
        (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
      (local.get $sum)))
  (core instance $main (instantiate $Main
    (with "mem" (instance $mem))
    (with "host" (instance (export "open" (func $open)) (export "pread" (func $pread))))))

  (func (export "open") (canon lift (core func $main "open")))
  (func (export "read") (param "count" u32) (param "mask" u64) (param "seed" u64) (result u64)
    (canon lift (core func $main "read")))
)
