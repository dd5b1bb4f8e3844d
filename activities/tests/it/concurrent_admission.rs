//! Concurrent admissions.

use activities::calls::admit;
use futures::future::join_all;
use workflows::activities::calls::Admission;

use crate::support::{NOW, Prospect, RUN, Service, TIMEOUT, User, admit_input, at, eventually};

/// Asks for admission of all at once; returns how many were admitted and deferred.
async fn ask(service: &Service, lines: i32, conversations: &[String]) -> (usize, usize) {
    let calls = service.calls_with(at(NOW), lines);
    let inputs: Vec<_> = conversations.iter().map(|id| admit_input(id, RUN)).collect();
    let admissions = inputs.iter().map(|input| admit::run(&calls, input));
    let results: Vec<Admission> =
        join_all(admissions).await.into_iter().map(|result| result.unwrap()).collect();
    let count = |kind: fn(&&Admission) -> bool| results.iter().filter(kind).count();
    (
        count(|result| matches!(result, Admission::Admitted(_))),
        count(|result| matches!(result, Admission::Deferred { .. })),
    )
}

async fn due_calls(service: &Service, user: &'static str, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let id = format!("{user}-p{number}");
        service.due_call_of(Prospect::new(&id).of_user(user)).await;
        ids.push(format!("{id}-1"));
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_admissions_do_not_exceed_the_lines() {
    let service = Service::start().await;
    let mut ids = Vec::new();
    for user in ["a", "b", "c", "d"] {
        User::new(user).insert(&service.database).await.unwrap();
        ids.extend(due_calls(&service, user, 5).await);
    }
    assert_eq!(ask(&service, 5, &ids).await, (5, 15));
    assert_eq!(service.rows("select id from dials where closed_at is null").await.len(), 5);
    assert_eq!(ask(&service, 5, &ids).await, (5, 15), "the same five again");
    assert_eq!(service.entries().await, vec!["reserve -10"; 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_admissions_do_not_exceed_the_daily_limit() {
    let service = Service::start().await;
    User { per_day: 3, ..User::default() }.insert(&service.database).await.unwrap();
    let ids = due_calls(&service, "user1-id", 12).await;
    assert_eq!(ask(&service, 20, &ids).await, (3, 0));
    assert_eq!(service.minutes_left("sub-user1-id").await, 570);
}

/// The subscription that the admissions wait for is no longer the active one when they go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn daily_limit_holds_while_the_subscription_is_swapped() {
    let service = Service::start().await;
    User { per_day: 1, ..User::default() }.insert(&service.database).await.unwrap();
    let ids = due_calls(&service, "user1-id", 6).await;
    service
        .execute(
            "insert into subscriptions (id, user_id, plan_id, minutes_left, status)
            select 'next', user_id, plan_id, 600, 'PAUSED' from subscriptions",
        )
        .await;
    let mut swap = service.database.begin().await.unwrap();
    for change in [
        "update subscriptions set status = 'EXPIRED' where id <> 'next'",
        "update subscriptions set status = 'ACTIVE' where id = 'next'",
    ] {
        sqlx::query(change).execute(&mut *swap).await.unwrap();
    }
    let admissions = ask(&service, 20, &ids);
    let commit = async {
        let waiting = "select 1 as found from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'";
        let all_wait = async || {
            let found = service.rows(waiting).await.len();
            Ok((found >= 6).then_some(()))
        };
        eventually(TIMEOUT, "all admissions wait", all_wait).await;
        swap.commit().await.unwrap();
    };
    let (admitted, ()) = tokio::join!(admissions, commit);
    assert_eq!(admitted, (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_admissions_do_not_exceed_the_balance() {
    let service = Service::start().await;
    User { minutes: 25, per_day: 100, ..User::default() }.insert(&service.database).await.unwrap();
    let ids = due_calls(&service, "user1-id", 12).await;
    assert_eq!(ask(&service, 20, &ids).await, (3, 0));
    assert_eq!(service.entries().await, ["reserve -10", "reserve -10", "reserve -5"]);
    assert_eq!(service.minutes_left("sub-user1-id").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_admissions_of_one_call_create_one_dial() {
    let service = Service::start().await;
    service.due_call(User::default(), Prospect::default()).await;
    let same = vec!["p1-id-1".to_owned(); 10];
    assert_eq!(ask(&service, 5, &same).await, (10, 0));
    assert_eq!(service.rows("select id from dials").await.len(), 1);
    assert_eq!(service.entries().await, ["reserve -10"]);
}
