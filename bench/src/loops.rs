//! The boundary guest's text: `guest.wat` with its loops.
//!
//! A loop is one export. It does `count` operations of `size` bytes, each at an offset that it
//! makes itself, and returns the state of its generator, which `offsets.rs` makes likewise.

use crate::guest::name;
use clap::ValueEnum;

/// How many ranges one batched call has.
pub(crate) const BATCH: u32 = 64;

/// One loop: an operation, done many times. Its export has its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Loop {
    Empty,
    Borrowed,
    Pread,
    PreadMany,
    Pwrite,
    PwriteMany,
    WasiRead,
    WasiWrite,
    Sync,
    WasiSync,
    Open,
    WasiOpen,
}

impl Loop {
    /// One operation at `$offset`.
    fn body(self) -> String {
        match self {
            Loop::Empty => "(call $empty)".into(),
            Loop::Borrowed => "(call $touch (global.get $thing))".into(),
            Loop::Pread => "
                (global.set $heap (i32.const 65536))
                (call $pread (global.get $mapping) (local.get $offset)
                  (i64.extend_i32_u (local.get $size)) (i32.const 16))
                (call $check)"
                .into(),
            Loop::PreadMany => format!(
                "{}
                (global.set $heap (i32.const 65536))
                (call $pread-many (global.get $mapping) (i32.const 1024) (i32.const {BATCH})
                  (i32.const 16))
                (call $check)",
                ranges()
            ),
            Loop::Pwrite => "
                (call $pwrite (global.get $mapping) (local.get $offset)
                  (i32.const 65536) (local.get $size) (i32.const 16))
                (call $check)"
                .into(),
            Loop::PwriteMany => format!(
                "{}
                (call $pwrite-many (global.get $mapping) (i32.const 1024) (i32.const {BATCH})
                  (i32.const 65536) (i32.mul (local.get $size) (i32.const {BATCH})) (i32.const 16))
                (call $check)",
                ranges()
            ),
            // A call may read less than it was asked for. The pieces arrive one behind the other.
            Loop::WasiRead => "
                (global.set $heap (i32.const 65536))
                (local.set $done (i32.const 0))
                (loop $more
                  (call $read (global.get $file)
                    (i64.extend_i32_u (i32.sub (local.get $size) (local.get $done)))
                    (i64.add (local.get $offset) (i64.extend_i32_u (local.get $done)))
                    (i32.const 16))
                  (call $check)
                  (local.set $done (i32.add (local.get $done) (i32.load (i32.const 24))))
                  (br_if $more (i32.lt_u (local.get $done) (local.get $size))))
                (i32.store (i32.const 20) (i32.const 65536))
                (i32.store (i32.const 24) (local.get $size))"
                .into(),
            Loop::WasiWrite => wasi_write("(local.get $size)"),
            Loop::Sync => "
                (call $pwrite (global.get $mapping) (local.get $offset)
                  (i32.const 65536) (local.get $size) (i32.const 16))
                (call $check)
                (call $sync (global.get $mapping) (local.get $offset)
                  (i64.extend_i32_u (local.get $size)) (i32.const 0) (i32.const 16))
                (call $check)"
                .into(),
            Loop::WasiSync => format!(
                "{}
                (call $sync-data (global.get $file) (i32.const 16))
                (call $check)",
                wasi_write("(local.get $size)")
            ),
            // Mode `read`, no options, no size.
            Loop::Open => "
                (call $open (i32.const 512) (i32.const 11) (i32.const 0) (i32.const 0)
                  (i32.const 0) (i64.const 0) (i32.const 16))
                (call $check)
                (call $drop-mapping (i32.load (i32.const 20)))"
                .into(),
            // The name without its directory; no flags; for reading.
            Loop::WasiOpen => "
                (call $open-at (global.get $directory) (i32.const 0) (i32.const 519) (i32.const 4)
                  (i32.const 0) (i32.const 1) (i32.const 16))
                (call $check)
                (call $drop-descriptor (i32.load (i32.const 20)))"
                .into(),
        }
    }

    /// How many offsets one operation takes.
    fn makes_its_own_offsets(self) -> bool {
        matches!(self, Loop::PreadMany | Loop::PwriteMany)
    }
}

/// Makes the next offset: xorshift, or a step for a sequence. As `offsets::next`.
const NEXT: &str = "
    (if (i64.eqz (local.get $step))
      (then
        (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 13))))
        (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 7))))
        (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 17)))))
      (else (local.set $x (i64.add (local.get $x) (local.get $step)))))
    (local.set $offset (i64.and (local.get $x) (local.get $mask)))";

/// Makes the list of ranges for one batched call.
fn ranges() -> String {
    format!(
        "(local.set $range (i32.const 1024))
        (loop $ranges
          {NEXT}
          (i64.store (local.get $range) (local.get $offset))
          (i64.store offset=8 (local.get $range) (i64.extend_i32_u (local.get $size)))
          (local.set $range (i32.add (local.get $range) (i32.const 16)))
          (br_if $ranges (i32.lt_u (local.get $range) (i32.const {}))))",
        1024 + 16 * BATCH
    )
}

/// A call may write less than it was given.
fn wasi_write(size: &str) -> String {
    format!(
        "(local.set $done (i32.const 0))
        (loop $more
          (call $write (global.get $file)
            (i32.add (i32.const 65536) (local.get $done))
            (i32.sub {size} (local.get $done))
            (i64.add (local.get $offset) (i64.extend_i32_u (local.get $done)))
            (i32.const 16))
          (call $check)
          (local.set $done (i32.add (local.get $done) (i32.load (i32.const 24))))
          (br_if $more (i32.lt_u (local.get $done) {size})))"
    )
}

/// The component.
pub(crate) fn component() -> wat::Result<Vec<u8>> {
    let (mut loops, mut lifts) = (String::new(), String::new());
    for each in Loop::value_variants() {
        let name = name(each);
        let next = if each.makes_its_own_offsets() { "" } else { NEXT };
        loops += &format!(
            "(func (export \"{name}\")
              (param $count i32) (param $size i32) (param $mask i64) (param $step i64) (param $x i64)
              (result i64)
              (local $offset i64) (local $done i32) (local $range i32)
              (loop $again
                {next}
                {}
                (br_if $again
                  (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
              (local.get $x))\n",
            each.body()
        );
        lifts += &format!(
            "(func (export \"{name}\")
              (param \"count\" u32) (param \"size\" u32) (param \"mask\" u64) (param \"step\" u64)
              (param \"seed\" u64) (result u64)
              (canon lift (core func $main \"{name}\")))\n"
        );
    }
    wat::parse_str(include_str!("guest.wat").replace("@loops@", &loops).replace("@lifts@", &lifts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guest_is_a_component() {
        let engine = wasmtime::Engine::default();
        let guest = wasmtime::component::Component::new(&engine, component().unwrap()).unwrap();
        for each in Loop::value_variants() {
            assert_eq!(Loop::value_variants()[*each as usize], *each);
            assert!(guest.get_export_index(None, name(each)).is_some(), "{each:?}");
        }
    }
}
