//! What may be set on the command line.

use crate::values::{self, Limit};
use clap::{Parser, ValueEnum};
use iommap::Limits;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

const LIMITS: &str = "\
Limit what a request may map. May be repeated

VALUE may end in K, M, G or T (powers of 1024). The limits, and what they are if not set:

  mappings      64   mappings open at once
  mapped-bytes  64G  mapped at once, by all mappings together
  file-bytes    64G  the length to which a file may be created or grown: nothing may be, here
  call-bytes    64M  moved by one call
  locked-bytes  0    locked in memory at once: nothing may be, unless this is set";

/// Serves HTTP by running a wasi:http/proxy component for each request.
///
/// The component sees nothing of this machine but the directories that --dir names, and those it
/// may only read: through WASI, and mapped through iommap:mmap. The server itself answers / (a
/// page), /history (its numbers), /metrics (for Prometheus), /healthz (does it live?) and /readyz
/// (has it its files?); everything else is the component's.
///
/// Times are written as 5s, 250ms or 1m 30s, or as a plain number of seconds.
#[derive(Debug, Parser)]
#[command(name = "iommap-server", version, args_override_self = true)]
pub(crate) struct Args {
    /// Where to listen; port 0 takes a free one. The address is printed on standard output
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// Ask the server that listens there whether it is ready, and end with 0 if so, else with 1
    #[arg(long)]
    pub(crate) check: bool,

    /// Let the component read the directory HOST, under the name GUEST. May be repeated
    ///
    /// A HOST that is a link, or has one in it, is followed anew for each request: a request that
    /// begins after the link was pointed elsewhere sees the new directory, through WASI and mapped,
    /// and one that runs goes on with the old.
    #[arg(long = "dir", value_name = "HOST::GUEST", value_parser = values::directory)]
    pub(crate) dirs: Vec<(PathBuf, String)>,

    /// Keep a file mapped between requests, and be ready only while it is there, by the name that
    /// the component has for it. May be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) keep_mapped: Vec<String>,

    /// Set an environment variable of the component. May be repeated
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = values::variable)]
    pub(crate) env: Vec<(String, String)>,

    /// Limit what a request may map: see --help for the names. May be repeated
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = Limit::parse, long_help = LIMITS)]
    pub(crate) limits: Vec<Limit>,

    /// How many requests may run at once, each in an instance and on a thread of its own
    #[arg(long, value_name = "NUMBER", default_value = "64")]
    pub(crate) max_instances: NonZeroU32,

    /// How many more may wait for their turn; the next is answered 503 at once
    #[arg(long, value_name = "NUMBER", default_value = "1024")]
    pub(crate) max_waiting: u32,

    /// How many requests may hang past their time, on a file that doesn't answer, and take no
    /// place from others
    #[arg(long, value_name = "NUMBER", default_value = "256")]
    pub(crate) max_hung: u32,

    /// How many connections may be open; more wait to be accepted
    #[arg(long, value_name = "NUMBER", default_value = "4096")]
    pub(crate) max_connections: NonZeroU32,

    /// How much memory one request's instance may have
    #[arg(long, value_name = "BYTES", default_value = "64M", value_parser = values::memory)]
    pub(crate) max_memory: usize,

    /// How long a request may take, waiting for its turn included
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = values::time)]
    pub(crate) request_time: Duration,

    /// How long to go on accepting after SIGINT or SIGTERM, while /readyz says 503 already: time
    /// for a load balancer to look elsewhere
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = values::time_or_none)]
    pub(crate) drain_time: Duration,

    /// How long requests may go on after that; a second signal ends them at once
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::time)]
    pub(crate) grace_time: Duration,

    /// Threads that serve connections [default: as many as the machine has processors]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// How the log on standard error is written; IOMMAP_LOG or RUST_LOG say what of it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// The component
    #[arg(value_name = "COMPONENT.wasm", required_unless_present = "check")]
    component: Option<PathBuf>,
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
    /// The component's file.
    pub(crate) fn component(&self) -> PathBuf {
        self.component.clone().unwrap_or_default()
    }

    /// The limits of one request's mappings.
    pub(crate) fn iommap_limits(&self) -> Limits {
        let mut limits = Limits::default();
        self.limits.iter().for_each(|limit| limit.apply(&mut limits));
        limits
    }

    /// How many instances there may be, those of requests that hang included.
    pub(crate) fn all_instances(&self) -> u32 {
        self.max_instances.get().saturating_add(self.max_hung)
    }
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
    fn options_arrive_where_they_belong() {
        let args = [
            "iommap-server",
            "--dir=/var/lib/geoip::/data",
            "--env=LOOKUP_VIA=wasi",
            "--limit=mappings=2",
            "--limit=mapped-bytes=64G",
            "--max-memory=8M",
            "--request-time=500ms",
            "lookup.wasm",
        ];
        let args = Args::try_parse_from(args).unwrap();
        assert_eq!(args.dirs, [("/var/lib/geoip".into(), "/data".to_owned())]);
        assert_eq!(args.env, [("LOOKUP_VIA".to_owned(), "wasi".to_owned())]);
        assert_eq!(args.iommap_limits().mappings, 2);
        assert_eq!(args.iommap_limits().mapped_bytes, 64 << 30);
        assert_eq!(args.max_memory, 8 << 20);
        assert_eq!(args.request_time, Duration::from_millis(500));
        assert_eq!(args.component(), PathBuf::from("lookup.wasm"));
    }

    #[test]
    fn a_check_needs_no_component() {
        assert!(Args::try_parse_from(["iommap-server", "--check"]).unwrap().check);
        assert!(Args::try_parse_from(["iommap-server"]).is_err());
    }

    #[test]
    fn a_mistake_is_told_what_to_write() {
        for (argument, advice) in [
            ("--dir=/data", "HOST::GUEST"),
            ("--dir=::/data", "HOST::GUEST"),
            ("--env==1", "NAME=VALUE"),
            ("--limit=mapings=1", "did you mean `mappings`"),
            ("--limit=mappings=many", "`many`"),
            ("--request-time=0", "5s"),
            ("--max-memory=64", "64M"),
            ("--max-instances=0", "max-instances"),
            ("--max-instence=1", "a similar argument exists: '--max-instances'"),
        ] {
            let error = Args::try_parse_from(["iommap-server", argument, "x.wasm"]).unwrap_err();
            assert!(error.to_string().contains(advice), "{argument}: {error}");
        }
    }
}
