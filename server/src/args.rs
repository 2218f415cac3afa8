//! What may be set on the command line.

use clap::{Parser, ValueEnum};
use iommap::Limits;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

/// Serves HTTP by running a wasi:http/proxy component for each request.
///
/// The component sees nothing of this machine but the directories that --dir names, and those it
/// may only read: through WASI, and mapped through iommap:mmap. The server itself answers / (a
/// page), /metrics (for Prometheus) and /healthz; everything else is the component's.
#[derive(Debug, Parser)]
#[command(name = "iommap-server", version, args_override_self = true)]
pub(crate) struct Args {
    /// Where to listen; port 0 takes a free one. The address is printed on standard output
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// Let the component read the directory HOST, under the name GUEST. May be repeated
    #[arg(long = "dir", value_name = "HOST::GUEST", value_parser = directory)]
    pub(crate) dirs: Vec<(PathBuf, String)>,

    /// Keep a file mapped between requests, by the name that the component has for it. May be
    /// repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) keep_mapped: Vec<String>,

    /// Set an environment variable of the component. May be repeated
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,

    /// Limit what a request may map: mappings, mapped-bytes, call-bytes, … May be repeated
    #[arg(long = "limit", value_name = "NAME=NUMBER", value_parser = limit)]
    pub(crate) limits: Vec<(String, u64)>,

    /// How many requests may run at once, each in an instance of its own
    #[arg(long, value_name = "NUMBER", default_value = "64")]
    pub(crate) max_instances: NonZeroU32,

    /// How many more may wait for their turn; the next is answered 503 at once
    #[arg(long, value_name = "NUMBER", default_value = "1024")]
    pub(crate) max_waiting: u32,

    /// How many connections may be open; more wait to be accepted
    #[arg(long, value_name = "NUMBER", default_value = "4096")]
    pub(crate) max_connections: NonZeroU32,

    /// How much memory one request's instance may have, in MiB
    #[arg(long, value_name = "MIB", default_value = "64")]
    pub(crate) max_memory: NonZeroU32,

    /// How long a request may take, waiting for its turn included
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) request_time: Duration,

    /// How long requests may go on after SIGINT or SIGTERM; a second signal ends them at once
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) grace_time: Duration,

    /// Let calls that may wait for a device wait on other threads: for slow disks
    #[arg(long)]
    pub(crate) offload: bool,

    /// Threads that run requests [default: as many as the machine has processors]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// How the log on standard error is written; IOMMAP_LOG or RUST_LOG say what of it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// The component
    #[arg(value_name = "COMPONENT.wasm")]
    pub(crate) component: PathBuf,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Args {
    /// The limits of one request's mappings.
    pub(crate) fn iommap_limits(&self) -> Limits {
        let mut limits = Limits::default();
        for (name, value) in &self.limits {
            limits.set(name, *value);
        }
        limits
    }

    /// The limit of one request's memory, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        (self.max_memory.get() as usize) << 20
    }
}

fn directory(text: &str) -> Result<(PathBuf, String), String> {
    match text.split_once("::") {
        Some((host, guest)) if !host.is_empty() && !guest.is_empty() => {
            Ok((host.into(), guest.to_owned()))
        }
        _ => Err("write HOST::GUEST, as in /var/lib/geoip::/data".to_owned()),
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

fn limit(text: &str) -> Result<(String, u64), String> {
    let names = || Limits::NAMES.join(", ");
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("write NAME=NUMBER, where NAME is one of {}", names()))?;
    let value = value.parse().map_err(|_| format!("`{value}` is not a whole number"))?;
    if !Limits::default().set(name, value) {
        return Err(format!("there is no limit `{name}`: the limits are {}", names()));
    }
    Ok((name.to_owned(), value))
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|time| !time.is_zero() && *time <= Duration::from_secs(86_400))
        .ok_or_else(|| format!("`{text}` is not a number of seconds, from a moment to a day"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn given_grants_limits_and_variables_when_parsed_then_each_arrives_where_it_belongs() {
        let args = [
            "iommap-server",
            "--dir=/var/lib/geoip::/data",
            "--env=LOOKUP_VIA=wasi",
            "--limit=mappings=2",
            "--max-memory=8",
            "--request-time=0.5",
            "lookup.wasm",
        ];
        let args = Args::try_parse_from(args).unwrap();
        assert_eq!(args.dirs, [("/var/lib/geoip".into(), "/data".to_owned())]);
        assert_eq!(args.env, [("LOOKUP_VIA".to_owned(), "wasi".to_owned())]);
        assert_eq!(args.iommap_limits(), Limits { mappings: 2, ..Limits::default() });
        assert_eq!(args.memory_bytes(), 8 << 20);
        assert_eq!(args.request_time, Duration::from_millis(500));
    }

    #[test]
    fn given_mistakes_when_parsed_then_the_message_says_what_to_write() {
        for (argument, advice) in [
            ("--dir=/data", "HOST::GUEST"),
            ("--dir=::/data", "HOST::GUEST"),
            ("--env==1", "NAME=VALUE"),
            ("--limit=mapings=1", "mapped-bytes"),
            ("--limit=mappings=many", "`many`"),
            ("--request-time=0", "seconds"),
            ("--max-instances=0", "max-instances"),
        ] {
            let error = Args::try_parse_from(["iommap-server", argument, "x.wasm"]).unwrap_err();
            assert!(error.to_string().contains(advice), "{argument}: {error}");
        }
    }
}
