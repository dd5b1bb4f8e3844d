//! The activities on their own database.

use std::collections::BTreeMap;
use std::sync::Arc;

use activities::calls::admit;
use activities::clock::Clock;
use activities::planning::plan_user;
use activities::telnyx::Telnyx;
use activities::ultravox::Ultravox;
use activities::{CallSettings, Calls, PlanSettings, Planning};
use chrono::{DateTime, TimeDelta, Utc};
use devstack::{create_migrated_database, development};
use domain::ids::UserId;
use domain::phone::PhoneNumber;
use secrecy::SecretString;
use serde_json::Value;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use store::Store;
use tokio::sync::watch;
use workflows::activities::calls::{Admission, Admitted};
use workflows::activities::planning::{PlanUserInput, PlannedUser};

use super::{LIVE, NOW, Prospect, Provider, RUN, User, admit_input, at};

const PLANS: PlanSettings =
    PlanSettings { strict_calling_hours: false, max_concurrent_calls: 5, calls_per_minute: 600 };

pub struct Service {
    pub database: PgPool,
    pub store: Store,
    /// Just before [`NOW`], with five lines.
    pub planning: Planning,
    /// At [`NOW`], with five lines.
    pub calls: Calls,
    ultravox: Ultravox,
    telnyx: Option<Telnyx>,
    settings: CallSettings,
    _provider: Option<Provider>,
}

impl Service {
    /// Without a provider.
    pub async fn start() -> Self {
        Self::at_address("http://127.0.0.1:9", None, "http://127.0.0.1:9").await
    }

    /// With a provider that has no calls.
    pub async fn with_provider() -> Self {
        let provider = Provider::start(LIVE, &[]).await;
        let service = Self::calling(&provider).await;
        Self { _provider: Some(provider), ..service }
    }

    /// With a provider.
    pub async fn calling(provider: &Provider) -> Self {
        Self::at_address(&provider.url, Some(telnyx(&provider.url)), "http://127.0.0.1:9").await
    }

    /// With a provider that sends its webhooks to `url`.
    pub async fn reported_to(provider: &Provider, url: &str) -> Self {
        Self::at_address(&provider.url, Some(telnyx(&provider.url)), url).await
    }

    /// Without a provider, with a placed call; its id is `p1-id-1`.
    pub async fn with_placed_call() -> Self {
        let service = Self::start().await;
        service.place_call().await;
        service
    }

    async fn at_address(ultravox: &str, telnyx: Option<Telnyx>, service_url: &str) -> Self {
        let url = create_migrated_database().await.unwrap();
        let store = Store::connect(&url.parse().unwrap(), 16).await.unwrap();
        let database = PgPoolOptions::new().max_connections(4).connect(&url).await.unwrap();
        let ultravox =
            Ultravox::new(ultravox.parse().unwrap(), development::ULTRAVOX_API_KEY.into()).unwrap();
        let settings = CallSettings {
            from_number: PhoneNumber::parse(development::FROM_NUMBER).unwrap(),
            service_url: service_url.to_owned(),
            webhook_secrets: secrets(),
            voices: BTreeMap::from([("female".to_owned(), "Jessica".to_owned())]),
            ring_timeout_secs: 30,
            never_placed_after: TimeDelta::seconds(60),
            max_concurrent_calls: 5,
            max_call_minutes: 10,
            strict_calling_hours: false,
            pause_after_rejections: 3,
            decision_days: 30,
        };
        let clock = Clock::Stopped(at(NOW));
        let planning = Planning::new(store.clone(), PLANS, Clock::Stopped(just_before(at(NOW))));
        let calls =
            Calls::new(store.clone(), ultravox.clone(), telnyx.clone(), settings.clone(), clock);
        Self { database, store, planning, calls, ultravox, telnyx, settings, _provider: None }
    }

    /// At another time.
    pub fn calls_at(&self, now: DateTime<Utc>) -> Calls {
        self.calls_with(now, self.settings.max_concurrent_calls)
    }

    /// At another time and with another number of lines.
    pub fn calls_with(&self, now: DateTime<Utc>, max_concurrent_calls: i32) -> Calls {
        let settings = CallSettings { max_concurrent_calls, ..self.settings.clone() };
        let (ultravox, telnyx) = (self.ultravox.clone(), self.telnyx.clone());
        Calls::new(self.store.clone(), ultravox, telnyx, settings, Clock::Stopped(now))
    }

    /// With another API key of the provider.
    pub fn calls_with_key(&self, address: &str, key: &str) -> Calls {
        let ultravox = Ultravox::new(address.parse().unwrap(), key.into()).unwrap();
        let settings = self.settings.clone();
        Calls::new(self.store.clone(), ultravox, None, settings, Clock::Stopped(at(NOW)))
    }

    /// Empties the tables for the next case of a test.
    pub async fn clear(&self) {
        // Live dials can't be deleted.
        self.execute("update dials set closed_at = now() where closed_at is null").await;
        for table in
            ["users", "plans", "conversations", "appointments", "minute_ledger", "suppressions"]
        {
            self.execute(format!("delete from {table}")).await;
        }
        self.execute("delete from plan_decisions").await;
        self.execute("delete from provider_rejections").await;
        self.execute("update service set paused_at = null").await;
    }

    /// Empties the tables and inserts a placed call; its id is `p1-id-1`.
    pub async fn place_call(&self) {
        self.clear().await;
        self.due_call(User::default(), Prospect::default()).await;
        self.admit("p1-id-1").await;
        let placed = "update dials set state = 'PLACED', sent_at = intended_at,
            provider_call_id = 'provider-1'";
        self.execute(placed).await;
    }

    /// Inserts a user and a prospect with a call that is due now; its id is `p1-id-1`.
    pub async fn due_call(&self, user: User, prospect: Prospect) {
        user.insert(&self.database).await.unwrap();
        self.due_call_of(prospect).await;
    }

    /// Inserts a prospect of an existing user with a call that is due now.
    pub async fn due_call_of(&self, prospect: Prospect) {
        prospect.insert(&self.database).await.unwrap();
        let planned =
            "insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run)
            values ($1 || '-1', $2, $1, 1, $3, 'test')";
        let planned = sqlx::query(planned).bind(&prospect.id).bind(&prospect.user_id);
        planned.bind(at(NOW)).execute(&self.database).await.unwrap();
    }

    /// Admits a due call; returns the id of its dial.
    pub async fn admit(&self, conversation: &str) -> String {
        let admission = admit::run(&self.calls, &admit_input(conversation, RUN)).await.unwrap();
        admitted(admission).dial_id.to_string()
    }

    /// Plans a user for half an hour.
    pub async fn plan(&self, run: &str, user: &str, from: DateTime<Utc>) -> PlannedUser {
        let until = from + TimeDelta::minutes(30);
        let (run, user_id) = (run.to_owned(), UserId::new(user));
        let input = PlanUserInput { run, user_id, from, until, callbacks_only: false, share: None };
        plan_user(&self.planning_at(just_before(from)), &input).await.unwrap()
    }

    /// Plans at another time.
    pub fn planning_at(&self, now: DateTime<Utc>) -> Planning {
        Planning::new(self.store.clone(), PLANS, Clock::Stopped(now))
    }

    /// Plans the callbacks of a user for half an hour.
    pub async fn plan_callbacks(&self, run: &str, user: &str) -> PlannedUser {
        let (from, until) = (at(NOW), at(NOW) + TimeDelta::minutes(30));
        let (run, user_id) = (run.to_owned(), UserId::new(user));
        let input = PlanUserInput { run, user_id, from, until, callbacks_only: true, share: None };
        plan_user(&self.planning, &input).await.unwrap()
    }

    /// Executes a statement; returns the number of rows.
    pub async fn execute(&self, statement: impl Into<String>) -> u64 {
        self.try_execute(statement).await.unwrap()
    }

    /// Executes a statement that the database may reject.
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

    /// The balance of a subscription, after a check that it is the sum of its ledger.
    pub async fn minutes_left(&self, subscription: &str) -> i64 {
        let balance = "select minutes_left::bigint, coalesce((select sum(minutes)
                from minute_ledger where subscription_id = s.id), 0)::bigint
            from subscriptions s where id = $1";
        let balance: (i64, i64) =
            sqlx::query_as(balance).bind(subscription).fetch_one(&self.database).await.unwrap();
        assert_eq!(balance.0, balance.1, "minutes left and the sum of the ledger");
        balance.0
    }

    /// The entries of the ledger without grants, as `kind minutes`.
    pub async fn entries(&self) -> Vec<String> {
        let entries = "select kind || ' ' || minutes from minute_ledger where kind <> 'grant'
            order by id";
        sqlx::query_scalar(entries).fetch_all(&self.database).await.unwrap()
    }
}

pub fn admitted(admission: Admission) -> Admitted {
    match admission {
        Admission::Admitted(admitted) => admitted,
        other => panic!("not admitted: {other:?}"),
    }
}

/// A run that starts at this time plans for the next minute.
fn just_before(time: DateTime<Utc>) -> DateTime<Utc> {
    time - TimeDelta::minutes(1)
}

fn telnyx(url: &str) -> Telnyx {
    let key = SecretString::from(development::TELNYX_API_KEY);
    Telnyx::new(url.parse().unwrap(), development::TELNYX_ACCOUNT_SID.to_owned(), key).unwrap()
}

fn secrets() -> watch::Receiver<Arc<Vec<SecretString>>> {
    watch::channel(Arc::new(vec![development::WEBHOOK_SECRET.into()])).1
}
