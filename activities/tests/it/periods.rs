//! Periods: each grants the minutes of the plan once, by the terms at its start.

use activities::calls::{admit, record_outcome};
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::UserId;
use store::users;

use crate::support::{NOW, Prospect, RUN, Service, User, admit_input, at, talked};

async fn began(days_ago: i64) -> Service {
    let service = Service::start().await;
    service.due_call(User { minutes: 5, ..User::default() }, Prospect::default()).await;
    let began: DateTime<Utc> = at(NOW) - TimeDelta::days(days_ago);
    sqlx::query("update subscriptions set period_started_at = $1")
        .bind(began)
        .execute(&service.database)
        .await
        .unwrap();
    service
}

#[tokio::test]
async fn each_new_period_grants_once_in_the_ledger() {
    // The plan gives 600 minutes every 30 days.
    for (days_ago, left) in [(0, 5), (29, 5), (30, 605), (59, 605), (60, 1205)] {
        let service = began(days_ago).await;
        for run in ["run", "again"] {
            service.plan(run, "user1-id", at(NOW)).await;
        }
        assert_eq!(service.minutes_left("sub-user1-id").await, left, "{days_ago} days");
    }
}

#[tokio::test]
async fn admission_grants_a_new_period_and_reserves_from_it() {
    let service = began(31).await;
    service.execute("update subscriptions set minutes_left = 0").await;
    assert!(service.admit("p1-id-1").await.starts_with("p1-id-1"));
    assert_eq!(service.minutes_left("sub-user1-id").await, 590);
    record_outcome::run(&service.calls, &talked("p1-id-1", 61)).await.unwrap();
    assert_eq!(service.minutes_left("sub-user1-id").await, 598);
}

#[tokio::test]
async fn inactive_subscription_gets_no_grant() {
    let service = Account::start().await;
    service.execute("update subscriptions set status = 'CANCELLED'").await;
    service.pass(90).await;
    service.look().await;
    let admission = admit::run(&service.0.calls, &admit_input("p1-id-1", RUN)).await;
    assert!(admission.is_ok());
    assert_eq!(service.minutes().await, 600);
    // The time of the pause is not granted later either.
    service.execute("update subscriptions set status = 'ACTIVE'").await;
    service.look().await;
    assert_eq!(service.minutes().await, 600);
}

#[tokio::test]
async fn grants_end_at_the_greatest_balance() {
    let account = Account::start().await;
    account.execute("update plans set duration = 1, minutes = 10000000").await;
    account.pass(40_000).await;
    for _ in 0..2 {
        account.look().await;
        assert_eq!(account.minutes().await, 1_000_000_000);
        account.pass(1).await;
    }
}

/// A subscription by the clock of the database. Time passes for it as its dates move back.
struct Account(Service);

impl Account {
    /// A month with 600 minutes has just started.
    async fn start() -> Self {
        let service = Service::start().await;
        User::default().insert(&service.database).await.unwrap();
        Self(service)
    }

    async fn execute(&self, statement: impl Into<String>) {
        self.0.execute(statement).await;
    }

    async fn pass(&self, days: i64) {
        let earlier = format!(
            "update subscriptions set period_started_at = period_started_at - interval '{0} h',
                period_ends_at = period_ends_at - interval '{0} h',
                inactive_since = inactive_since - interval '{0} h'",
            days * 24
        );
        self.execute(earlier).await;
    }

    /// Reads the user, as planning and admission do.
    async fn look(&self) {
        let mut tx = self.0.store.begin().await.unwrap();
        let user = UserId::new("user1-id");
        users::lock_user_state(&mut tx, &user, Utc::now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn minutes(&self) -> i64 {
        self.0.minutes_left("sub-user1-id").await
    }
}

#[tokio::test]
async fn change_of_plan_grants_no_period_of_the_past_again() {
    for change in [
        "update subscriptions set plan_id = 'weekly'",
        "update plans set duration = 7",
        "update plans set duration = 7, minutes = 10000",
    ] {
        let account = Account::start().await;
        let weekly = "insert into plans (id, name, price, minutes, duration, per_day)
            values ('weekly', 'W', 3, 600, 7, 10)";
        account.execute(weekly).await;
        account.pass(29).await;
        account.execute(change).await;
        account.look().await;
        assert_eq!(account.minutes().await, 600, "{change}");
        account.pass(1).await;
        account.look().await;
        let granted = account.minutes().await - 600;
        assert!([600, 10_000].contains(&granted), "{change}: one period starts, {granted}");
    }
}

#[tokio::test]
async fn pause_moves_the_end_of_the_period_by_its_length() {
    let account = Account::start().await;
    account.pass(29).await;
    account.execute("update subscriptions set status = 'PAUSED'").await;
    account.pass(1).await;
    account.execute("update subscriptions set status = 'ACTIVE'").await;
    account.look().await;
    assert_eq!(account.minutes().await, 600);
    account.pass(1).await;
    account.look().await;
    assert_eq!(account.minutes().await, 1_200);
}

/// What a subscription has been granted, in days of its own time.
struct Model {
    plans: [(i64, i64); 2],
    plan: usize,
    active: bool,
    days_left: i64,
    granted: i64,
}

impl Model {
    fn pass_day(&mut self) {
        if !self.active {
            return;
        }
        self.days_left -= 1;
        if self.days_left == 0 {
            let (minutes, duration) = self.plans[self.plan];
            self.granted += minutes;
            self.days_left = duration;
        }
    }
}

/// Any sequence of changes of the subscription's plan, changes of the plans, pauses and looks.
#[tokio::test]
async fn granted_minutes_are_the_terms_at_the_start_of_each_period() {
    for seed in 0..25 {
        let mut random = fastrand::Rng::with_seed(seed);
        let account = Account::start().await;
        account
            .execute("insert into plans select 'other', name, price, 50, 7, 10 from plans")
            .await;
        let ids = ["plan-user1-id", "other"];
        let plans = [(600, 30), (50, 7)];
        let mut model = Model { plans, plan: 0, active: true, days_left: 30, granted: 600 };
        let mut steps = Vec::new();
        for _ in 0..25 {
            let step = match random.u8(0..6) {
                0 => {
                    model.plan = random.usize(0..2);
                    format!("update subscriptions set plan_id = '{}'", ids[model.plan])
                }
                1 => {
                    let plan = random.usize(0..2);
                    let (minutes, duration) = (random.i64(0..900), random.i64(1..40));
                    model.plans[plan] = (minutes, duration);
                    let id = ids[plan];
                    format!(
                        "update plans set minutes = {minutes}, duration = {duration} where id = '{id}'"
                    )
                }
                2 => {
                    model.active = !model.active;
                    let status = if model.active { "ACTIVE" } else { "PAUSED" };
                    format!("update subscriptions set status = '{status}'")
                }
                3 => {
                    account.look().await;
                    assert_eq!(account.minutes().await, model.granted, "{seed}: {steps:#?}");
                    continue;
                }
                _ => {
                    let days = random.i64(1..50);
                    (0..days).for_each(|_| model.pass_day());
                    account.pass(days).await;
                    steps.push(format!("{days} days"));
                    continue;
                }
            };
            account.execute(&step).await;
            steps.push(step);
        }
        model.active = true;
        account.execute("update subscriptions set status = 'ACTIVE'").await;
        account.look().await;
        assert_eq!(account.minutes().await, model.granted, "{seed}: {steps:#?}");
    }
}
