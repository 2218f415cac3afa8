;; A guest with windows, written by hand. What it imports and exports is in windows.wit.
;;
;; Its memory:
;;     64   where results are written
;;    512   the handles of its windows
;;   8192   where memory is given out from
;;  1 MiB   free for the test, to 32 MiB
(module
  (import "iommap:mmap/types@0.1.0" "[static]mapping.open"
    (func $open (param i32 i32 i32 i32 i32 i64 i32)))
  (import "iommap:mmap/types@0.1.0" "[method]mapping.close" (func $close (param i32 i32)))
  (import "iommap:mmap/types@0.1.0" "[method]mapping.truncate"
    (func $truncate (param i32 i64 i32)))
  (import "iommap:mmap/types@0.1.0" "[method]mapping.pread"
    (func $pread (param i32 i64 i64 i32)))
  (import "iommap:mmap/types@0.1.0" "[method]mapping.pwrite"
    (func $pwrite (param i32 i64 i32 i32 i32)))
  (import "iommap:mmap/windows@0.1.0" "[static]window.open"
    (func $window (param i32 i64 i64 i64 i64 i64 i32 i32)))
  (import "iommap:mmap/windows@0.1.0" "[method]window.move-to"
    (func $move (param i32 i32 i64 i64 i32 i32)))
  (import "iommap:mmap/windows@0.1.0" "[method]window.check" (func $check (param i32 i32)))
  (import "iommap:mmap/windows@0.1.0" "[method]window.close" (func $close-window (param i32 i32)))
  (import "iommap:mmap/windows@0.1.0" "[method]window.prefetch"
    (func $prefetch (param i32 i64 i64 i32)))
  (import "iommap:mmap/windows@0.1.0" "[resource-drop]window" (func $drop-window (param i32)))
  (import "$root" "hear" (func $hear (param i32 i32)))

  (memory (export "memory") 512)
  (global $next (mut i32) (i32.const 8192))
  (func (export "cabi_realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and
      (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (local.get $at))

  (global $mapping (mut i32) (i32.const 0))
  ;; 0 for ok, else 1 and the error's number.
  (func $status (result i32)
    (global.set $next (i32.const 8192))
    (if (result i32) (i32.load8_u (i32.const 64))
      (then (i32.add (i32.const 1) (i32.load8_u (i32.const 68))))
      (else (i32.const 0))))
  (func $handle (param $n i32) (result i32)
    (i32.load offset=512 (i32.shl (local.get $n) (i32.const 2))))

  (func (export "map-file") (param $path i32) (param $length i32) (param $mode i32)
    (param $options i32) (result i32)
    (call $open (local.get $path) (local.get $length) (local.get $mode) (local.get $options)
      (i32.const 0) (i64.const 0) (i32.const 64))
    (if (i32.eqz (i32.load8_u (i32.const 64)))
      (then (global.set $mapping (i32.load (i32.const 68)))))
    (call $status))
  (func (export "adopt") (param $handle i32) (global.set $mapping (local.get $handle)))
  (func (export "unmap-file") (result i32)
    (call $close (global.get $mapping) (i32.const 64))
    (call $status))
  (func (export "truncate") (param $size i64) (result i32)
    (call $truncate (global.get $mapping) (local.get $size) (i32.const 64))
    (call $status))
  ;; Has realloc give out what is at $to.
  (func (export "pread") (param $offset i64) (param $length i64) (param $to i32) (result i32)
    (global.set $next (local.get $to))
    (call $pread (global.get $mapping) (local.get $offset) (local.get $length) (i32.const 64))
    (call $status))
  (func (export "pwrite") (param $offset i64) (param $data i32) (param $length i32) (result i32)
    (call $pwrite (global.get $mapping) (local.get $offset) (local.get $data)
      (local.get $length) (i32.const 64))
    (call $status))

  (func (export "window") (param $n i32) (param $offset i64) (param $length i64)
    (param $address i64) (param $region i64) (param $token i64) (param $options i32) (result i32)
    (call $window (global.get $mapping) (local.get $offset) (local.get $length)
      (local.get $address) (local.get $region) (local.get $token) (local.get $options)
      (i32.const 64))
    (if (i32.eqz (i32.load8_u (i32.const 64)))
      (then (i32.store offset=512 (i32.shl (local.get $n) (i32.const 2)) (i32.load (i32.const 68)))))
    (call $status))
  (func (export "move") (param $n i32) (param $offset i64) (param $length i64)
    (param $options i32) (result i32)
    (call $move (call $handle (local.get $n)) (global.get $mapping) (local.get $offset)
      (local.get $length) (local.get $options) (i32.const 64))
    (call $status))
  (func (export "check") (param $n i32) (result i32)
    (call $check (call $handle (local.get $n)) (i32.const 64))
    (call $status))
  (func (export "close") (param $n i32) (result i32)
    (call $close-window (call $handle (local.get $n)) (i32.const 64))
    (call $status))
  (func (export "prefetch") (param $n i32) (param $offset i64) (param $length i64) (result i32)
    (call $prefetch (call $handle (local.get $n)) (local.get $offset) (local.get $length)
      (i32.const 64))
    (call $status))
  (func (export "release") (param $n i32) (call $drop-window (call $handle (local.get $n))))

  (func (export "load") (param $at i32) (result i64) (i64.load (local.get $at)))
  (func (export "store") (param $at i32) (param $value i64)
    (i64.store (local.get $at) (local.get $value)))
  (func (export "fill") (param $at i32) (param $byte i32) (param $length i32)
    (memory.fill (local.get $at) (local.get $byte) (local.get $length)))
  (func (export "copy") (param $to i32) (param $from i32) (param $length i32)
    (memory.copy (local.get $to) (local.get $from) (local.get $length)))
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
  (func (export "grow") (param $pages i32) (result i32) (memory.grow (local.get $pages)))
  (func (export "tell") (param $at i32) (param $length i32) (param $times i32)
    (loop $again
      (call $hear (local.get $at) (local.get $length))
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br_if $again (local.get $times)))))
