//! Who is told by the system that a file may have changed, so that nobody has to look all the time.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::Watch;
#[cfg(target_os = "linux")]
pub(super) use linux::Watch;
