//! `cargo xtask fuzz`

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use devstack::workspace;

use crate::{cargo, step, tool};

const CARGO_FUZZ: &str = "0.13.2";

/// Fuzzes what people and senders write: webhooks, files, scripts, addresses.
#[derive(Debug, clap::Args)]
pub struct Fuzz {
    /// Names of files in webhook/fuzz/fuzz_targets; all of them if none is given
    targets: Vec<String>,

    /// A target is done when it covers nothing new for this many minutes
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..))]
    quiet_minutes: u64,

    /// Processes that fuzz one target
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
}

impl Fuzz {
    /// Fuzzes one target after the other and saves its minimised corpus.
    pub fn run(self) -> anyhow::Result<()> {
        let cargo_fuzz = tool::installed("cargo-fuzz", CARGO_FUZZ)?;
        let targets = if self.targets.is_empty() { all_targets()? } else { self.targets };
        for name in targets {
            let target = Target::new(&cargo_fuzz, name);
            target.unpack_corpus()?;
            step::announced(&format!("Build {}", target.name), || {
                cargo::run(&mut target.cargo_fuzz("build"))
            })?;
            target.fuzz(self.quiet_minutes * 60, self.jobs)?;
            step::announced(&format!("Minimise the corpus of {}", target.name), || {
                cargo::run(target.cargo_fuzz("cmin").arg(&target.corpus_dir))
            })?;
            target.pack_corpus()?;
        }
        Ok(())
    }
}

fn all_targets() -> anyhow::Result<Vec<String>> {
    let dir = workspace::root().join("webhook/fuzz/fuzz_targets");
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(&dir).with_context(|| dir.display().to_string())? {
        let name = entry?.path().file_stem().map(|name| name.to_string_lossy().into_owned());
        targets.extend(name);
    }
    targets.sort();
    Ok(targets)
}

struct Target<'p> {
    cargo_fuzz: &'p Path,
    name: String,
    /// The committed corpus: one input per line in base64, sorted.
    corpus_file: PathBuf,
    /// The same corpus as files, as libFuzzer reads and extends it.
    corpus_dir: PathBuf,
}

impl<'p> Target<'p> {
    fn new(cargo_fuzz: &'p Path, name: String) -> Self {
        let root = workspace::root();
        let corpus_file = root.join("webhook/fuzz/corpus").join(format!("{name}.txt"));
        let corpus_dir = root.join("target/fuzz/corpus").join(&name);
        Self { cargo_fuzz, name, corpus_file, corpus_dir }
    }

    fn cargo_fuzz(&self, task: &str) -> Command {
        let mut command = Command::new(self.cargo_fuzz);
        // The code has no `unsafe`, so no sanitizer is needed. Coverage needs unstable flags.
        command.args([task, "--fuzz-dir", "webhook/fuzz", "--sanitizer", "none"]);
        command.args(["--target-dir", "target/fuzz", &self.name]);
        command.env("RUSTC_BOOTSTRAP", "1").current_dir(workspace::root());
        command
    }

    /// Runs rounds of `round_secs` until one reaches no higher coverage than the round before.
    fn fuzz(&self, round_secs: u64, jobs: u16) -> anyhow::Result<()> {
        let mut coverage = 0;
        loop {
            let mut round = self.cargo_fuzz("run");
            round.arg(&self.corpus_dir).arg(format!("--jobs={jobs}"));
            round.args(["--", "-max_len=4096", "-timeout=10"]);
            let reached = run_round(round.arg(format!("-max_total_time={round_secs}")))
                .with_context(|| {
                    format!("add the failing input to {}", self.corpus_file.display())
                })?;
            step::progress(&format!("{}: coverage {reached}", self.name));
            if reached <= coverage {
                return Ok(());
            }
            coverage = reached;
        }
    }

    fn unpack_corpus(&self) -> anyhow::Result<()> {
        let packed = std::fs::read_to_string(&self.corpus_file)
            .with_context(|| format!("reading {}", self.corpus_file.display()))?;
        std::fs::create_dir_all(&self.corpus_dir)?;
        for (index, line) in packed.lines().enumerate() {
            std::fs::write(self.corpus_dir.join(index.to_string()), STANDARD.decode(line)?)?;
        }
        Ok(())
    }

    fn pack_corpus(&self) -> anyhow::Result<()> {
        let mut lines = BTreeSet::new();
        for entry in std::fs::read_dir(&self.corpus_dir)? {
            lines.insert(STANDARD.encode(std::fs::read(entry?.path())?) + "\n");
        }
        // libFuzzer always tries the empty input.
        lines.remove("\n");
        std::fs::write(&self.corpus_file, lines.into_iter().collect::<String>())?;
        Ok(())
    }
}

/// Runs libFuzzer and returns the coverage that it reached. Its other output is passed on.
fn run_round(command: &mut Command) -> anyhow::Result<u64> {
    let mut fuzzer = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let stderr = fuzzer.stderr.take().context("libFuzzer has a standard error")?;
    let mut coverage = 0;
    for line in BufReader::new(stderr).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        match parse_coverage(&line) {
            Some(reached) => coverage = coverage.max(reached),
            None => eprintln!("{line}"),
        }
    }
    let status = fuzzer.wait()?;
    if !status.success() {
        bail!("libFuzzer failed ({status}); its output above names the failing input");
    }
    Ok(coverage)
}

/// The coverage in a status line of libFuzzer.
fn parse_coverage(line: &str) -> Option<u64> {
    let rest = line.split_once("cov: ")?.1;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_is_parsed_from_status_lines() {
        let line = "#1024\tNEW    cov: 412 ft: 890 corp: 33/2Kb lim: 21 exec/s: 0 rss: 45Mb";
        assert_eq!(parse_coverage(line), Some(412));
        assert_eq!(parse_coverage("INFO: Running with entropic power schedule"), None);
    }
}
