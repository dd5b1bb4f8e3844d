//! Plan runs of several users, late runs, failed users, and repeated decisions.

use activities::planning::{pick_due_callbacks, pick_users, plan_user, share_slots, skip_user};
use chrono::TimeDelta;
use domain::BlockReason;
use domain::ids::UserId;
use serde_json::{Value, json};
use store::decisions;
use workflows::activities::planning::{
    PickDueCallbacksInput, PickUsersInput, PlanUserInput, PlannedUser, ShareSlotsInput,
    SkipUserInput,
};

use crate::support::{NOW, Prospect, Service, User, at, minutes_after};

async fn with_prospects(count: u32, users: &[&str]) -> Service {
    let service = Service::start().await;
    for (position, user) in users.iter().enumerate() {
        let user = User { per_day: 1_000, ..User::new(*user) };
        user.insert(&service.database).await.unwrap();
        let prospects = format!(
            "insert into prospects (id, user_id, name, phone)
            select '{0}-' || n, '{0}', 'Ann', '+1212' || ({1} + n) from generate_series(1, {count}) n",
            user.id,
            2_000_000 + position * 10_000
        );
        service.execute(prospects).await;
    }
    service
}

/// The plan of a user for some minutes from [`NOW`].
fn input(user: &str, minutes: i64, share: Option<usize>) -> PlanUserInput {
    PlanUserInput {
        run: "run".to_owned(),
        user_id: UserId::new(user),
        from: at(NOW),
        until: minutes_after(minutes),
        callbacks_only: false,
        share,
    }
}

async fn reasons(service: &Service) -> Vec<Value> {
    service.rows("select plan_run, prospect_id, reason from plan_decisions order by id").await
}

#[tokio::test]
async fn late_run_plans_nothing_in_the_past() {
    let service = with_prospects(20, &["user1-id"]).await;
    let callback = Prospect::new("callback").callback_at("2025-02-25T14:05:00Z");
    callback.insert(&service.database).await.unwrap();
    let late = service.planning_at(minutes_after(20));
    let planned = plan_user(&late, &input("user1-id", 30, None)).await.unwrap();
    assert_eq!(planned.calls.len(), 21);
    let first = planned.calls.iter().map(|call| call.slot).min().unwrap();
    assert_eq!(first, minutes_after(20) + TimeDelta::seconds(1));
    assert!(planned.calls.iter().all(|call| call.slot < minutes_after(30)));
}

#[tokio::test]
async fn run_whose_interval_is_over_leaves_the_user_its_turn() {
    let service = with_prospects(3, &["user1-id"]).await;
    let late = service.planning_at(minutes_after(30));
    let planned = plan_user(&late, &input("user1-id", 30, None)).await.unwrap();
    assert!(planned.interval_over && planned.calls.is_empty(), "{planned:?}");
    let turn = "select planned_at, (select count(*) from plan_decisions) as decisions from users";
    assert_eq!(service.row(turn).await, json!({"planned_at": null, "decisions": 0}));
    // What it planned in time is returned even then.
    let in_time = plan_user(&service.planning, &input("user1-id", 30, None)).await.unwrap();
    let again = plan_user(&late, &input("user1-id", 30, None)).await.unwrap();
    assert_eq!((in_time.calls.len(), again.calls.len()), (3, 3));
}

/// Five lines for five minutes are 50 slots.
#[tokio::test]
async fn scarce_slots_are_shared_among_the_users_of_a_run() {
    for (users, few, expected) in [
        (&["a", "z"][..], 120, vec![25, 25]),
        (&["a", "m", "z"][..], 120, vec![16, 17, 17]),
        (&["a", "m", "z"][..], 4, vec![23, 23, 4]),
    ] {
        let service = with_prospects(120, users).await;
        let last = users.last().unwrap();
        service.execute(format!("update plans set per_day = {few} where id = 'plan-{last}'")).await;
        let page = ShareSlotsInput {
            users: users.iter().map(|user| UserId::new(*user)).collect(),
            users_left: 100,
            from: at(NOW),
            until: minutes_after(5),
        };
        let shares = share_slots(&service.planning, &page).await.unwrap();
        let mut planned = Vec::new();
        for (user, share) in users.iter().zip(shares) {
            let plan = plan_user(&service.planning, &input(user, 5, share)).await.unwrap();
            planned.push(plan.calls.len());
        }
        if few > 100 {
            planned.sort_unstable();
        }
        assert_eq!(planned, expected);
    }
}

#[tokio::test]
async fn ample_slots_are_not_limited_and_a_page_leaves_the_others_their_part() {
    let service = with_prospects(120, &["a", "m", "z"]).await;
    let page = |users: &[&str], minutes| ShareSlotsInput {
        users: users.iter().map(|user| UserId::new(*user)).collect(),
        users_left: 100,
        from: at(NOW),
        until: minutes_after(minutes),
    };
    let first_page = share_slots(&service.planning, &page(&["a", "m"], 5)).await.unwrap();
    assert_eq!(first_page, [Some(16), Some(17)]);
    service.execute("update plans set per_day = 16").await;
    let ample = share_slots(&service.planning, &page(&["a", "m", "z"], 5)).await.unwrap();
    assert_eq!(ample, [None; 3]);
}

/// Each transaction sees the slots of the others, also of those that plan at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_planned_at_the_same_time_keep_their_distance() {
    let service = with_prospects(10, &["a", "b", "c", "d"]).await;
    let plans = ["a", "b", "c", "d"].map(|user| input(user, 30, None));
    let planned = plans.iter().map(|plan| plan_user(&service.planning, plan));
    let planned: Vec<PlannedUser> =
        futures::future::join_all(planned).await.into_iter().map(Result::unwrap).collect();
    let mut slots: Vec<_> = planned.iter().flat_map(|plan| &plan.calls).map(|c| c.slot).collect();
    slots.sort_unstable();
    assert_eq!(slots.len(), 40);
    assert!(slots.windows(2).all(|two| two[1] - two[0] >= TimeDelta::seconds(6)), "{slots:?}");
}

/// A failed user has a decision, and its turn is over.
#[tokio::test]
async fn user_that_cannot_be_planned_goes_to_the_end_of_the_order() {
    let service = with_prospects(1, &["a", "b"]).await;
    let failed = SkipUserInput { plan: input("a", 30, None), error: "a row is unreadable".into() };
    for _ in 0..2 {
        let skipped = skip_user(&service.planning, &failed).await.unwrap();
        assert!(skipped.calls.is_empty(), "{skipped:?}");
    }
    let decision = service.row("select user_id, prospect_id, reason, detail from plan_decisions");
    assert_eq!(
        decision.await,
        json!({"user_id": "a", "prospect_id": null, "reason": "planning_failed",
            "detail": "The plan of the user failed twice, or took too long. a row is unreadable."})
    );
    let page = PickUsersInput { limit: 5, planned_before: minutes_after(30), except: vec![] };
    assert_eq!(pick_users(&service.planning, &page).await.unwrap(), ["b", "a"]);
}

/// The attempt has committed, and only its result was lost.
#[tokio::test]
async fn calls_of_a_lost_result_are_returned() {
    let service = with_prospects(3, &["a"]).await;
    let planned = plan_user(&service.planning, &input("a", 30, None)).await.unwrap();
    let lost = SkipUserInput { plan: input("a", 30, None), error: "timed out".into() };
    let returned = skip_user(&service.planning, &lost).await.unwrap();
    let ids = |planned: &PlannedUser| {
        planned.calls.iter().map(|call| call.conversation_id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!((ids(&returned), returned.calls.len()), (ids(&planned), 3));
    let failed = "select 1 as found from plan_decisions where reason = 'planning_failed'";
    assert!(service.rows(failed).await.is_empty());
}

#[tokio::test]
async fn skip_is_stored_once_until_it_changes() {
    let service = with_prospects(1, &["user1-id"]).await;
    let stored = |run: &str, prospect: Option<&str>, reason: &str| json!({"plan_run": run, "prospect_id": prospect, "reason": reason});
    let mut expected = Vec::new();
    for (number, (change, decision)) in [
        (
            "insert into suppressions (phone, reason) select phone, 'asked' from prospects",
            Some("suppressed"),
        ),
        ("select 1", None),
        ("update prospects set phone = '555'", Some("phone_invalid")),
        ("update users set paused_at = now()", Some("paused")),
        ("select 1", None),
        ("update users set paused_at = null", None),
        ("delete from subscriptions", Some("no_active_subscription")),
        ("update prospects set phone = '556'", None),
    ]
    .into_iter()
    .enumerate()
    {
        service.execute(change).await;
        let run = format!("run-{number}");
        let planned = service.plan(&run, "user1-id", minutes_after(30 * number as i64)).await;
        assert_eq!(planned.skipped.values().sum::<u32>(), 1, "{change}: each run counts it");
        if let Some(reason) = decision {
            let of_user = ["paused", "no_active_subscription"].contains(&reason);
            expected.push(stored(&run, (!of_user).then_some("user1-id-1"), reason));
        }
        assert_eq!(reasons(&service).await, expected, "{change}");
    }
}

/// Prospects whose attempts are used up are not read again until that may have changed.
#[tokio::test]
async fn prospect_without_attempts_is_considered_once() {
    const DIALED: &str = "insert into conversations
        (id, user_id, prospect_id, sequence, slot, plan_run, status, recorded_at)
        select id || '-1', user_id, id, 1, '2025-02-20 14:00Z', 'old', 'COMPLETED', now() from prospects";
    const SENT: &str = "insert into dials (id, conversation_id, user_id, prospect_id, sequence,
            phone, state, subscription_id, reserved_minutes, dial_deadline, join_timeout_secs,
            max_duration_secs, intended_at, sent_at, closed_at)
        select id || '-1.1', id || '-1', user_id, id, 1, phone, 'PLACED', 'sub', 10, now(), 45, 600,
            '2025-02-20 14:00Z', '2025-02-20 14:00Z', now() from prospects";
    for callback in [false, true] {
        let service = with_prospects(1, &["user1-id"]).await;
        if callback {
            let due =
                format!("update prospects set status = 'RESCHEDULED', rescheduled_for = '{NOW}'");
            service.execute(due).await;
        }
        service.execute("update advanced_settings set max_attempts = 1").await;
        service.execute(DIALED).await;
        service.execute(SENT).await;
        let due = PickDueCallbacksInput {
            limit: 10,
            before: minutes_after(600),
            planned_before: minutes_after(600),
            after: None,
        };
        for (number, (change, used_up)) in [
            ("select 1", 1),
            ("select 1", 0),
            ("update prospects set status = status", 1),
            ("update prospects set notes = 'x'", 0),
            ("update advanced_settings set max_attempts = 1", 0),
            ("update advanced_settings set max_attempts = 2; update advanced_settings set max_attempts = 1", 0),
        ]
        .into_iter()
        .enumerate()
        {
            sqlx::raw_sql(change).execute(&service.database).await.unwrap();
            let from = minutes_after(30 * number as i64);
            let planned = service.plan(&format!("run-{number}"), "user1-id", from).await;
            let found = planned.skipped.get(&BlockReason::AttemptsUsedUp).copied().unwrap_or(0);
            assert_eq!((found, planned.calls.len()), (used_up, 0), "{callback} {number} {change}");
            let picked = pick_due_callbacks(&service.planning, &due).await.unwrap();
            assert_eq!(picked, Vec::<UserId>::new(), "{number} {change}");
        }
        service.execute("update advanced_settings set max_attempts = 2").await;
        assert_eq!(service.plan("last", "user1-id", minutes_after(300)).await.calls.len(), 1);
    }
}

#[tokio::test]
async fn slots_of_calls_that_are_not_made_are_free() {
    for change in [
        "update users set paused_at = now() where id = 'a'",
        "update subscriptions set status = 'PAUSED' where user_id = 'a'",
        "insert into suppressions (phone, reason) select phone, 'asked' from prospects where user_id = 'a'",
    ] {
        let service = with_prospects(300, &["a", "z"]).await;
        let all = plan_user(&service.planning, &input("a", 5, None)).await.unwrap();
        assert_eq!(all.calls.len(), 50);
        service.execute(change).await;
        let planned = plan_user(&service.planning, &input("z", 5, None)).await.unwrap();
        assert_eq!(planned.calls.len(), 50, "{change}: {:?}", planned.skipped);
    }
}

#[tokio::test]
async fn all_old_decisions_are_pruned_at_once() {
    let service = Service::start().await;
    for decisions in [
        "insert into plan_decisions (plan_run, user_id, prospect_id, reason, decided_at)
            select 'run', 'u', 'p' || n, 'no_room', '2025-01-01Z' from generate_series(1, 45000) n",
        "insert into admission_decisions (conversation_id, user_id, prospect_id, decision, decided_at)
            select 'c' || n, 'u', 'p', 'denied', '2025-01-01Z' from generate_series(1, 25000) n",
    ] {
        service.execute(decisions).await;
    }
    assert_eq!(decisions::prune(&service.store, at(NOW)).await.unwrap(), 70_000);
}

#[tokio::test]
async fn window_until_24_00_is_open_to_the_end_of_the_day() {
    for (zone, start, end, open, closed) in [
        ("UTC", "00:00", "24:00", &["00:00", "12:00", "23:59"][..], &[][..]),
        ("UTC", "09:00", "24:00", &["09:00", "23:59"], &["00:00", "08:59"]),
        (
            "America/New_York",
            "09:00",
            "24:00",
            &["14:00", "23:59", "00:30", "04:59"],
            &["05:00", "13:59"],
        ),
    ] {
        let service = with_prospects(1, &["user1-id"]).await;
        for statement in [
            format!(
                "update advanced_settings set time_zone = '{zone}', start_at = '{start}', end_at = '{end}'"
            ),
            "update calling_rules set opens = '00:00', closes = '23:59:59'".to_owned(),
            "update prospects set time_zone = 'UTC'".to_owned(),
        ] {
            service.execute(statement).await;
        }
        let mut tx = service.store.begin().await.unwrap();
        let user = UserId::new("user1-id");
        let state = store::users::lock_user_state(&mut tx, &user, at(NOW)).await.unwrap();
        let store::users::UserState::Ready(profile) = state else { panic!("{state:?}") };
        let hours = domain::hours::Hours::of_window(profile.window);
        for (times, is_open) in [(open, true), (closed, false)] {
            for time in times {
                let time = at(&format!("2025-02-26T{time}:00Z"));
                assert_eq!(hours.check(time).is_ok(), is_open, "{zone} {start} to {end} at {time}");
            }
        }
        drop(tx);
        assert_eq!(service.plan("run", "user1-id", at(NOW)).await.calls.len(), 1);
    }
}
