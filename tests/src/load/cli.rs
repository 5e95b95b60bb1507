//! `simhost load`: what `cargo xtask load` runs.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use super::{Plan, run};

pub const NAME: &str = "load";

#[derive(Debug, Parser)]
#[command(name = NAME)]
struct Args {
    #[arg(long)]
    vms: usize,
    #[arg(long)]
    minutes: f64,
    #[arg(long)]
    seed: u64,
    /// How many VMs have something happen to them at a time
    #[arg(long)]
    width: usize,
    /// The manifests to import
    manifests: Vec<PathBuf>,
}

/// How often something happens to the whole host.
const DISASTER_EVERY: f64 = 2.5;

pub fn main(args: &[OsString]) -> ExitCode {
    let args = Args::parse_from(args);
    let manifests: Result<Vec<String>, _> = args.manifests.iter().map(fs::read_to_string).collect();
    let manifests = match manifests {
        Ok(manifests) => manifests,
        Err(error) => {
            eprintln!("load: cannot read the manifests: {error}");
            return ExitCode::FAILURE;
        }
    };
    let plan = Plan {
        vms: args.vms,
        time: Duration::from_secs_f64(args.minutes * 60.0),
        seed: args.seed,
        width: args.width,
        disasters: (args.minutes / DISASTER_EVERY).round() as u32,
    };
    match run(&plan, &manifests, &mut |line| println!("{line}")) {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(violation) => {
            println!("VIOLATION, {violation}");
            ExitCode::FAILURE
        }
    }
}
