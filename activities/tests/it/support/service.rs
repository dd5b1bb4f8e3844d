//! The activities' logic on a database of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use activities::clock::Clock;
use activities::telnyx::Telnyx;
use activities::ultravox::Ultravox;
use activities::{CallSettings, Calls, PlanSettings, Planning};
use chrono::{DateTime, TimeDelta, Utc};
use devstack::{create_migrated_database, development};
use secrecy::SecretString;
use serde_json::Value;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use store::Store;
use tokio::sync::watch;
use workflows::activities::calls::{Admission, AdmitInput, Admitted};
use workflows::activities::planning::{PlanUserInput, PlannedUser};
use workflows::clock::ClockOffset;

use super::RUN;
use super::{LIVE, NOW, Prospect, Provider, User, at};

/// The activities' logic, ready to be called.
pub struct Service {
    /// The tables.
    pub database: PgPool,
    /// The same as the activities see them.
    pub store: Store,
    /// Plans calls.
    pub planning: Planning,
    /// Makes calls, at [`NOW`] and with five lines.
    pub calls: Calls,
    ultravox: Ultravox,
    telnyx: Option<Telnyx>,
    settings: CallSettings,
    _provider: Option<Provider>,
}

impl Service {
    /// A service that reaches no provider.
    pub async fn start() -> Self {
        Self::at_address("http://127.0.0.1:9", None, "http://127.0.0.1:9").await
    }

    /// A service with a provider of its own, of which nothing is asked but about calls that it does not know.
    pub async fn with_provider() -> Self {
        let provider = Provider::start(LIVE, &[]).await;
        let service = Self::calling(&provider).await;
        Self { _provider: Some(provider), ..service }
    }

    /// A service that calls through a provider.
    pub async fn calling(provider: &Provider) -> Self {
        Self::at_address(&provider.url, Some(telnyx(&provider.url)), "http://127.0.0.1:9").await
    }

    /// A service that calls through a provider, which reports to that address.
    pub async fn reported_to(provider: &Provider, url: &str) -> Self {
        Self::at_address(&provider.url, Some(telnyx(&provider.url)), url).await
    }

    async fn at_address(ultravox: &str, telnyx: Option<Telnyx>, service_url: &str) -> Self {
        let url = create_migrated_database().await.unwrap();
        let store = Store::connect(&url).await.unwrap();
        let database = PgPoolOptions::new().max_connections(4).connect(&url).await.unwrap();
        let ultravox = Ultravox::new(ultravox, development::ULTRAVOX_API_KEY.into()).unwrap();
        let settings = CallSettings {
            from_number: development::FROM_NUMBER.to_owned(),
            service_url: service_url.to_owned(),
            webhook_secrets: secrets(),
            voices: BTreeMap::from([("female".to_owned(), "Jessica".to_owned())]),
            ring_timeout_secs: 30,
            max_concurrent_calls: 5,
            max_call_minutes: 10,
            strict_calling_hours: false,
            decision_days: 30,
        };
        let plans = PlanSettings {
            strict_calling_hours: false,
            max_concurrent_calls: 5,
            calls_per_minute: 600,
        };
        let (planning, clock) = (Planning::new(store.clone(), plans), clock_at(at(NOW)));
        let calls =
            Calls::new(store.clone(), ultravox.clone(), telnyx.clone(), settings.clone(), clock);
        Self { database, store, planning, calls, ultravox, telnyx, settings, _provider: None }
    }

    /// The same at another moment.
    pub fn calls_at(&self, now: DateTime<Utc>) -> Calls {
        self.calls_with(now, self.settings.max_concurrent_calls)
    }

    /// The same at another moment and with other lines.
    pub fn calls_with(&self, now: DateTime<Utc>, max_concurrent_calls: i32) -> Calls {
        let settings = CallSettings { max_concurrent_calls, ..self.settings.clone() };
        let (ultravox, telnyx) = (self.ultravox.clone(), self.telnyx.clone());
        Calls::new(self.store.clone(), ultravox, telnyx, settings, clock_at(now))
    }

    /// The same with another key of the provider.
    pub fn calls_with_key(&self, address: &str, key: &str) -> Calls {
        let ultravox = Ultravox::new(address, key.into()).unwrap();
        let settings = self.settings.clone();
        Calls::new(self.store.clone(), ultravox, None, settings, clock_at(at(NOW)))
    }

    /// Empties the tables, for the next case of a test.
    pub async fn clear(&self) {
        for table in
            ["users", "plans", "conversations", "appointments", "minute_ledger", "suppressions"]
        {
            self.execute(format!("delete from {table}")).await;
        }
        self.execute("delete from plan_decisions").await;
        self.execute("update service set paused_at = null").await;
    }

    /// Inserts a user and a prospect with a call that is due now; its id is `p1-id-1`.
    pub async fn due_call(&self, user: User, prospect: Prospect) {
        user.insert(&self.database).await.unwrap();
        self.due_call_of(prospect).await;
    }

    /// The same for a user who is there.
    pub async fn due_call_of(&self, prospect: Prospect) {
        prospect.insert(&self.database).await.unwrap();
        let planned =
            "insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run)
            values ($1 || '-1', $2, $1, 1, $3, 'test')";
        let planned = sqlx::query(planned).bind(&prospect.id).bind(&prospect.user_id);
        planned.bind(at(NOW)).execute(&self.database).await.unwrap();
    }

    /// Admits a due call; its dial's id.
    pub async fn admit(&self, conversation: &str) -> String {
        admitted(self.calls.decide(&asks(conversation, RUN)).await.unwrap()).dial_id
    }

    /// Plans a user for half an hour.
    pub async fn plan(&self, run: &str, user: &str, from: DateTime<Utc>) -> PlannedUser {
        let until = from + TimeDelta::minutes(30);
        let (run, user_id) = (run.to_owned(), user.to_owned());
        self.planning
            .plan(&PlanUserInput { run, user_id, from, until, promised_only: false })
            .await
            .unwrap()
    }

    /// Plans the promised calls of a user for half an hour.
    pub async fn plan_promises(&self, run: &str, user: &str) -> PlannedUser {
        let (from, until) = (at(NOW), at(NOW) + TimeDelta::minutes(30));
        let (run, user_id) = (run.to_owned(), user.to_owned());
        let input = PlanUserInput { run, user_id, from, until, promised_only: true };
        self.planning.plan(&input).await.unwrap()
    }

    /// Executes a statement; the number of rows that it touched.
    pub async fn execute(&self, statement: impl Into<String>) -> u64 {
        self.try_execute(statement).await.unwrap()
    }

    /// The same where the database may refuse.
    pub async fn try_execute(&self, statement: impl Into<String>) -> Result<u64, sqlx::Error> {
        let statement = AssertSqlSafe(statement.into());
        sqlx::query(statement).execute(&self.database).await.map(|done| done.rows_affected())
    }

    /// The rows of a query as JSON.
    pub async fn rows(&self, query: impl Into<String>) -> Vec<Value> {
        let query = format!("select to_jsonb(found) from ({}) found", query.into());
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&self.database).await.unwrap()
    }

    /// The only row of a query as JSON.
    pub async fn row(&self, query: impl Into<String>) -> Value {
        let mut rows = self.rows(query).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    /// What a subscription has left, after a check that its ledger says the same.
    pub async fn minutes_left(&self, subscription: &str) -> i64 {
        let balance = "select minutes_left::bigint, coalesce((select sum(minutes)
                from minute_ledger where subscription_id = s.id), 0)::bigint
            from subscriptions s where id = $1";
        let balance: (i64, i64) =
            sqlx::query_as(balance).bind(subscription).fetch_one(&self.database).await.unwrap();
        assert_eq!(balance.0, balance.1, "minutes left and the sum of the ledger");
        balance.0
    }

    /// The entries of the ledger but for what was granted, as `kind minutes`.
    pub async fn entries(&self) -> Vec<String> {
        let entries = "select kind || ' ' || minutes from minute_ledger where kind <> 'grant'
            order by id";
        sqlx::query_scalar(entries).fetch_all(&self.database).await.unwrap()
    }
}

/// The dial of a call that was admitted.
pub fn admitted(admission: Admission) -> Admitted {
    match admission {
        Admission::Admitted(admitted) => admitted,
        other => panic!("not admitted: {other:?}"),
    }
}

fn clock_at(now: DateTime<Utc>) -> Clock {
    Clock::ahead(ClockOffset((now - Utc::now()).num_seconds()))
}

fn telnyx(url: &str) -> Telnyx {
    let key = SecretString::from(development::TELNYX_API_KEY);
    Telnyx::new(url, development::TELNYX_ACCOUNT_SID.to_owned(), key).unwrap()
}

/// The question of a run of a call's workflow.
pub fn asks(conversation_id: &str, run_id: &str) -> AdmitInput {
    let (conversation_id, run_id) = (conversation_id.to_owned(), run_id.to_owned());
    AdmitInput { conversation_id, run_id, first_asked: None }
}

/// Secrets that never change.
fn secrets() -> watch::Receiver<Arc<Vec<SecretString>>> {
    watch::channel(Arc::new(vec![development::WEBHOOK_SECRET.into()])).1
}
