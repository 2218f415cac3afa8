;; A guest written by hand, but for the body of its `realloc`, which the test supplies. What it
;; imports and exports is in hostile.wit.
;;
;; Its memory:
;;     16   the path that it opens
;;     64   where results are written, unless told otherwise
;;    128   how often `realloc` was called, and from 132 on its arguments, four words a call
;;   1024   free for the test
;;  64 KiB  where $bump starts to give memory out
(module
  (import "iommap:mmap/types@0.1.0" "[static]mapping.open"
    (func $open (param i32 i32 i32 i32 i32 i64 i32)))
  (import "iommap:mmap/types@0.1.0" "[method]mapping.close" (func $close (param i32 i32)))
  (import "iommap:mmap/types@0.1.0" "[method]mapping.pread"
    (func $pread (param i32 i64 i64 i32)))
  (import "iommap:mmap/types@0.1.0" "[method]mapping.pwrite"
    (func $pwrite (param i32 i64 i32 i32 i32)))
  (import "iommap:mmap/batch@0.1.0" "pread-many" (func $pread-many (param i32 i32 i32 i32)))
  (import "iommap:mmap/batch@0.1.0" "pwrite-many"
    (func $pwrite-many (param i32 i32 i32 i32 i32 i32)))

  (memory (export "memory") 4)
  (data (i32.const 16) "/data/f")
  (global $next (mut i32) (i32.const 65536))
  (func $end (result i32) (i32.mul (memory.size) (i32.const 65536)))
  (func $bump (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and
      (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (global.get $next) (call $end)) (then
      (drop (memory.grow
        (i32.add (i32.const 1) (i32.shr_u (local.get $size) (i32.const 16)))))))
    (local.get $at))
  (func (export "cabi_realloc") (param $old i32) (param $was i32) (param $align i32)
    (param $size i32) (result i32)
    (local $entry i32)
    (local.set $entry
      (i32.add (i32.const 132) (i32.shl (i32.load (i32.const 128)) (i32.const 4))))
    (i32.store (i32.const 128) (i32.add (i32.load (i32.const 128)) (i32.const 1)))
    (i32.store offset=0 (local.get $entry) (local.get $old))
    (i32.store offset=4 (local.get $entry) (local.get $was))
    (i32.store offset=8 (local.get $entry) (local.get $align))
    (i32.store offset=12 (local.get $entry) (local.get $size))
    (BODY))

  (global $mapping (mut i32) (i32.const 0))
  ;; 0 for ok, else 1 and the error's number.
  (func $status (param $result i32) (result i32)
    (if (result i32) (i32.load8_u (local.get $result))
      (then (i32.add (i32.const 1) (i32.load8_u offset=4 (local.get $result))))
      (else (i32.const 0))))
  (func (export "open") (param $mode i32) (result i32)
    (call $open (i32.const 16) (i32.const 7) (local.get $mode) (i32.const 0)
      (i32.const 0) (i64.const 0) (i32.const 64))
    (if (i32.eqz (i32.load8_u (i32.const 64)))
      (then (global.set $mapping (i32.load (i32.const 68)))))
    (call $status (i32.const 64)))
  (func (export "adopt") (param $handle i32) (global.set $mapping (local.get $handle)))
  (func (export "close") (result i32)
    (call $close (global.get $mapping) (i32.const 64))
    (call $status (i32.const 64)))
  (func (export "pread") (param $offset i64) (param $length i64) (param $to i32) (result i32)
    (call $pread (global.get $mapping) (local.get $offset) (local.get $length) (local.get $to))
    (call $status (local.get $to)))
  (func (export "pwrite") (param $offset i64) (param $data i32) (param $length i32) (result i32)
    (call $pwrite (global.get $mapping) (local.get $offset) (local.get $data)
      (local.get $length) (i32.const 64))
    (call $status (i32.const 64)))
  (func (export "pread-many") (param $ranges i32) (param $count i32) (param $to i32) (result i32)
    (call $pread-many (global.get $mapping) (local.get $ranges) (local.get $count)
      (local.get $to))
    (call $status (local.get $to)))
  (func (export "pwrite-many") (param $ranges i32) (param $count i32)
    (param $data i32) (param $length i32) (result i32)
    (call $pwrite-many (global.get $mapping) (local.get $ranges) (local.get $count)
      (local.get $data) (local.get $length) (i32.const 64))
    (call $status (i32.const 64)))
  (func (export "peek") (param $at i32) (result i32) (i32.load (local.get $at)))
  (func (export "poke") (param $at i32) (param $value i64)
    (i64.store (local.get $at) (local.get $value)))
  (func (export "end") (result i32) (i32.mul (memory.size) (i32.const 65536)))
  ;; FNV-1a of 64 bits.
  (func (export "hash") (param $at i32) (param $length i32) (result i64)
    (local $hash i64)
    (local.set $hash (i64.const 0xcbf29ce484222325))
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $length)))
      (local.set $hash (i64.mul (i64.const 0x100000001b3)
        (i64.xor (local.get $hash) (i64.load8_u (local.get $at)))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (local.set $length (i32.sub (local.get $length) (i32.const 1)))
      (br $next)))
    (local.get $hash))
  (func $recurse (export "recurse") (param $n i64) (result i64)
    (i64.add (i64.const 1) (call $recurse (i64.add (local.get $n) (i64.const 1))))))
