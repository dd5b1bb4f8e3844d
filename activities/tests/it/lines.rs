//! Lines: shared by all users, limited per user, and assigned in order of slots.

use activities::calls::{admit, record_outcome};
use chrono::{DateTime, TimeDelta, Utc};
use workflows::activities::calls::Admission;

use crate::support::{
    NOW, Prospect, RUN, Service, User, admit_input, admitted, at, minutes_after, talked, unanswered,
};

/// Asks for admission with a number of lines.
async fn ask(
    service: &Service,
    call: &str,
    lines: i32,
    now: DateTime<Utc>,
) -> Result<String, String> {
    match admit::run(&service.calls_with(now, lines), &admit_input(call, RUN)).await.unwrap() {
        Admission::Admitted(dial) => Ok(dial.dial_id.to_string()),
        Admission::Deferred { detail, .. } | Admission::Denied { detail, .. } => Err(detail),
    }
}

async fn calls_of(users: &[(&'static str, &[&str])]) -> Service {
    let service = Service::start().await;
    for (user, prospects) in users {
        User::new(*user).insert(&service.database).await.unwrap();
        for (n, prospect) in prospects.iter().enumerate() {
            service.due_call_of(Prospect::new(*prospect).of_user(*user)).await;
            let slot = at(NOW) - TimeDelta::seconds(60 - n as i64);
            sqlx::query("update conversations set slot = $2 where prospect_id = $1")
                .bind(prospect)
                .bind(slot)
                .execute(&service.database)
                .await
                .unwrap();
        }
    }
    service
}

#[tokio::test]
async fn free_line_goes_to_the_earliest_waiting_slot() {
    let service = calls_of(&[("user1-id", &["a", "b", "c"])]).await;
    assert_eq!(ask(&service, "a-1", 1, at(NOW)).await, Ok("a-1.1".to_owned()));
    for (call, position) in [("c-1", 1), ("b-1", 1), ("c-1", 2)] {
        let detail = ask(&service, call, 1, at(NOW)).await.unwrap_err();
        assert_eq!(
            detail,
            format!("Waiting for a line, position {position} in the queue."),
            "{call}"
        );
    }
    record_outcome::run(&service.calls, &talked("a-1", 0)).await.unwrap();
    // The later slot asks first and still waits for the earlier one.
    assert!(ask(&service, "c-1", 1, at(NOW)).await.is_err());
    assert_eq!(ask(&service, "b-1", 1, at(NOW)).await, Ok("b-1.1".to_owned()));
}

#[tokio::test]
async fn call_that_stopped_asking_does_not_hold_its_place() {
    let service = calls_of(&[("user1-id", &["a", "b", "c"])]).await;
    admitted(admit::run(&service.calls, &admit_input("a-1", RUN)).await.unwrap());
    assert!(ask(&service, "b-1", 1, at(NOW)).await.is_err());
    record_outcome::run(&service.calls, &talked("a-1", 0)).await.unwrap();
    let soon = at(NOW) + TimeDelta::seconds(30);
    assert!(ask(&service, "c-1", 1, soon).await.is_err(), "the other one is still awaited");
    assert!(ask(&service, "c-1", 1, minutes_after(1)).await.is_ok());
}

#[tokio::test]
async fn line_limit_of_a_user_affects_this_user_only() {
    let service = calls_of(&[("user1-id", &["a", "b"]), ("user2-id", &["c", "d"])]).await;
    service
        .execute("update advanced_settings set max_concurrent_calls = 1 where id = 'adv-user1-id'")
        .await;
    assert!(ask(&service, "a-1", 5, at(NOW)).await.is_ok());
    assert!(
        ask(&service, "b-1", 5, at(NOW)).await.unwrap_err().contains("position 1 in the queue")
    );
    for call in ["c-1", "d-1"] {
        assert!(ask(&service, call, 5, at(NOW)).await.is_ok(), "{call}");
    }
}

#[tokio::test]
async fn two_prospects_with_one_number_are_not_called_together_or_in_a_row() {
    let service = calls_of(&[("user1-id", &["a", "b"]), ("user2-id", &["c"])]).await;
    service.execute("update prospects set phone = '+12125550166'").await;
    assert!(ask(&service, "a-1", 5, at(NOW)).await.is_ok());
    for call in ["b-1", "c-1"] {
        let detail = ask(&service, call, 5, at(NOW)).await.unwrap_err();
        assert_eq!(detail, "A call to the same phone number is planned or in progress.", "{call}");
    }
    record_outcome::run(&service.calls, &unanswered("a-1")).await.unwrap();
    // The cool-down of the number holds for this user only.
    let detail = ask(&service, "b-1", 5, at(NOW)).await.unwrap_err();
    assert_eq!(detail, "The phone number cools down after a call to another prospect.");
    assert!(ask(&service, "c-1", 5, at(NOW)).await.is_ok());
}

#[tokio::test]
async fn legal_cap_counts_the_calls_of_all_users() {
    let service = calls_of(&[("user1-id", &["a"]), ("user2-id", &["b", "c"])]).await;
    // Florida: three in 24 hours; the federal hours of New York and Florida are equal here.
    service.execute("update prospects set phone = '+13055550166'").await;
    for call in ["a-1", "b-1"] {
        let dial = ask(&service, call, 5, at(NOW)).await.unwrap();
        let sent =
            format!("update dials set state = 'SENT', sent_at = intended_at where id = '{dial}'");
        service.execute(sent).await;
        record_outcome::run(&service.calls, &talked(call, 30)).await.unwrap();
        let cooled_down = format!("update prospects set next_call_at = '{NOW}'");
        service.execute(cooled_down).await;
    }
    assert!(ask(&service, "c-1", 5, at(NOW)).await.is_ok());
    service
        .execute(
            "update dials set closed_at = intended_at, state = 'NOT_PLACED' where id = 'c-1.1'",
        )
        .await;
    service.execute("update conversations set status = 'SCHEDULED' where id = 'c-1'").await;
    service.execute("update calling_rules set cap_per_day = 2 where id = 'us-fl'").await;
    let detail = ask(&service, "c-1", 5, at(NOW)).await.unwrap_err();
    assert_eq!(detail, "The law allows no further call to the phone number for now.");
}
