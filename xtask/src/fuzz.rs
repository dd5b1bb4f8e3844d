//! `cargo xtask fuzz`

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use devstack::workspace;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::{cargo, step, tool};

/// The version that the corpus was made with.
const CARGO_FUZZ: &str = "0.13.2";
/// Longest input that is made, in bytes.
const LONGEST: &str = "-max_len=4096";
/// Seconds after which one input is taken for harm.
const SLOWEST: &str = "-timeout=10";

/// How often it is told that something new was found.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Fuzzes what the webhook server reads.
#[derive(Debug, clap::Args)]
pub struct Fuzz {
    /// What to fuzz: names of webhook/fuzz/fuzz_targets; all of them if none is given
    targets: Vec<String>,

    /// Minutes without new coverage after which a target is done
    #[arg(long, default_value_t = 15.0)]
    quiet_minutes: f64,

    /// Targets at once
    #[arg(long, default_value_t = 2)]
    jobs: usize,
}

impl Fuzz {
    /// Fuzzes each target until it finds nothing new, and keeps in the corpus what covers more than the rest of it.
    pub async fn run(self) -> anyhow::Result<()> {
        let targets = if self.targets.is_empty() { all_targets()? } else { self.targets };
        build(&tool::installed("cargo-fuzz", CARGO_FUZZ)?)?;
        let quiet = Duration::from_secs_f64(self.quiet_minutes * 60.0);
        let places = Arc::new(Semaphore::new(self.jobs.max(1)));
        let mut running = JoinSet::new();
        for target in targets {
            let places = places.clone();
            running.spawn(async move {
                let _place = places.acquire().await?;
                Target::named(&target)?.fuzz(quiet).await
            });
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Ok(())
    }
}

fn all_targets() -> anyhow::Result<Vec<String>> {
    let folder = workspace::root().join("webhook/fuzz/fuzz_targets");
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let name = entry?.path().file_stem().map(|name| name.to_string_lossy().into_owned());
        targets.extend(name);
    }
    targets.sort();
    Ok(targets)
}

/// Where the fuzzers are built, and where they keep what they find.
fn built() -> PathBuf {
    workspace::root().join("target/fuzz")
}

fn build(cargo_fuzz: &Path) -> anyhow::Result<()> {
    step::announced("Build the fuzzers", || {
        let mut build = std::process::Command::new(cargo_fuzz);
        // Nothing of ours is unsafe, so that no sanitizer is needed. The flags of coverage are not stable.
        build.args(["build", "--fuzz-dir", "fuzz", "--sanitizer", "none", "--target-dir"]);
        build.arg(built()).env("RUSTC_BOOTSTRAP", "1").current_dir(workspace::root());
        cargo::run(&mut build)
    })
}

struct Target {
    name: String,
    program: PathBuf,
    corpus: PathBuf,
    found: PathBuf,
    harmful: PathBuf,
}

impl Target {
    fn named(name: &str) -> anyhow::Result<Self> {
        let root = workspace::root();
        let target = Self {
            name: name.to_owned(),
            program: built()
                .join(format!("{}-unknown-linux-gnu/release", std::env::consts::ARCH))
                .join(name),
            corpus: root.join("webhook/fuzz/corpus").join(name),
            found: built().join("found").join(name),
            harmful: root.join("webhook/fuzz/artifacts").join(name),
        };
        if !target.program.exists() {
            bail!(
                "there is no target {name}; the targets are the files of webhook/fuzz/fuzz_targets"
            );
        }
        for folder in [&target.corpus, &target.found, &target.harmful] {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("making {}", folder.display()))?;
        }
        Ok(target)
    }

    async fn fuzz(self, quiet: Duration) -> anyhow::Result<()> {
        let mut fuzzer = Command::new(&self.program)
            .args([&self.found, &self.corpus])
            .arg(format!("-artifact_prefix={}/", self.harmful.display()))
            .args([LONGEST, SLOWEST])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("running {}", self.program.display()))?;
        let printed = fuzzer.stderr.take().context("the fuzzer has a standard error")?;
        let mut lines = BufReader::new(printed).lines();
        let (began, mut coverage, mut last) = (Instant::now(), 0, String::new());
        let mut until = began + quiet;
        let mut told = began;
        loop {
            let line = match timeout_at(until, lines.next_line()).await {
                Err(_) => break,
                Ok(line) => line?,
            };
            let Some(line) = line else {
                bail!(
                    "{} ended: {last}; the input is in {}. Mend it, and keep the input in {}",
                    self.name,
                    self.harmful.display(),
                    self.corpus.display()
                );
            };
            if let Some(covered) = covered(&line).filter(|covered| *covered > coverage) {
                coverage = covered;
                let now = Instant::now();
                until = now + quiet;
                if now >= told {
                    step::progress(&format!("{}: {line}", self.name));
                    told = now + TELL_EVERY;
                }
            }
            if !line.trim().is_empty() {
                last = line;
            }
        }
        fuzzer.kill().await?;
        let minutes = began.elapsed().as_secs_f64() / 60.0;
        let name = &self.name;
        step::progress(&format!(
            "{name}: nothing new for {:.0} of {minutes:.0} minutes; coverage {coverage}; {last}",
            quiet.as_secs_f64() / 60.0
        ));
        self.keep().await
    }

    /// Adds to the corpus what covers more than it does.
    async fn keep(&self) -> anyhow::Result<()> {
        let merged = Command::new(&self.program)
            .arg("-set_cover_merge=1")
            .args([&self.corpus, &self.found])
            .args([LONGEST, SLOWEST])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .await?;
        if !merged.success() {
            bail!("what {} found could not be kept ({merged})", self.name);
        }
        Ok(())
    }
}

/// The coverage that a line of libFuzzer tells.
fn covered(line: &str) -> Option<u64> {
    let rest = line.split_once("cov: ")?.1;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_is_read_from_what_the_fuzzer_prints() {
        let line = "#1024\tNEW    cov: 412 ft: 890 corp: 33/2Kb lim: 21 exec/s: 0 rss: 45Mb";
        assert_eq!(covered(line), Some(412));
        assert_eq!(covered("INFO: Running with entropic power schedule"), None);
    }
}
