//! How many pages were lost in windows.

use iommap::Usage;

/// Pages that became zeros so far in the windows of this process's only store.
///
/// The usage counts those of a window that is there when the window ends. It doesn't where a component
/// is ended that computes, or waits in a call. So the guard is asked, which counts each at once.
#[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
pub(crate) fn in_windows(_: &Usage) -> u64 {
    iommap::guard::watch::faults_covered()
}

/// None: there are no windows on this system.
#[cfg(not(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64"))))]
pub(crate) fn in_windows(usage: &Usage) -> u64 {
    usage.counters().window_faults
}
