//! Tests that qemu-user can't run, with the reason for each. They run on x86-64.

/// The names of tests, and what qemu-user (7.2) lacks for them.
pub(super) const LEFT_OUT: &[(&str, &str)] = &[
    (
        "linux_has_the_copy_by_system_call_too",
        "no process_vm_readv, so the copy by system call is not there to be tested",
    ),
    (
        "a_thread_that_blocks_the_signal_is_not_protected",
        "a fault whose signal is blocked comes again for ever instead of killing",
    ),
    (
        "threads_that_install_at_once_are_all_guarded",
        "a signal sent to the process is lost when it finds a thread that ends: 6 of 40 runs, and \
         none of 60 without the emulator",
    ),
    (
        "given_a_small_range_when_willneed_is_advised_then_its_pages_are_read_in",
        "madvise does nothing but MADV_DONTNEED, and /proc/self/smaps has no numbers",
    ),
    (
        "given_a_shared_mapping_when_dontneed_is_advised_then_its_pages_go_from_memory",
        "/proc/self/smaps has no numbers",
    ),
    (
        "given_populate_when_opened_then_every_page_is_there_and_without_it_none",
        "/proc/self/smaps has no numbers",
    ),
    (
        "given_a_shared_region_when_one_says_dontneed_then_the_others_pages_stay_and_willneed_reads_in",
        "/proc/self/smaps has no numbers",
    ),
    (
        "given_a_mapping_that_is_alone_when_it_gives_hints_then_they_are_undone_when_others_come",
        "madvise does nothing but MADV_DONTNEED",
    ),
    (
        "given_hints_when_a_guest_gives_them_then_only_the_embedders_are_applied",
        "madvise does nothing but MADV_DONTNEED, and /proc/self/smaps has no numbers",
    ),
    (
        "given_hints_for_very_many_parts_when_given_then_the_address_space_is_not_cut_to_pieces",
        "madvise does nothing but MADV_DONTNEED",
    ),
    ("given_lock_and_truncate_or_size_when_opened_then_the_new_pages_are_locked", "no mlock2"),
    (
        "given_private_lock_and_truncate_when_opened_then_the_old_contents_are_not_to_be_seen",
        "no mlock2",
    ),
    (
        "given_a_kernel_that_refuses_when_lock_is_asked_then_enomem_and_the_world_is_as_it_was",
        "no mlock2",
    ),
    ("given_no_openat2_when_a_fifo_is_opened_then_it_is_the_same", "no seccomp"),
    (
        "given_no_openat2_when_paths_are_opened_then_they_are_held_inside_all_the_same",
        "no seccomp; and no openat2, so that the other tests of paths test just this",
    ),
    ("given_no_openat2_when_swapped_names_are_opened_then_it_is_the_same", "no seccomp"),
    (
        "given_no_address_space_when_truncated_then_enomem_and_the_old_mapping_serves",
        "RLIMIT_AS is not kept",
    ),
    (
        "given_no_address_space_when_opened_then_enomem_and_nothing_has_changed",
        "RLIMIT_AS is not kept",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::root;
    use std::fs;

    #[test]
    fn each_is_a_test_of_the_native_layer() {
        let mut sources = String::new();
        for entry in fs::read_dir(root().join("host/tests")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                sources += &fs::read_to_string(path).unwrap();
            }
        }
        for (name, _) in LEFT_OUT {
            assert_eq!(sources.matches(&format!("fn {name}()")).count(), 1, "{name}");
        }
    }
}
