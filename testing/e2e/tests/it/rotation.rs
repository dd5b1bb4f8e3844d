//! Keys are replaced while everything runs, and nothing genuine is refused meanwhile.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use devstack::development::{TELNYX_PUBLIC_KEY, WEBHOOK_SECRET};
use devstack::{Process, StackOptions, TempDir, workspace};

use crate::support::{
    DIAL, EVENT, Plan, Prospect, Signed, Story, User, carrier_post, conversation, door,
    events_taken, eventually, in_state, plan, plan_as, post, seconds_to, settled,
};

const OUTCOME: &str = "/webhooks/outcome";
const SOON: Duration = Duration::from_secs(20);
const NEW_SECRET: &str = "the-secret-that-comes-after-the-old-one";

/// A file of keys in a folder of its own.
struct KeyFile {
    path: PathBuf,
    _scratch: TempDir,
}

impl KeyFile {
    fn with(lines: &[&str]) -> Result<Self> {
        let scratch = workspace::temp_dir()?;
        let file = Self { path: scratch.path().join("keys"), _scratch: scratch };
        file.write(lines)?;
        Ok(file)
    }

    fn write(&self, lines: &[&str]) -> Result<()> {
        std::fs::write(&self.path, lines.join("\n") + "\n").context("writing keys")
    }

    fn path(&self) -> &str {
        self.path.to_str().expect("a scratch folder has a plain name")
    }
}

fn hang_up(process: &Process) -> Result<()> {
    let sent = Command::new("kill").args(["-HUP", &process.pid().to_string()]).status()?;
    ensure!(sent.success(), "SIGHUP can't be sent to {}", process.name());
    Ok(())
}

/// Whether an event signed with that secret is taken.
async fn taken(url: &str, secret: &str) -> Result<bool> {
    let status = post(url, EVENT, &Signed::with(secret, EVENT).headers()).await?.status;
    ensure!([204, 401].contains(&status), "{status}");
    Ok(status == 204)
}

async fn becomes(url: &str, secret: &str, wanted: bool) {
    let what = format!("{secret} is taken: {wanted}");
    eventually(SOON, &what, async || Ok((taken(url, secret).await? == wanted).then_some(()))).await;
}

/// Sends events signed with one secret, one after the other, for as long as that is wanted.
struct Sender {
    wanted: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    sending: tokio::task::JoinHandle<Result<()>>,
}

impl Sender {
    fn start(url: &str, secret: &'static str) -> Self {
        let (wanted, sent) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let (still_wanted, count, url) = (wanted.clone(), sent.clone(), url.to_owned());
        let sending = tokio::spawn(async move {
            while still_wanted.load(Ordering::Relaxed) {
                ensure!(taken(&url, secret).await?, "an event signed with {secret} was refused");
                count.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        Self { wanted, sent, sending }
    }

    /// Waits until more has been sent and taken.
    async fn goes_on(&self) {
        let before = self.sent.load(Ordering::Relaxed);
        eventually(SOON, "more events are taken", async || {
            Ok((self.sent.load(Ordering::Relaxed) > before + 3).then_some(()))
        })
        .await;
    }

    async fn stop(self) -> Result<()> {
        self.wanted.store(false, Ordering::Relaxed);
        self.sending.await?
    }
}

#[tokio::test]
async fn a_secret_is_replaced_in_mid_stream() -> Result<()> {
    let file = KeyFile::with(&[WEBHOOK_SECRET])?;
    let story = door(&[("WEBHOOK_SECRETS_FILE", file.path())]).await?;
    let url = story.webhook(OUTCOME);
    assert!(!taken(&url, NEW_SECRET).await?);
    let old = Sender::start(&url, WEBHOOK_SECRET);

    file.write(&["# both", WEBHOOK_SECRET, NEW_SECRET])?;
    becomes(&url, NEW_SECRET, true).await;
    let new = Sender::start(&url, NEW_SECRET);
    old.goes_on().await;
    file.write(&[NEW_SECRET, WEBHOOK_SECRET])?;
    hang_up(&story.stack.webhook.as_ref().context("a server")?.process)?;
    old.goes_on().await;
    new.goes_on().await;
    old.stop().await?;
    file.write(&[NEW_SECRET])?;
    becomes(&url, WEBHOOK_SECRET, false).await;
    new.goes_on().await;

    // What can't be used changes nothing: no file, no secret, a secret that is none.
    let webhook = story.stack.webhook.as_ref().context("a server")?;
    for (content, said) in [(Some(""), "no secret"), (Some("short\n"), "line 1"), (None, "reading")]
    {
        match content {
            Some(content) => std::fs::write(&file.path, content)?,
            None => std::fs::remove_file(&file.path)?,
        }
        eventually(SOON, "it is said what is wrong", async || {
            let log = webhook.process.log();
            let line =
                log.lines().find(|line| line.contains(r#""level":"error""#) && line.contains(said));
            Ok(line.map(drop))
        })
        .await;
        new.goes_on().await;
    }
    assert!(!taken(&url, WEBHOOK_SECRET).await?);
    new.stop().await?;
    let log = webhook.process.log();
    assert!(!log.contains(NEW_SECRET) && !log.contains("short\\n"), "{log}");
    Ok(())
}

#[tokio::test]
async fn calls_go_on_while_the_secret_of_worker_and_webhook_server_is_replaced() -> Result<()> {
    let file = KeyFile::with(&[WEBHOOK_SECRET])?;
    let env = [("WEBHOOK_SECRETS_FILE".to_owned(), file.path().to_owned())];
    let story = Story::start(StackOptions {
        clock_offset_secs: seconds_to("2025-02-25T15:00:00Z"),
        speed: 10.0,
        worker_env: env.clone().into(),
        webhook_env: env.into(),
        ..StackOptions::default()
    })
    .await?;
    let url = story.webhook(OUTCOME);
    User::new("user1-id").insert(&story.database).await?;
    Prospect::new("p1-id").phone_ending(212, 20).insert(&story.database).await?;
    plan(&story, Plan::at(story.now())).await?;
    in_state(&story, "call/p1-id-1", "talking").await;

    file.write(&[NEW_SECRET, WEBHOOK_SECRET])?;
    becomes(&url, NEW_SECRET, true).await;
    let worker = story.stack.worker.as_ref().context("a worker")?;
    hang_up(worker)?;
    eventually(SOON, "the worker uses the new file", async || {
        Ok(worker.log().contains("A changed file is in use").then_some(()))
    })
    .await;
    // The call that was made with the old secret ends by it.
    assert_eq!(settled(&story, "p1-id-1").await, ("COMPLETED".to_owned(), None));
    eventually(SOON, "nothing signed with the old secret is on its way", async || {
        Ok((story.stack.ledger().await?["deliveries"]["pending"] == 0).then_some(()))
    })
    .await;
    file.write(&[NEW_SECRET])?;
    becomes(&url, WEBHOOK_SECRET, false).await;

    Prospect::new("p2-id").phone_ending(212, 0).insert(&story.database).await?;
    plan_as(&story, "plan-calls-after", Plan::at(story.now())).await?;
    assert_eq!(settled(&story, "p2-id-1").await, ("COMPLETED".to_owned(), None));
    let outcome = conversation(&story.database, "p2-id-1").await?.outcome;
    assert_eq!(outcome.as_deref(), Some("APPOINTMENT_SET"));
    // None of it had to be found by asking: every webhook was taken at the first attempt.
    let deliveries = &story.stack.ledger().await?["deliveries"];
    assert_eq!(deliveries["failed"], 0, "{deliveries}");
    Ok(())
}

#[tokio::test]
async fn the_carriers_key_is_replaced_by_a_changed_file() -> Result<()> {
    // The public half of the key of 32 bytes 0x01.
    let other = "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=";
    let file = KeyFile::with(&[other])?;
    let story = door(&[("TELNYX_PUBLIC_KEY_FILE", file.path())]).await?;
    let body = "CallSid=v3%3Aabc&CallStatus=initiated";
    assert_eq!(carrier_post(&story, DIAL, body).await?.status, 401);
    file.write(&[other, TELNYX_PUBLIC_KEY])?;
    eventually(SOON, "the carrier is believed", async || {
        Ok((carrier_post(&story, DIAL, body).await?.status == 204).then_some(()))
    })
    .await;
    assert_eq!(events_taken(&story).await?, 1);
    Ok(())
}

#[tokio::test]
async fn secrets_of_the_environment_stay_when_the_server_is_told_to_read_again() -> Result<()> {
    let story = door(&[]).await?;
    let url = story.webhook(OUTCOME);
    let process = &story.stack.webhook.as_ref().context("a server")?.process;
    hang_up(process)?;
    eventually(SOON, "the server has heard of it", async || {
        Ok(process.log().contains("SIGHUP received, reloading files").then_some(()))
    })
    .await;
    assert!(taken(&url, WEBHOOK_SECRET).await?);
    Ok(())
}
