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

/// One admission waits for a subscription that is no longer the active one when it goes on; the other one finds the next
/// one. Both have counted the calls of the day before one of them gets a line.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn daily_limit_holds_while_the_subscription_is_swapped() {
    let service = Service::start().await;
    User { per_day: 1, ..User::default() }.insert(&service.database).await.unwrap();
    let ids = due_calls(&service, "user1-id", 2).await;
    let next = "insert into subscriptions (id, user_id, plan_id, minutes_left, status)
        select 'next', user_id, plan_id, 600, 'PAUSED' from subscriptions";
    service.execute(next).await;
    let mut lines = service.database.begin().await.unwrap();
    let lock = sqlx::query("select pg_advisory_xact_lock($1)").bind(0x6c69_6e65_7300_i64);
    lock.execute(&mut *lines).await.unwrap();
    let mut swap = service.database.begin().await.unwrap();
    for change in [
        "update subscriptions set status = 'EXPIRED' where id <> 'next'",
        "update subscriptions set status = 'ACTIVE' where id = 'next'",
    ] {
        sqlx::query(change).execute(&mut *swap).await.unwrap();
    }
    let (swapped, is_swapped) = tokio::sync::oneshot::channel();
    let first = ask(&service, 20, &ids[..1]);
    let second = async {
        is_swapped.await.unwrap();
        ask(&service, 20, &ids[1..]).await
    };
    let steps = async {
        wait_for_locks(&service, "transactionid", 1).await;
        swap.commit().await.unwrap();
        wait_for_locks(&service, "advisory", 1).await;
        swapped.send(()).unwrap();
        wait_for_locks(&service, "", 2).await;
        lines.commit().await.unwrap();
    };
    let (first, second, ()) = tokio::join!(first, second, steps);
    assert_eq!(first.0 + second.0, 1, "one call a day: {first:?} {second:?}");
}

/// Waits until so many sessions wait for locks of a kind; an empty kind is any.
async fn wait_for_locks(service: &Service, kind: &str, count: usize) {
    let waiting = format!(
        "select 1 as found from pg_stat_activity where datname = current_database()
            and wait_event_type = 'Lock' and '{kind}' in ('', wait_event)"
    );
    eventually(TIMEOUT, &format!("{count} wait for a lock {kind}"), async || {
        Ok((service.rows(waiting.as_str()).await.len() >= count).then_some(()))
    })
    .await;
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
