//! What engines mount into every container: secrets of theirs, files of this machine's, and what the
//! kernel shows. A component is granted none of it, nor a volume that has it inside.

use super::bundle::below;
use super::place::Places;
use super::volumes::Volume;
use anyhow::{Result, bail};

/// Below these an engine mounts what programs expect. A component needs none of it.
const ENGINES: &[&str] = &[
    "/dev",
    "/proc",
    "/sys",
    "/etc",
    "/run/secrets",
    "/var/run/secrets",
    "/run/.containerenv",
    "/sbin/docker-init",
];

/// Of these, what is no secret to a container, and what a native program in it may read as well: its own
/// name, and an init.
const PUBLIC: [&str; 2] = ["/run/.containerenv", "/sbin/docker-init"];

/// What Kubernetes mounts unless it is told not to: a key to its API. The second name is what the
/// first one leads to in most images.
pub(crate) const TOKEN: [&str; 2] =
    ["/var/run/secrets/kubernetes.io/serviceaccount", "/run/secrets/kubernetes.io/serviceaccount"];

pub(crate) fn is_engines(at: &str) -> bool {
    ENGINES.iter().any(|dir| below(at, dir).is_some())
}

/// Is it in what the kernel shows, wherever that is mounted? Links in there lead anywhere.
pub(crate) fn is_kernels(places: &Places<'_>, at: &str) -> bool {
    places.mounts().any(|placed| placed.mount.is_kernels() && below(at, &placed.at).is_some())
}

/// A volume that something of the engine's is mounted in would grant that as well; and so would one that it
/// is mounted over.
pub(crate) fn check(places: &Places<'_>, volumes: &[Volume]) -> Result<()> {
    for engines in places.mounts() {
        let (destination, at) = (&*engines.mount.destination, &*engines.at);
        let is_token = TOKEN.contains(&destination) || TOKEN.contains(&at);
        if !is_token && !is_engines(destination) {
            continue;
        }
        let names: &[&str] = if is_token { &[at, TOKEN[0], TOKEN[1]] } else { &[at, destination] };
        // Somebody mounted a volume where the engine adds a file for every program. But where a link of the
        // image put one into the other, it is not what was asked for.
        let is_public = PUBLIC.contains(&destination) && at == destination;
        let covers = |volume: &&Volume| {
            // What the image put below it, the name of the volume leads into once all is mounted.
            let is_below = volume.at != at && below(&volume.at, at).is_some();
            let is_asked_for = is_public && volume.at == volume.destination;
            is_below || !is_asked_for && names.iter().any(|at| below(at, &volume.at).is_some())
        };
        let Some(volume) = volumes.iter().find(covers) else { continue };
        if is_token {
            bail!(
                "the volume at {} has Kubernetes's token for its API in it: set \
                 automountServiceAccountToken to false, or mount the volume at another place",
                volume.destination
            );
        }
        bail!(
            "the volume at {} lies around or in what the engine mounts at {destination}, which would be \
             granted with it: mount the volume at another place",
            volume.destination
        );
    }
    Ok(())
}
