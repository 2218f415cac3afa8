;; A guest written by hand that maps descriptors of whichever version of WASI stands for VERSION.
;;
;; Its memory: results are written at 64; from 1024 on it is given out by `realloc`.
(component
  (import "wasi:filesystem/types@VERSION" (instance $filesystem
    (export "descriptor" (type (sub resource)))))
  (alias export $filesystem "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@VERSION" (instance $preopens
    (alias outer 1 $descriptor (type $descriptor))
    (export "get-directories" (func (result (list (tuple (own $descriptor) string)))))))
  (import "iommap:mmap/types@0.1.0" (instance $types
    (export "mapping" (type (sub resource)))
    (type $code (variant (case "badarg") (case "enomem") (case "enoent") (case "eacces")
      (case "closed") (case "out-of-bounds") (case "sigbus") (case "eexist") (case "enotreg")
      (case "enospc") (case "efbig") (case "emfile") (case "limit-exceeded") (case "enotsup")
      (case "eio") (case "other" (option string))))
    (export "error-code" (type (eq $code)))
    (type $mode (enum "read" "write" "read-write"))
    (export "access-mode" (type (eq $mode)))
    (type $flags (flags "shared" "private" "lock" "populate" "nocache" "create" "truncate"
      "exclusive"))
    (export "open-flags" (type (eq $flags)))))
  (alias export $types "mapping" (type $mapping))
  (alias export $types "error-code" (type $error-code))
  (alias export $types "access-mode" (type $access-mode))
  (alias export $types "open-flags" (type $open-flags))
  (import "iommap:wasi/files@0.1.0" (instance $files
    (alias outer 1 $descriptor (type $descriptor))
    (alias outer 1 $mapping (type $mapping))
    (alias outer 1 $error-code (type $error-code))
    (alias outer 1 $access-mode (type $access-mode))
    (alias outer 1 $open-flags (type $open-flags))
    (export "map-descriptor" (func (param "file" (borrow $descriptor)) (param "mode" $access-mode)
      (param "options" $open-flags) (param "size" (option u64))
      (result (result (own $mapping) (error $error-code)))))))

  (core module $libc
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (core func $map (canon lower (func $files "map-descriptor")
    (memory $memory) (realloc $realloc)))
  (core func $directories (canon lower (func $preopens "get-directories")
    (memory $memory) (realloc $realloc)))
  (core module $main
    (import "libc" "memory" (memory 1))
    (import "host" "map" (func $map (param i32 i32 i32 i32 i64 i32)))
    (import "host" "directories" (func $directories (param i32)))
    ;; 0 for ok, else 1 and the error's number.
    (func $try (export "map") (param $descriptor i32) (param $mode i32) (result i32)
      (call $map (local.get $descriptor) (local.get $mode) (i32.const 0)
        (i32.const 0) (i64.const 0) (i32.const 64))
      (if (result i32) (i32.load8_u (i32.const 64))
        (then (i32.add (i32.const 1) (i32.load8_u (i32.const 68))))
        (else (i32.const 0))))
    (func (export "map-directory") (result i32)
      (call $directories (i32.const 64))
      (call $try (i32.load (i32.load (i32.const 64))) (i32.const 0))))
  (core instance $main (instantiate $main
    (with "libc" (instance $libc))
    (with "host" (instance
      (export "map" (func $map)) (export "directories" (func $directories))))))
  (func (export "map") (param "file" (own $descriptor)) (param "mode" u32) (result u32)
    (canon lift (core func $main "map")))
  (func (export "map-directory") (result u32) (canon lift (core func $main "map-directory"))))
