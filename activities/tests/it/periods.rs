//! A new period grants the minutes of the plan.

use activities::calls::{admit, record_outcome};
use chrono::{DateTime, TimeDelta, Utc};

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
    let service = began(90).await;
    service.execute("update subscriptions set status = 'CANCELLED'").await;
    service.plan("run", "user1-id", at(NOW)).await;
    admit::run(&service.calls, &admit_input("p1-id-1", RUN)).await.unwrap();
    assert_eq!(service.minutes_left("sub-user1-id").await, 5);
    // The time of the pause is not granted later either.
    service.execute("update subscriptions set status = 'ACTIVE'").await;
    service.plan("next", "user1-id", at(NOW) + TimeDelta::days(1)).await;
    assert_eq!(service.minutes_left("sub-user1-id").await, 5);
}

#[tokio::test]
async fn plan_with_extreme_values_blocks_no_user() {
    let service = began(40_000).await;
    service.execute("update plans set duration = 36500, minutes = 2000000000").await;
    service.plan("run", "user1-id", at(NOW)).await;
    assert_eq!(service.minutes_left("sub-user1-id").await, 2_000_000_005);
    service.execute("update plans set duration = 1").await;
    service.plan("next", "user1-id", at(NOW) + TimeDelta::days(1)).await;
    assert_eq!(service.minutes_left("sub-user1-id").await, i64::from(i32::MAX));
}
