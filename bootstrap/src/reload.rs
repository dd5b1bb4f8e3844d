//! Values from files that are reloaded without a restart.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use secrecy::{ExposeSecret as _, SecretSlice};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{error, info};

/// The latest valid value; `borrow` returns it.
pub type Watched<T> = tokio::sync::watch::Receiver<Arc<T>>;

/// Files are compared by their content, not by their time, so that any way of replacing them works.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Time for which a changed content must stay the same: a file that is being written is empty at first, then incomplete.
const SETTLE_DELAY: Duration = Duration::from_millis(200);

/// Parses a value from files, and again whenever their content changes or the process receives SIGHUP. A changed content
/// that is invalid is logged once as an error, and the previous value stays. Without files the value never changes.
///
/// `what` names the value in the log.
///
/// # Errors
///
/// A file can't be read or parsed at the start.
pub async fn watch<T: Send + Sync + 'static>(
    what: &'static str,
    files: Vec<PathBuf>,
    parse: impl Fn(&[SecretSlice<u8>]) -> Result<T> + Send + 'static,
) -> Result<Watched<T>> {
    // Also without files: SIGHUP would end the process otherwise.
    let mut hangups = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
    let mut known = read_files(&files).await?;
    let (sender, receiver) = tokio::sync::watch::channel(Arc::new(parse(&known)?));
    let mut polls = interval(POLL_INTERVAL);
    polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::spawn(async move {
        let mut unreadable = false;
        while !sender.is_closed() {
            tokio::select! {
                _ = polls.tick(), if !files.is_empty() => {}
                _ = hangups.recv() => {
                    info!(what, files = files.len(), "SIGHUP received, reloading files");
                }
            }
            match read_files(&files).await {
                Ok(found) if are_equal(&found, &known) => unreadable = false,
                Ok(found) if !is_settled(&files, &found).await => polls.reset_after(SETTLE_DELAY),
                Ok(found) => {
                    match parse(&found) {
                        Ok(value) => {
                            sender.send_replace(Arc::new(value));
                            info!(what, ?files, "A changed file is in use");
                        }
                        Err(error) => error!(
                            what,
                            ?files,
                            "A changed file can't be used: {error:#}; the previous one stays in use"
                        ),
                    }
                    (known, unreadable) = (found, false);
                }
                // A file that is being replaced may be missing for a short time.
                Err(error) if !std::mem::replace(&mut unreadable, true) => {
                    error!(what, "{error:#}; its previous content stays in use");
                }
                Err(_) => {}
            }
        }
    });
    Ok(receiver)
}

/// Whether the files have the same content after [`SETTLE_DELAY`].
async fn is_settled(files: &[PathBuf], found: &[SecretSlice<u8>]) -> bool {
    sleep(SETTLE_DELAY).await;
    read_files(files).await.is_ok_and(|again| are_equal(&again, found))
}

async fn read_files(files: &[PathBuf]) -> Result<Vec<SecretSlice<u8>>> {
    let mut contents = Vec::new();
    for file in files {
        let bytes = tokio::fs::read(file);
        let bytes = bytes.await.with_context(|| format!("reading {}", file.display()))?;
        contents.push(SecretSlice::from(bytes));
    }
    Ok(contents)
}

fn are_equal(left: &[SecretSlice<u8>], right: &[SecretSlice<u8>]) -> bool {
    left.iter()
        .map(|slice| slice.expose_secret())
        .eq(right.iter().map(|slice| slice.expose_secret()))
}
