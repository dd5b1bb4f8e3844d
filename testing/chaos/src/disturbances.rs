//! What users, operators and the network do to the calls of a run.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use devstack::{Breakpoint, Endpoints, FaultProxies, FaultProxy, Side, Step, Temporal, sign};
use rand::RngExt as _;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_pcg::Pcg64Mcg;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::{sleep, timeout};

use crate::faults;

/// How long to wait until a connection does what it is to be held at.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);
/// For one command of the Temporal command line, or one request: the server may be down.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// Seconds of talk that a user's system reports. The provider's times are different, and win.
const REPORTED_TALK_SECS: u32 = 600;

/// What happens to a call, a user or a connection. The order is that of the printed table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disturbance {
    ResetCall,
    TerminateCall,
    PauseUser,
    ResumeUsers,
    UserWebhook(UserEvent),
    ForgedWebhook,
    InvalidWebhook,
    ApiOutage,
    ListLag,
    HoldCommit,
    HoldCommitResponse,
    SilenceDatabase,
    SilenceProvider,
    LockRows(&'static str),
}

/// What a user's system says of a call, whether it is true or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UserEvent {
    /// At a time that differs from the provider's.
    Connected,
    Completed,
    CompletedWith(&'static str),
    Failed,
}

/// One query per table with rows that users edit: locks the rows of one user.
const LOCKS: [(&str, &str); 5] = [
    ("users", "select 1 from users where id = $1 for update"),
    ("subscriptions", "select 1 from subscriptions where user_id = $1 for update"),
    ("prospects", "select 1 from prospects where user_id = $1 for update"),
    ("conversations", "select 1 from conversations where user_id = $1 for update"),
    ("dials", "select 1 from dials where user_id = $1 for update"),
];

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ResetCall => f.write_str("reset of a call's workflow"),
            Self::TerminateCall => f.write_str("termination of a call's workflow"),
            Self::PauseUser => f.write_str("pause of a user"),
            Self::ResumeUsers => f.write_str("end of the pauses"),
            Self::UserWebhook(UserEvent::Connected) => f.write_str("user webhook: connected"),
            Self::UserWebhook(UserEvent::Completed) => f.write_str("user webhook: completed"),
            Self::UserWebhook(UserEvent::CompletedWith(outcome)) => {
                write!(f, "user webhook: {outcome}")
            }
            Self::UserWebhook(UserEvent::Failed) => f.write_str("user webhook: failed"),
            Self::ForgedWebhook => f.write_str("webhook with a wrong signature"),
            Self::InvalidWebhook => f.write_str("signed webhook with an unknown outcome"),
            Self::ApiOutage => f.write_str("outage of the provider's API"),
            Self::ListLag => f.write_str("provider lists calls late"),
            Self::HoldCommit => f.write_str("commit held before PostgreSQL"),
            Self::HoldCommitResponse => f.write_str("answer to a commit held"),
            Self::SilenceDatabase => f.write_str("silent connections to PostgreSQL"),
            Self::SilenceProvider => f.write_str("silent connections to the provider"),
            Self::LockRows(table) => write!(f, "a user's rows locked: {table}"),
        }
    }
}

/// What happens at an instant, or lasts until something else happens.
pub fn momentary() -> Vec<Disturbance> {
    let outcomes =
        ["APPOINTMENT_SET", "CALLBACK_REQUESTED", "NOT_INTERESTED", "DO_NOT_CALL", "NO_RESPONSE"];
    let webhooks = [UserEvent::Connected, UserEvent::Completed, UserEvent::Failed]
        .into_iter()
        .chain(outcomes.map(UserEvent::CompletedWith));
    let mut deck: Vec<_> = webhooks.map(Disturbance::UserWebhook).collect();
    deck.extend([Disturbance::ResetCall; 3]);
    deck.extend([Disturbance::TerminateCall; 2]);
    deck.extend([
        Disturbance::PauseUser,
        Disturbance::ResumeUsers,
        Disturbance::ForgedWebhook,
        Disturbance::InvalidWebhook,
        Disturbance::ApiOutage,
        Disturbance::ListLag,
    ]);
    deck
}

/// What holds connections or rows for a while.
pub fn lasting() -> Vec<Disturbance> {
    let mut deck: Vec<_> = LOCKS.map(|(table, _)| Disturbance::LockRows(table)).into();
    deck.extend([
        Disturbance::HoldCommit,
        Disturbance::HoldCommit,
        Disturbance::HoldCommitResponse,
        Disturbance::SilenceDatabase,
        Disturbance::SilenceProvider,
    ]);
    deck
}

/// Returns disturbances in an order that the seed determines, with their times since the start. Each round has the whole
/// deck.
pub fn schedule(
    seed: u64,
    deck: &[Disturbance],
    pause: Range<u64>,
    duration: Duration,
) -> Vec<(Duration, Disturbance)> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut at = Duration::from_secs(1);
    let mut schedule = Vec::new();
    while at < duration {
        let mut round = deck.to_vec();
        round.shuffle(&mut rng);
        for disturbance in round {
            schedule.push((at, disturbance));
            at += Duration::from_millis(rng.random_range(pause.clone()));
        }
    }
    schedule.retain(|(at, _)| *at < duration);
    schedule
}

/// A message of a user's system.
#[derive(Clone, Debug)]
struct UserMessage {
    conversation: String,
    outcome: Option<&'static str>,
    /// Whether it reports a talk: without times of the provider it is charged.
    reports_talk: bool,
    /// Whether it was answered 2xx. Otherwise it may have been processed all the same.
    accepted: bool,
    /// By the clock of the stack.
    sent_at: DateTime<Utc>,
}

/// A pause of a user: from after it was committed until before it is lifted.
#[derive(Clone, Debug)]
struct Pause {
    user: String,
    begin: DateTime<Utc>,
    end: Option<DateTime<Utc>>,
}

/// What the invariants have to know of the disturbances.
#[derive(Debug, Default)]
pub struct Journal {
    messages: Vec<UserMessage>,
    /// One per attempt, with the conversation: an attempt that seemed to fail may have had its effect.
    resets: Vec<String>,
    pauses: Vec<Pause>,
    /// Answers to webhooks that must not be accepted.
    wrongly_accepted: Vec<String>,
}

impl Journal {
    pub fn to_json(&self) -> Value {
        let messages = self.messages.iter().map(|message| {
            json!({
                "conversation": message.conversation,
                "outcome": message.outcome,
                "reportsTalk": message.reports_talk,
                "accepted": message.accepted,
                "sentAt": message.sent_at,
            })
        });
        let pauses = self
            .pauses
            .iter()
            .map(|pause| json!({"user": pause.user, "begin": pause.begin, "end": pause.end}));
        json!({
            "messages": messages.collect::<Vec<_>>(),
            "resets": self.resets,
            "pauses": pauses.collect::<Vec<_>>(),
            "wronglyAccepted": self.wrongly_accepted,
        })
    }
}

/// How often something was tried, and how often it had an effect.
pub type Counts = BTreeMap<String, (usize, usize)>;

/// Carries out disturbances, while the processes may be killed at any time.
pub struct Disturber<'a> {
    pub database: PgPool,
    pub temporal: Temporal,
    pub endpoints: Endpoints,
    pub proxies: &'a FaultProxies,
    pub journal: Journal,
    pub counts: Counts,
}

impl Disturber<'_> {
    /// Carries out a disturbance. Its number chooses the call, or the user, that it concerns.
    pub async fn disturb(&mut self, disturbance: Disturbance, number: usize) {
        let result = self.try_disturb(disturbance, number).await;
        let count = self.counts.entry(disturbance.to_string()).or_default();
        count.0 += 1;
        match result {
            Ok(()) => count.1 += 1,
            Err(error) => eprintln!("          without effect: {disturbance}: {error:#}"),
        }
    }

    async fn try_disturb(&mut self, disturbance: Disturbance, number: usize) -> Result<()> {
        // From 1 to 6 seconds: shorter and longer than the limits of a session.
        let held = Duration::from_secs(1 + number as u64 % 6);
        match disturbance {
            Disturbance::ResetCall => {
                let call = self.pick("run_id is not null", number).await?;
                self.journal.resets.push(call.clone());
                // From the beginning, so that a recorded call is made again; or from the last step.
                let point = ["FirstWorkflowTask", "LastWorkflowTask"][number % 2];
                self.command_call("reset", &call, &["--type", point]).await
            }
            Disturbance::TerminateCall => {
                let call = self.pick("recorded_at is null", number).await?;
                self.command_call("terminate", &call, &[]).await
            }
            Disturbance::PauseUser => self.pause_user(number).await,
            Disturbance::ResumeUsers => self.resume_users().await,
            Disturbance::UserWebhook(event) => self.send_user_webhook(event, number).await,
            Disturbance::ForgedWebhook => {
                let call = self.pick("recorded_at is null", number).await?;
                let body = completed(&call, Some("DO_NOT_CALL"), self.now());
                self.send_unacceptable("not the secret", &body).await
            }
            Disturbance::InvalidWebhook => {
                let call = self.pick("recorded_at is null", number).await?;
                let body = completed(&call, Some("WON"), self.now());
                self.send_unacceptable(devstack::development::WEBHOOK_SECRET, &body).await
            }
            Disturbance::ApiOutage => {
                let status = [500, 502, 503, 504][number % 4];
                let outage = json!({"outage": {"status": status, "secs": held.as_secs()}});
                faults::set_faults(&self.endpoints, &outage).await
            }
            Disturbance::ListLag => {
                // Less than the time after which a call may count as never placed.
                let lag = json!({"list_lag_secs": number % 6});
                faults::set_faults(&self.endpoints, &lag).await
            }
            Disturbance::HoldCommit => self.hold_commit(Side::Before, held).await,
            Disturbance::HoldCommitResponse => self.hold_commit(Side::After, held).await,
            Disturbance::SilenceDatabase => silence(&self.proxies.database),
            Disturbance::SilenceProvider => silence(&self.proxies.provider),
            Disturbance::LockRows(table) => self.lock_rows(table, number, held).await,
        }
    }

    /// The time of the stack's clock.
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::seconds(self.endpoints.clock_offset_secs)
    }

    async fn pick(&self, condition: &str, number: usize) -> Result<String> {
        let query = format!(
            "select id from conversations where {condition} order by md5(id || $1::text) limit 1"
        );
        let found = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).bind(number.to_string());
        found.fetch_optional(&self.database).await?.context("there is no such call")
    }

    async fn pick_user(&self, number: usize) -> Result<String> {
        let query = "select id from users order by md5(id || $1::text) limit 1";
        let found = sqlx::query_scalar(query).bind(number.to_string());
        Ok(found.fetch_one(&self.database).await?)
    }

    async fn command_call(&self, command: &str, call: &str, args: &[&str]) -> Result<()> {
        let id = format!("call/{call}");
        let command = ["workflow", command, "--workflow-id", &id, "--reason", "chaos"];
        let run = self.temporal.cli(command.into_iter().chain(args.iter().copied()));
        timeout(COMMAND_TIMEOUT, run).await??;
        Ok(())
    }

    async fn pause_user(&mut self, number: usize) -> Result<()> {
        let user = self.pick_user(number).await?;
        let pause = "update users set paused_at = now() where id = $1";
        sqlx::query(pause).bind(&user).execute(&self.database).await?;
        self.journal.pauses.push(Pause { user, begin: self.now(), end: None });
        Ok(())
    }

    /// Ends all pauses.
    pub async fn resume_users(&mut self) -> Result<()> {
        let now = self.now();
        let open = self.journal.pauses.iter_mut().filter(|pause| pause.end.is_none());
        let ended = open.map(|pause| pause.end = Some(now)).count();
        let resume = "update users set paused_at = null where paused_at is not null";
        sqlx::query(resume).execute(&self.database).await?;
        ensure!(ended > 0, "nobody was paused");
        Ok(())
    }

    async fn send_user_webhook(&mut self, event: UserEvent, number: usize) -> Result<()> {
        // Every other one is about a call that is under way.
        let condition = if number.is_multiple_of(2) { "recorded_at is null" } else { "true" };
        let call = self.pick(condition, number).await?;
        let sent_at = self.now();
        let body = body(event, &call, sent_at);
        let outcome = match event {
            UserEvent::CompletedWith(outcome) => Some(outcome),
            _ => None,
        };
        let answer = self.send(devstack::development::WEBHOOK_SECRET, &body).await;
        let accepted = matches!(answer, Ok(200..=299));
        let conversation = call.clone();
        let reports_talk = outcome.is_some() || event == UserEvent::Completed;
        self.journal.messages.push(UserMessage {
            conversation,
            outcome,
            reports_talk,
            accepted,
            sent_at,
        });
        ensure!(accepted, "{answer:?} for {call}");
        Ok(())
    }

    async fn send_unacceptable(&mut self, secret: &str, body: &Value) -> Result<()> {
        match self.send(secret, body).await? {
            status @ 200..=299 => {
                self.journal.wrongly_accepted.push(format!("{status} for {body}"));
                Ok(())
            }
            400 | 401 => Ok(()),
            status => bail!("answered {status}"),
        }
    }

    async fn send(&self, secret: &str, body: &Value) -> Result<u16> {
        let body = body.to_string();
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let signature = sign::webhook_signature(secret, body.as_bytes(), time.as_bytes());
        let url = format!("{}/webhooks/outcome", self.endpoints.webhook_url);
        let headers = [
            ("X-Ultravox-Webhook-Timestamp", &*time),
            ("X-Ultravox-Webhook-Signature", &signature),
        ];
        let send = devstack::post(&url, &headers, &body);
        Ok(timeout(COMMAND_TIMEOUT, send).await??.0)
    }

    async fn hold_commit(&self, side: Side, held: Duration) -> Result<()> {
        let proxy = &self.proxies.database;
        proxy.set_breakpoint(Breakpoint { step: Step::Commit, nth: 1, side });
        let hit = timeout(STEP_TIMEOUT, proxy.wait_until_hit()).await;
        if hit.is_ok() {
            sleep(held).await;
        }
        proxy.clear_breakpoint();
        hit.context("nothing was committed")
    }

    async fn lock_rows(&self, table: &str, number: usize, held: Duration) -> Result<()> {
        let user = self.pick_user(number).await?;
        let lock = LOCKS.iter().find(|(name, _)| *name == table).context("unknown table")?.1;
        let mut transaction = self.database.begin().await?;
        sqlx::query(lock).bind(user).execute(&mut *transaction).await?;
        sleep(held).await;
        transaction.rollback().await?;
        Ok(())
    }
}

fn silence(proxy: &FaultProxy) -> Result<()> {
    ensure!(proxy.silence() > 0, "there are no connections");
    Ok(())
}

fn body(event: UserEvent, call: &str, now: DateTime<Utc>) -> Value {
    match event {
        UserEvent::Connected => json!({
            "eventType": "call.connected",
            "conversationId": call,
            "timestamp": now - TimeDelta::minutes(3),
        }),
        UserEvent::Completed => completed(call, None, now),
        UserEvent::CompletedWith(outcome) => completed(call, Some(outcome), now),
        UserEvent::Failed => json!({
            "eventType": "call.failed",
            "conversationId": call,
            "failureReason": "chaos",
        }),
    }
}

fn completed(call: &str, outcome: Option<&str>, now: DateTime<Utc>) -> Value {
    let mut body = json!({
        "eventType": "call.completed",
        "conversationId": call,
        "duration": REPORTED_TALK_SECS,
    });
    if let Some(outcome) = outcome {
        let later = now + TimeDelta::days(2);
        body["outcome"] = json!({
            "type": outcome, "appointmentTime": later, "callbackTime": later,
        });
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedule_depends_only_on_the_seed_and_has_the_whole_deck() {
        let order = |seed| schedule(seed, &momentary(), 300..1_000, Duration::from_secs(120));
        assert_eq!(order(7), order(7));
        assert_ne!(order(7), order(8));
        let deck = momentary();
        let mut first: Vec<_> = order(7).into_iter().take(deck.len()).map(|(_, d)| d).collect();
        let mut all = deck;
        first.sort();
        all.sort();
        assert_eq!(first, all);
    }
}
