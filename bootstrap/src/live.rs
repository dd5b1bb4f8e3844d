//! What is read from files and, when they change, read again without a restart.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use secrecy::{ExposeSecret as _, SecretSlice};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{error, info};

/// The newest sound value; `borrow` shows it.
pub type Live<T> = watch::Receiver<Arc<T>>;

/// How often files are looked at. Their content is compared, not their time, so that it does not
/// matter how they are replaced.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a changed content must stay the same before it counts: a file that is being written is
/// empty at first, and then cut off.
const SETTLED: Duration = Duration::from_millis(200);

/// Reads a value from files, and again whenever their content changes or the process is sent
/// SIGHUP. A changed content that can't be used is an error in the log, once, and the value before
/// stays. Without files the value is that of the start.
///
/// `what` names the value in the log.
///
/// # Errors
///
/// The files can't be read or used at the start.
pub async fn follow<T: Send + Sync + 'static>(
    what: &'static str,
    files: Vec<PathBuf>,
    read: impl Fn(&[SecretSlice<u8>]) -> Result<T> + Send + 'static,
) -> Result<Live<T>> {
    // Also without files: SIGHUP would end the process otherwise.
    let mut asked = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
    let mut known = contents(&files).await?;
    let (sender, receiver) = watch::channel(Arc::new(read(&known)?));
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::spawn(async move {
        let mut unreadable = false;
        while !sender.is_closed() {
            tokio::select! {
                _ = looks.tick(), if !files.is_empty() => {}
                _ = asked.recv() => info!(what, files = files.len(), "Told to read files again"),
            }
            match contents(&files).await {
                Ok(found) if same(&found, &known) => unreadable = false,
                Ok(found) if !is_settled(&files, &found).await => looks.reset_after(SETTLED),
                Ok(found) => {
                    match read(&found) {
                        Ok(value) => {
                            sender.send_replace(Arc::new(value));
                            info!(what, ?files, "A changed file is in use");
                        }
                        Err(why) => {
                            error!(
                                what,
                                ?files,
                                "A changed file can't be used: {why:#}; the one before stays"
                            );
                        }
                    }
                    (known, unreadable) = (found, false);
                }
                // A file that is being replaced may be away for a moment.
                Err(why) if !std::mem::replace(&mut unreadable, true) => {
                    error!(what, "{why:#}; what it said before stays");
                }
                Err(_) => {}
            }
        }
    });
    Ok(receiver)
}

/// Whether the files still say the same a moment later.
async fn is_settled(files: &[PathBuf], found: &[SecretSlice<u8>]) -> bool {
    sleep(SETTLED).await;
    contents(files).await.is_ok_and(|again| same(&again, found))
}

async fn contents(files: &[PathBuf]) -> Result<Vec<SecretSlice<u8>>> {
    let mut contents = Vec::new();
    for file in files {
        let bytes = tokio::fs::read(file);
        let bytes = bytes.await.with_context(|| format!("reading {}", file.display()))?;
        contents.push(SecretSlice::from(bytes));
    }
    Ok(contents)
}

fn same(one: &[SecretSlice<u8>], other: &[SecretSlice<u8>]) -> bool {
    let exposed = |slice: &SecretSlice<u8>, other: &SecretSlice<u8>| {
        slice.expose_secret() == other.expose_secret()
    };
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| exposed(one, other))
}
