//! Activities of a plan run.

use activities::calls::record_outcome;
use activities::planning::{pick_due_callbacks, pick_users};
use chrono::TimeDelta;
use domain::BlockReason;
use domain::ids::UserId;
use domain::status::Reason;
use serde_json::{Value, json};
use store::decisions;

use workflows::activities::planning::{PickDueCallbacksInput, PickUsersInput, PlannedCall};

use crate::support::{NOW, Prospect, Service, User, at, minutes_after, unreached};

const DECISIONS: &str = "select prospect_id, conversation_id, slot at time zone 'UTC' as slot,
    reason, detail from plan_decisions order by prospect_id, id";

fn planned_calls(calls: &[PlannedCall]) -> Vec<(&str, String)> {
    calls.iter().map(|call| (call.conversation_id.as_str(), call.slot.to_rfc3339())).collect()
}

/// The reasons of the prospects that a run has skipped.
async fn reasons(service: &Service, run: &str) -> Vec<Value> {
    let query = format!(
        "select prospect_id as id, reason, next_allowed at time zone 'UTC' as next
        from plan_decisions where plan_run = '{run}' and reason is not null order by 1"
    );
    service.rows(query).await
}

#[tokio::test]
async fn new_prospect_is_planned_at_once_and_callback_at_its_time() {
    let service = Service::start().await;
    User::default().insert(&service.database).await.unwrap();
    Prospect::new("p1-id").insert(&service.database).await.unwrap();
    let callback = Prospect::new("p2-id").callback_at("2025-02-25T14:15:00Z");
    callback.insert(&service.database).await.unwrap();

    let planned = service.plan("run", "user1-id", at(NOW)).await;
    assert_eq!(
        planned_calls(&planned.calls),
        [
            ("p1-id-1", "2025-02-25T14:00:00+00:00".to_owned()),
            ("p2-id-1", "2025-02-25T14:15:00+00:00".to_owned()),
        ]
    );
    assert!(planned.skipped.is_empty());
    let rows = service
        .rows(
            "select id, user_id, prospect_id, sequence, status, plan_run, outcome
            from conversations order by id",
        )
        .await;
    assert_eq!(
        rows,
        [
            json!({"id": "p1-id-1", "user_id": "user1-id", "prospect_id": "p1-id", "sequence": 1,
                "status": "SCHEDULED", "plan_run": "run", "outcome": null}),
            json!({"id": "p2-id-1", "user_id": "user1-id", "prospect_id": "p2-id", "sequence": 1,
                "status": "SCHEDULED", "plan_run": "run", "outcome": null}),
        ]
    );
    assert_eq!(
        service.rows(DECISIONS).await,
        [
            json!({"prospect_id": "p1-id", "conversation_id": "p1-id-1",
                "slot": "2025-02-25T14:00:00", "reason": null, "detail": null}),
            json!({"prospect_id": "p2-id", "conversation_id": "p2-id-1",
                "slot": "2025-02-25T14:15:00", "reason": null, "detail": null}),
        ]
    );
}

#[tokio::test]
async fn repeated_run_returns_the_same_and_writes_nothing() {
    let service = Service::start().await;
    User { per_day: 1, ..User::default() }.insert(&service.database).await.unwrap();
    for id in ["p1-id", "p2-id", "p3-id"] {
        Prospect::new(id).insert(&service.database).await.unwrap();
    }
    let first = service.plan("run", "user1-id", at(NOW)).await;
    let tables = crate::support::dump(&service).await;
    // Later changes do not affect a repeated run.
    Prospect::new("p4-id").insert(&service.database).await.unwrap();
    let again = service.plan("run", "user1-id", at(NOW)).await;
    assert_eq!(planned_calls(&again.calls), planned_calls(&first.calls));
    assert_eq!((first.skipped[&BlockReason::DailyLimit], &again.skipped), (2, &first.skipped));
    service.execute("delete from prospects where id = 'p4-id'").await;
    assert_eq!(crate::support::dump(&service).await, tables);
}

#[tokio::test]
async fn concurrent_runs_plan_no_prospect_twice() {
    let service = Service::start().await;
    User::default().insert(&service.database).await.unwrap();
    for number in 0..8 {
        Prospect::new(format!("p{number}-id")).insert(&service.database).await.unwrap();
    }
    let (a, b, c, d) = tokio::join!(
        service.plan("run", "user1-id", at(NOW)),
        service.plan("run", "user1-id", at(NOW)),
        service.plan("another", "user1-id", at(NOW)),
        service.plan("next", "user1-id", minutes_after(30)),
    );
    let open = "select prospect_id from conversations where status = 'SCHEDULED'";
    assert_eq!(service.rows(open).await.len(), 8);
    assert_eq!(planned_calls(&a.calls), planned_calls(&b.calls));
    assert_eq!(a.calls.len() + c.calls.len() + d.calls.len(), 8);
}

#[tokio::test]
async fn every_skipped_prospect_has_a_decision() {
    let service = Service::start().await;
    User::default().insert(&service.database).await.unwrap();
    let contacted = |id: &str, at: &str| Prospect {
        status: "NOT_RESPONDED".to_owned(),
        last_contacted: Some(at.to_owned()),
        ..Prospect::new(id)
    };
    let callback = |id: &str, at: &str| Prospect::new(id).callback_at(at);
    for prospect in [
        contacted("a-recent", "2025-02-24T14:00:01Z"),
        contacted("b-rested", "2025-02-24T14:00:00Z"),
        Prospect { phone: "555-0100".to_owned(), ..Prospect::new("c-phone") },
        Prospect::new("d-suppressed").phone_ending(212, 1),
        Prospect::new("e-suppressed-for-all").phone_ending(212, 2),
        Prospect::new("f-suppressed-elsewhere").phone_ending(212, 3),
        callback("g-due", "2025-02-25T14:29:59Z"),
        callback("h-not-due", "2025-02-25T14:30:00Z"),
        Prospect { time_zone: Some("Mars/Olympus".to_owned()), ..Prospect::new("i-zone") },
        Prospect { time_zone: Some("America/Los_Angeles".to_owned()), ..Prospect::new("j-asleep") },
        Prospect::new("k-attempts"),
        Prospect::new("l-open"),
        Prospect { status: "BOOKED".to_owned(), ..Prospect::new("m-booked") },
        Prospect { status: "NOT_INTERESTED".to_owned(), ..Prospect::new("n-declined") },
        Prospect { status: "DO_NOT_CALL".to_owned(), ..Prospect::new("o-do-not-call") },
        Prospect { status: "FAILED".to_owned(), ..Prospect::new("q-failed") },
    ] {
        prospect.insert(&service.database).await.unwrap();
    }
    User::new("user2-id").insert(&service.database).await.unwrap();
    service.execute("update advanced_settings set max_attempts = 1").await;
    for statement in [
        "insert into suppressions (user_id, phone, reason) values
            ('user1-id', '+12125550101', 'asked'), (null, '+12125550102', 'a list'),
            ('user2-id', '+12125550103', 'asked')",
        "insert into conversations
            (id, user_id, prospect_id, sequence, slot, plan_run, status, recorded_at)
        values ('k-attempts-1', 'user1-id', 'k-attempts', 1, now(), 'old', 'COMPLETED', now()),
            ('l-open-1', 'user1-id', 'l-open', 1, '2025-02-25T14:00:00Z', 'old', 'SCHEDULED', null)",
        "insert into dials (id, conversation_id, user_id, prospect_id, sequence, phone, state,
            subscription_id, reserved_minutes, dial_deadline, join_timeout_secs, max_duration_secs,
            intended_at, sent_at, closed_at)
        values ('k-attempts-1.1', 'k-attempts-1', 'user1-id', 'k-attempts', 1, '+1234567890',
            'PLACED', 'sub-user1-id', 10, now(), 45, 600, now(), '2025-02-20T14:00:00Z', now())",
    ] {
        service.execute(statement).await;
    }

    let planned = service.plan("run", "user1-id", at(NOW)).await;
    let mut called: Vec<&str> =
        planned.calls.iter().map(|call| call.prospect_id.as_str()).collect();
    called.sort_unstable();
    assert_eq!(called, ["b-rested", "f-suppressed-elsewhere", "g-due", "q-failed"]);
    let skipped = |id: &str, reason: &str, next: Option<&str>| json!({"id": id, "reason": reason, "next": next});
    assert_eq!(
        reasons(&service, "run").await,
        [
            skipped("a-recent", "cooling_down", Some("2025-02-25T14:00:01")),
            skipped("c-phone", "phone_invalid", None),
            skipped("d-suppressed", "suppressed", None),
            skipped("e-suppressed-for-all", "suppressed", None),
            skipped("h-not-due", "not_due", Some("2025-02-25T14:30:00")),
            skipped("i-zone", "prospect_zone_unknown", None),
            skipped("j-asleep", "outside_hours", Some("2025-02-25T16:00:00")),
            skipped("k-attempts", "attempts_used_up", None),
            skipped("l-open", "open_conversation", None),
        ]
    );
    let counted: u32 = planned.skipped.values().sum();
    assert_eq!((counted, planned.skipped[&BlockReason::Suppressed]), (9, 2));
    let wordless = "select * from plan_decisions where reason is not null and detail is null";
    assert!(service.rows(wordless).await.is_empty());
}

#[tokio::test]
async fn plan_keeps_the_daily_limit_and_the_balance() {
    for (user, reason) in [
        (User { per_day: 2, ..User::default() }, "daily_limit"),
        (User { minutes: 2, ..User::default() }, "no_minutes"),
    ] {
        let service = Service::start().await;
        user.insert(&service.database).await.unwrap();
        for id in ["p1-id", "p2-id", "p3-id"] {
            Prospect::new(id).insert(&service.database).await.unwrap();
        }
        let planned = service.plan("run", "user1-id", at(NOW)).await;
        assert_eq!((planned.calls.len(), planned.skipped[&reason.parse().unwrap()]), (2, 1));
        // Waiting calls and calls in progress count.
        service.admit("p1-id-1").await;
        let next = service.plan("next", "user1-id", minutes_after(30)).await;
        assert_eq!(
            (next.calls.len(), next.skipped[&reason.parse().unwrap()]),
            (0, 1),
            "{:?}",
            next.skipped
        );
        assert_eq!(next.skipped[&BlockReason::OpenConversation], 2);
    }
}

#[tokio::test]
async fn blocked_user_has_a_decision_that_names_what_is_missing() {
    let service = Service::start().await;
    for (change, reason, words) in [
        ("delete from settings", "settings_missing", "no AdvancedSetting"),
        ("delete from advanced_settings", "settings_missing", "no AdvancedSetting"),
        ("delete from script_settings", "settings_missing", "no ScriptSetting"),
        ("delete from agent_settings", "settings_missing", "no AgentSetting"),
        (
            "update advanced_settings set time_zone = 'Mars/Olympus'",
            "window_invalid",
            "\"Mars/Olympus\" is unknown",
        ),
        ("update advanced_settings set end_at = start_at", "window_invalid", "window is empty"),
        ("delete from subscriptions", "no_active_subscription", "no active subscription"),
        (
            "update subscriptions set status = 'PAUSED'",
            "no_active_subscription",
            "no active subscription",
        ),
        (
            "update subscriptions set status = 'EXPIRED'",
            "no_active_subscription",
            "no active subscription",
        ),
        ("update users set paused_at = now()", "paused", "paused"),
        ("update service set paused_at = now()", "paused", "paused"),
        ("delete from service", "paused", "paused"),
    ] {
        service.clear().await;
        User::default().insert(&service.database).await.unwrap();
        Prospect::default().insert(&service.database).await.unwrap();
        service.execute(change).await;
        for run in ["run", "run"] {
            let planned = service.plan(run, "user1-id", at(NOW)).await;
            assert_eq!(
                (planned.calls.len(), planned.skipped[&reason.parse().unwrap()]),
                (0, 1),
                "{change}"
            );
        }
        let decision = service.row(DECISIONS).await;
        assert_eq!((&decision["prospect_id"], &decision["reason"]), (&Value::Null, &json!(reason)));
        let detail = decision["detail"].as_str().unwrap();
        assert!(detail.contains(words) && detail.ends_with('.'), "{change}: {detail}");
    }
}

#[tokio::test]
async fn users_are_picked_in_order_of_their_last_plan() {
    let service = Service::start().await;
    for id in ["a", "b", "c", "d", "e"] {
        User::new(id).insert(&service.database).await.unwrap();
    }
    service.plan("r1", "c", minutes_after(-60)).await;
    service.plan("r2", "a", minutes_after(-30)).await;
    service.plan("r3", "e", at(NOW)).await;
    let pick = async |limit, except: &[&str]| {
        let except = except.iter().map(|id| UserId::new(*id)).collect();
        let input = PickUsersInput { limit, planned_before: at(NOW), except };
        pick_users(&service.planning, &input).await.unwrap()
    };
    assert_eq!(pick(10, &[]).await, ["b", "d", "c", "a"]);
    assert_eq!(pick(3, &[]).await, ["b", "d", "c"]);
    assert_eq!(pick(3, &["b", "c"]).await, ["d", "a"]);
    assert_eq!(pick(0, &[]).await, Vec::<UserId>::new());
    // A time that no run can have written does not keep a user from being planned.
    let wrong = "update users set planned_at = '2199-01-01' where id = 'a'";
    service.execute(wrong).await;
    assert_eq!(pick(2, &[]).await, ["a", "b"]);
    service.plan("r4", "a", at(NOW)).await;
    assert_eq!(pick(10, &[]).await, ["b", "d", "c"]);
}

#[tokio::test]
async fn prospect_whose_script_can_not_be_filled_in_is_not_planned() {
    let service = Service::start().await;
    User::default().insert(&service.database).await.unwrap();
    let called = Prospect { status: "NOT_RESPONDED".to_owned(), ..Prospect::new("a-called") };
    for prospect in [called, Prospect::new("b-size"), Prospect::new("c-no-size")] {
        prospect.insert(&service.database).await.unwrap();
    }
    for statement in [
        "update prospects set custom = '{\"size\": \"10\"}' where id = 'b-size'",
        "update script_settings set initial = 'You are {custom.size} people', follow_up = 'Hi {who}'",
        "insert into conversations
            (id, user_id, prospect_id, sequence, slot, plan_run, status, recorded_at)
        values ('a-called-1', 'user1-id', 'a-called', 1, now(), 'old', 'COMPLETED', now())",
        "insert into dials (id, conversation_id, user_id, prospect_id, sequence, phone, state,
            subscription_id, reserved_minutes, dial_deadline, join_timeout_secs, max_duration_secs,
            intended_at, sent_at, closed_at)
        values ('a-called-1.1', 'a-called-1', 'user1-id', 'a-called', 1, '+12125560001',
            'PLACED', 'sub-user1-id', 10, now(), 45, 600, now(), '2025-02-20T14:00:00Z', now())",
    ] {
        service.execute(statement).await;
    }
    let planned = service.plan("run", "user1-id", at(NOW)).await;
    let called: Vec<_> = planned.calls.iter().map(|call| call.prospect_id.as_str()).collect();
    assert_eq!(called, ["b-size"]);
    let details = "select prospect_id as id, detail from plan_decisions
        where reason = 'script_invalid' order by prospect_id";
    let details = service.rows(details).await;
    for (found, (id, word)) in
        details.iter().zip([("a-called", "{who}"), ("c-no-size", "{custom.size}")])
    {
        assert_eq!(found["id"], id);
        assert!(found["detail"].as_str().unwrap().contains(word), "{found}");
    }
    assert_eq!(details.len(), 2, "{details:?}");
    // A first message that can't be filled in blocks all.
    service.execute("update agent_settings set first_message = 'Hi [name]'").await;
    let planned = service.plan("next", "user1-id", minutes_after(30)).await;
    assert!(planned.calls.is_empty(), "{planned:?}");
}

#[tokio::test]
async fn deleted_user_has_no_plan() {
    let service = Service::start().await;
    let planned = service.plan("run", "nobody", at(NOW)).await;
    assert!(planned.calls.is_empty() && planned.skipped.is_empty());
    assert!(service.rows(DECISIONS).await.is_empty());
}

#[tokio::test]
async fn conversations_of_a_reinserted_prospect_count_on() {
    let service = Service::start().await;
    User::default().insert(&service.database).await.unwrap();
    Prospect::default().insert(&service.database).await.unwrap();
    service.plan("run", "user1-id", at(NOW)).await;
    service.execute(r#"DELETE FROM "Prospect""#).await;
    service.execute("update conversations set status = 'CANCELLED', recorded_at = now()").await;
    Prospect::default().insert(&service.database).await.unwrap();
    let planned = service.plan("next", "user1-id", minutes_after(30)).await;
    assert_eq!(planned.calls[0].conversation_id, "p1-id-2");
}

#[tokio::test]
async fn longest_waiting_prospects_are_planned_first_and_evenly() {
    let service = Service::start().await;
    User { per_day: 3, ..User::default() }.insert(&service.database).await.unwrap();
    for (id, days) in [("a", 2), ("b", 10), ("c", 40), ("d", 5)] {
        Prospect::new(id).insert(&service.database).await.unwrap();
        let contacted = at(NOW) - TimeDelta::days(days);
        let status = "update prospects set status = 'NOT_RESPONDED', last_contacted = $2
            where id = $1";
        let status = sqlx::query(status).bind(id).bind(contacted);
        status.execute(&service.database).await.unwrap();
    }
    let planned = service.plan("run", "user1-id", at(NOW)).await;
    assert_eq!(
        planned_calls(&planned.calls),
        [
            ("c-1", "2025-02-25T14:00:00+00:00".to_owned()),
            ("b-1", "2025-02-25T14:10:00+00:00".to_owned()),
            ("d-1", "2025-02-25T14:20:00+00:00".to_owned()),
        ]
    );
}

#[tokio::test]
async fn due_callback_is_planned_before_the_users_turn() {
    let service = Service::start().await;
    for id in ["a", "b", "c"] {
        User::new(id).insert(&service.database).await.unwrap();
        let callback =
            Prospect::new(format!("{id}-callback")).of_user(id).callback_at("2025-02-25 14:10:00Z");
        callback.insert(&service.database).await.unwrap();
        let other = Prospect::new(format!("{id}-other")).of_user(id);
        other.insert(&service.database).await.unwrap();
    }
    // Only `a` has its turn; the callback of `c` is planned already.
    service.plan("run", "a", at(NOW)).await;
    service.plan_callbacks("run", "c").await;
    let page = |after: Option<&str>| PickDueCallbacksInput {
        limit: 10,
        before: minutes_after(30),
        planned_before: at(NOW),
        after: after.map(UserId::from),
    };
    assert_eq!(pick_due_callbacks(&service.planning, &page(None)).await.unwrap(), ["b"]);
    assert_eq!(
        pick_due_callbacks(&service.planning, &page(Some("b"))).await.unwrap(),
        Vec::<UserId>::new()
    );
    let planned = service.plan_callbacks("run", "b").await;
    let calls: Vec<&str> = planned.calls.iter().map(|call| call.prospect_id.as_str()).collect();
    assert_eq!(calls, ["b-callback"]);
    assert_eq!(planned.calls[0].slot, minutes_after(10));
    // Again: no call is planned twice, and its turn for other calls still comes.
    assert_eq!(service.plan_callbacks("run", "b").await.calls.len(), 1);
    let turn = PickUsersInput { limit: 3, planned_before: at(NOW), except: Vec::new() };
    assert_eq!(pick_users(&service.planning, &turn).await.unwrap(), ["b", "c"]);
}

/// Blocked prospects do not hide callable ones.
#[tokio::test]
async fn thousand_suppressed_prospects_do_not_hide_others() {
    let service = Service::start().await;
    User::default().insert(&service.database).await.unwrap();
    for statement in [
        "insert into prospects (id, user_id, name, phone, created_at)
            select 's' || n, 'user1-id', 'Ann', '+1212557' || lpad(n::text, 4, '0'), now() - interval '1 day'
            from generate_series(1, 1500) n",
        "insert into suppressions (phone, reason) select phone, 'imported' from prospects",
    ] {
        service.execute(statement).await;
    }
    Prospect::new("callable").insert(&service.database).await.unwrap();
    let planned = service.plan("run", "user1-id", at(NOW)).await;
    assert_eq!(planned.calls.len(), 1);
    assert_eq!(planned.calls[0].prospect_id, "callable");
}

#[tokio::test]
async fn old_decisions_are_pruned() {
    let service = Service::start().await;
    service.due_call(User::default(), Prospect::default()).await;
    service.admit("p1-id-1").await;
    service.plan("run", "user1-id", at(NOW)).await;
    let kept = "select (select count(*) from plan_decisions) + (select count(*) from admission_decisions) as n";
    assert_eq!(service.row(kept).await["n"], 2);
    assert_eq!(decisions::prune(&service.store, at(NOW)).await.unwrap(), 0);
    assert_eq!(decisions::prune(&service.store, minutes_after(1)).await.unwrap(), 2);
}

#[tokio::test]
async fn cool_down_follows_the_retry_rules() {
    for (reason, past, minutes) in [
        (Reason::Busy, 0, 15),
        (Reason::NoAnswer, 0, 120),
        (Reason::NoAnswer, 1, 240),
        (Reason::NoAnswer, 2, 24 * 60),
        (Reason::NoAnswer, 7, 24 * 60),
        (Reason::Voicemail, 0, 24 * 60),
        (Reason::Rejected, 0, 24 * 60),
    ] {
        let service = Service::start().await;
        service.due_call(User::default(), Prospect::default()).await;
        service.admit("p1-id-1").await;
        let earlier = format!(
            "insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run, status,
                outcome, reason, recorded_at)
            select 'e' || n, 'user1-id', 'p1-id', n + 10, now(), 'run', 'COMPLETED', 'NO_RESPONSE',
                '{reason}', now() from generate_series(1, {past}) n"
        );
        service.execute(earlier).await;
        let record = unreached("p1-id-1", reason);
        record_outcome::run(&service.calls, &record).await.unwrap();
        let rest =
            "select round(extract(epoch from next_call_at - last_contacted) / 60)::int as minutes
            from prospects";
        assert_eq!(service.row(rest).await["minutes"], minutes, "{reason} {past}");
    }
}
