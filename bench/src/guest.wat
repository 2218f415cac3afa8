;; The boundary guest: no language between the loop and the host. Memory comes from a bump
;; allocator that every operation resets, so what is measured is the call.
;;
;; `loops.rs` puts the loops in, and exports them.
;;
;; Memory: from 16 what a call returns, from 512 a path, from 1024 a list of 64 ranges, and from
;; 65536 the heap, where what is read arrives and what is written was put by `poke`.
(component
  (import "bench:host/calls" (instance $calls
    (export "thing" (type $thing (sub resource)))
    (export "empty" (func))
    (export "[method]thing.touch" (func (param "self" (borrow $thing))))
  ))
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
    (type $waits (enum "sync" "async"))
    (export "sync-mode" (type $sync-mode (eq $waits)))
    (export "[static]mapping.open" (func
      (param "path" string) (param "mode" $access-mode) (param "options" $open-flags)
      (param "size" (option u64)) (result (result (own $mapping) (error $error-code)))))
    (export "[method]mapping.pread" (func
      (param "self" (borrow $mapping)) (param "offset" u64) (param "length" u64)
      (result (result (list u8) (error $error-code)))))
    (export "[method]mapping.pwrite" (func
      (param "self" (borrow $mapping)) (param "offset" u64) (param "data" (list u8))
      (result (result (error $error-code)))))
    (export "[method]mapping.sync-range" (func
      (param "self" (borrow $mapping)) (param "offset" u64) (param "length" u64)
      (param "mode" $sync-mode) (result (result (error $error-code)))))
  ))
  (alias export $types "mapping" (type $mapping))
  (alias export $types "error-code" (type $error-code))
  (import "iommap:mmap/batch@0.1.0" (instance $batch
    (alias outer 1 $mapping (type $outer-mapping))
    (export "mapping" (type $mapping (eq $outer-mapping)))
    (alias outer 1 $error-code (type $outer-error-code))
    (export "error-code" (type $error-code (eq $outer-error-code)))
    (type $words (record (field "offset" u64) (field "length" u64)))
    (export "range" (type $range (eq $words)))
    (export "pread-many" (func
      (param "source" (borrow $mapping)) (param "ranges" (list $range))
      (result (result (list u8) (error $error-code)))))
    (export "pwrite-many" (func
      (param "target" (borrow $mapping)) (param "ranges" (list $range)) (param "data" (list u8))
      (result (result (error $error-code)))))
  ))
  (import "wasi:filesystem/types@0.2.12" (instance $files
    (export "descriptor" (type $descriptor (sub resource)))
    (type $codes (enum
      "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota" "exist"
      "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io"
      "is-directory" "loop" "too-many-links" "message-size" "name-too-long" "no-device" "no-entry"
      "no-lock" "insufficient-memory" "insufficient-space" "not-directory" "not-empty"
      "not-recoverable" "unsupported" "no-tty" "no-such-device" "overflow" "not-permitted" "pipe"
      "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $error-code (eq $codes)))
    (type $follow (flags "symlink-follow"))
    (export "path-flags" (type $path-flags (eq $follow)))
    (type $options (flags "create" "directory" "exclusive" "truncate"))
    (export "open-flags" (type $open-flags (eq $options)))
    (type $rights (flags
      "read" "write" "file-integrity-sync" "data-integrity-sync" "requested-write-sync"
      "mutate-directory"))
    (export "descriptor-flags" (type $descriptor-flags (eq $rights)))
    (export "[method]descriptor.read" (func
      (param "self" (borrow $descriptor)) (param "length" u64) (param "offset" u64)
      (result (result (tuple (list u8) bool) (error $error-code)))))
    (export "[method]descriptor.write" (func
      (param "self" (borrow $descriptor)) (param "buffer" (list u8)) (param "offset" u64)
      (result (result u64 (error $error-code)))))
    (export "[method]descriptor.sync-data" (func
      (param "self" (borrow $descriptor)) (result (result (error $error-code)))))
    (export "[method]descriptor.open-at" (func
      (param "self" (borrow $descriptor)) (param "path-flags" $path-flags) (param "path" string)
      (param "open-flags" $open-flags) (param "flags" $descriptor-flags)
      (result (result (own $descriptor) (error $error-code)))))
  ))
  (alias export $calls "thing" (type $thing))
  (alias export $files "descriptor" (type $descriptor))

  (core module $Memory
    (memory (export "memory") 256)
    (global $heap (export "heap") (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
      (local $start i32)
      (local.set $start (i32.and
        (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
      (global.set $heap (i32.add (local.get $start) (local.get $size)))
      (local.get $start)))
  (core instance $mem (instantiate $Memory))
  (alias core export $mem "memory" (core memory $memory))
  (alias core export $mem "realloc" (core func $realloc))

  (core func $empty (canon lower (func $calls "empty")))
  (core func $touch (canon lower (func $calls "[method]thing.touch")))
  (core func $open (canon lower (func $types "[static]mapping.open") (memory $memory) (realloc $realloc)))
  (core func $pread (canon lower (func $types "[method]mapping.pread") (memory $memory) (realloc $realloc)))
  (core func $pwrite (canon lower (func $types "[method]mapping.pwrite") (memory $memory) (realloc $realloc)))
  (core func $sync (canon lower (func $types "[method]mapping.sync-range") (memory $memory) (realloc $realloc)))
  (core func $pread-many (canon lower (func $batch "pread-many") (memory $memory) (realloc $realloc)))
  (core func $pwrite-many (canon lower (func $batch "pwrite-many") (memory $memory) (realloc $realloc)))
  (core func $read (canon lower (func $files "[method]descriptor.read") (memory $memory) (realloc $realloc)))
  (core func $write (canon lower (func $files "[method]descriptor.write") (memory $memory)))
  (core func $sync-data (canon lower (func $files "[method]descriptor.sync-data") (memory $memory)))
  (core func $open-at (canon lower (func $files "[method]descriptor.open-at") (memory $memory)))
  (core func $drop-mapping (canon resource.drop $mapping))
  (core func $drop-descriptor (canon resource.drop $descriptor))

  (core module $Main
    (import "mem" "memory" (memory 256))
    (import "mem" "heap" (global $heap (mut i32)))
    (import "host" "empty" (func $empty))
    (import "host" "touch" (func $touch (param i32)))
    (import "host" "open" (func $open (param i32 i32 i32 i32 i32 i64 i32)))
    (import "host" "pread" (func $pread (param i32 i64 i64 i32)))
    (import "host" "pwrite" (func $pwrite (param i32 i64 i32 i32 i32)))
    (import "host" "sync" (func $sync (param i32 i64 i64 i32 i32)))
    (import "host" "pread-many" (func $pread-many (param i32 i32 i32 i32)))
    (import "host" "pwrite-many" (func $pwrite-many (param i32 i32 i32 i32 i32 i32)))
    (import "host" "read" (func $read (param i32 i64 i64 i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i64 i32)))
    (import "host" "sync-data" (func $sync-data (param i32 i32)))
    (import "host" "open-at" (func $open-at (param i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "drop-mapping" (func $drop-mapping (param i32)))
    (import "host" "drop-descriptor" (func $drop-descriptor (param i32)))

    (global $thing (mut i32) (i32.const 0))
    (global $mapping (mut i32) (i32.const 0))
    (global $file (mut i32) (i32.const 0))
    (global $directory (mut i32) (i32.const 0))
    (data (i32.const 512) "/bench/data")

    ;; Takes what the host made for it.
    (func (export "attach") (param i32 i32 i32 i32)
      (global.set $thing (local.get 0))
      (global.set $mapping (local.get 1))
      (global.set $file (local.get 2))
      (global.set $directory (local.get 3)))
    ;; What the last operation read. Every call that reads returns the list at the same place.
    (func (export "peek") (result i32) (i32.const 20))
    ;; What the next operations write: it arrives at the heap's start and stays there.
    (func (export "poke") (param i32 i32)
      (if (i32.ne (local.get 0) (i32.const 65536)) (then (unreachable)))
      (global.set $heap (i32.const 65536)))
    ;; Forgets what was allocated.
    (func (export "reset") (global.set $heap (i32.const 65536)))
    ;; Traps if the last call failed.
    (func $check (if (i32.load8_u (i32.const 16)) (then (unreachable))))
@loops@
  )
  (core instance $main (instantiate $Main
    (with "mem" (instance $mem))
    (with "host" (instance
      (export "empty" (func $empty))
      (export "touch" (func $touch))
      (export "open" (func $open))
      (export "pread" (func $pread))
      (export "pwrite" (func $pwrite))
      (export "sync" (func $sync))
      (export "pread-many" (func $pread-many))
      (export "pwrite-many" (func $pwrite-many))
      (export "read" (func $read))
      (export "write" (func $write))
      (export "sync-data" (func $sync-data))
      (export "open-at" (func $open-at))
      (export "drop-mapping" (func $drop-mapping))
      (export "drop-descriptor" (func $drop-descriptor))))))

  (func (export "attach")
    (param "thing" (own $thing)) (param "mapping" (own $mapping))
    (param "file" (own $descriptor)) (param "directory" (own $descriptor))
    (canon lift (core func $main "attach")))
  (func (export "peek") (result (list u8))
    (canon lift (core func $main "peek") (memory $memory)))
  (func (export "poke") (param "data" (list u8))
    (canon lift (core func $main "poke") (memory $memory) (realloc $realloc)))
  (func (export "reset") (canon lift (core func $main "reset")))
@lifts@
)
