//! `worker explain` for every reason not to call a prospect.

use activities::clock::Clock;
use activities::{PlanSettings, Planning};
use chrono::TimeDelta;
use domain::BlockReason;
use domain::ids::ProspectId;
use strum::VariantArray as _;
use worker::explain::explain;
use workflows::clock::ClockOffset;

use crate::support::{NOW, Prospect, Service, User, at};

/// Explains the prospect `p1-id`.
async fn explained(service: &Service, strict_calling_hours: bool) -> Vec<String> {
    let planning = planning(service, strict_calling_hours);
    let (id, interval) = (ProspectId::new("p1-id"), TimeDelta::minutes(30));
    explain(&service.store, &planning, &id, at(NOW), interval).await.unwrap().unwrap()
}

fn planning(service: &Service, strict_calling_hours: bool) -> Planning {
    let settings =
        PlanSettings { strict_calling_hours, max_concurrent_calls: 5, calls_per_minute: 600 };
    Planning::new(service.store.clone(), settings, Clock::Running(ClockOffset::default()))
}

/// The change that makes the next plan run skip a prospect for a reason; `None` for the reasons of admission only.
fn cause(reason: BlockReason) -> Option<&'static str> {
    use BlockReason::*;
    let statements = match reason {
        UserDeleted | ProspectDeleted | ProspectNotCallable | PhoneChanged
        | PlanningFailed | TooEarly | TooLate | LinesBusy | AlreadyRecorded => return None,
        Paused => "update users set paused_at = now()",
        ProviderRejects => {
            "insert into provider_rejections (user_id, in_a_row, users, last_dial_id, detail, rejected_at, trial_at)
            values ('user1-id', 3, '{user1-id}', 'p1-id-1.1', 'unknown voice', '2025-02-25 13:00Z', '2025-02-26')"
        }
        NoActiveSubscription => "update subscriptions set status = 'PAUSED'",
        SettingsMissing => "delete from agent_settings",
        ScriptInvalid => "update script_settings set initial = 'Hello {custom.nickname}'",
        WindowInvalid => "update advanced_settings set calling_days = '{}'",
        PhoneInvalid => "update prospects set phone = '555-0100'",
        ProspectZoneUnknown => "update prospects set time_zone = 'Mars/Olympus'",
        ZoneUndetermined => "update prospects set phone = '+88355501001'",
        Suppressed => {
            "insert into suppressions (phone, reason) values ('+1234567890', 'imported')"
        }
        OpenConversation => {
            "insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run)
            values ('p1-id-1', 'user1-id', 'p1-id', 1, '2025-02-25 14:10Z', 'run')"
        }
        AttemptsUsedUp => "update advanced_settings set max_attempts = 3",
        CoolingDown => {
            "update prospects set status = 'NOT_RESPONDED', last_contacted = '2025-02-25 10:00Z'"
        }
        PhoneClosed => {
            "insert into prospects (id, user_id, name, phone, status)
            values ('other', 'user1-id', 'Ann', '+1 (234) 567-890', 'BOOKED')"
        }
        PhoneBusy => {
            "insert into prospects (id, user_id, name, phone)
                values ('other', 'user1-id', 'Ann', '+1234567890');
            insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run)
                values ('other-1', 'user1-id', 'other', 1, '2025-02-25 14:10Z', 'run')"
        }
        PhoneCoolingDown => {
            "insert into prospects (id, user_id, name, phone, status, next_call_at)
            values ('other', 'user1-id', 'Ann', '+1234567890', 'NOT_RESPONDED', '2025-02-25 16:00Z')"
        }
        PhoneCapReached => "update calling_rules set cap_per_day = 3 where id = 'any'",
        NotDue => {
            "update prospects set status = 'RESCHEDULED', rescheduled_for = '2025-02-26 15:00Z'"
        }
        OutsideHours => "update prospects set time_zone = 'Asia/Tokyo'",
        DailyLimit => "update plans set per_day = 0",
        NoMinutes => "update subscriptions set minutes_left = 0",
        NoRoom => {
            "insert into users (id, name, email) values ('else', 'Other', 'other@example.com');
            insert into subscriptions (id, user_id, plan_id, minutes_left, status)
            select 'sub-else', 'else', plan_id, 600, 'ACTIVE' from subscriptions;
            insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run)
            select 'c' || n, 'else', 'p' || n, 1, '2025-02-25 14:00Z'::timestamptz + n * interval '5 seconds', 'run'
            from generate_series(0, 400) n"
        }
    };
    Some(statements)
}

/// Three calls of the day, for reasons that count calls.
const CALLED: &str =
    "insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run,
        status, outcome, reason, recorded_at)
    select 'p1-id-' || n, 'user1-id', 'p1-id', n, '2025-02-25 13:00Z', 'run', 'COMPLETED',
        'NO_RESPONSE', 'busy', '2025-02-25 13:01Z' from generate_series(10, 12) n;
    insert into dials (id, conversation_id, user_id, prospect_id, sequence, state, phone,
        subscription_id, reserved_minutes, dial_deadline, join_timeout_secs, max_duration_secs,
        intended_at, sent_at, closed_at)
    select 'p1-id-' || n || '.1', 'p1-id-' || n, 'user1-id', 'p1-id', 1, 'PLACED', '+1234567890',
        'sub-user1-id', 10, '2025-02-25 13:15Z', 45, 600, '2025-02-25 13:00Z', '2025-02-25 13:00Z',
        '2025-02-25 13:01Z' from generate_series(10, 12) n";

#[tokio::test]
async fn every_skip_reason_is_explained_with_its_remedy() {
    for reason in BlockReason::VARIANTS {
        let Some(cause) = cause(*reason) else { continue };
        let service = Service::start().await;
        User::default().insert(&service.database).await.unwrap();
        Prospect::default().insert(&service.database).await.unwrap();
        if matches!(reason, BlockReason::AttemptsUsedUp | BlockReason::PhoneCapReached) {
            sqlx::raw_sql(CALLED).execute(&service.database).await.unwrap();
        }
        sqlx::raw_sql(cause).execute(&service.database).await.unwrap();
        let lines = explained(&service, true).await;
        let next = lines.last().unwrap();
        assert!(next.starts_with("Next: ") && next.ends_with(reason.remedy()), "{reason}: {next}");
        let words = match reason {
            // The detail of these names what is wrong.
            BlockReason::SettingsMissing => "AgentSetting",
            BlockReason::ScriptInvalid => {
                "can't be filled in: the script contains {custom.nickname}"
            }
            BlockReason::WindowInvalid => "no day of the week",
            BlockReason::ProspectZoneUnknown => "Mars/Olympus",
            BlockReason::ZoneUndetermined => "determines a time zone",
            BlockReason::OutsideHours => "legal hours, 08:00 to 21:00 in Asia/Tokyo",
            other => other.sentence(),
        };
        assert!(next.contains(words), "{reason}: {next}");
    }
}

#[tokio::test]
async fn every_deny_reason_of_admission_is_explained() {
    let service = Service::start().await;
    User::default().insert(&service.database).await.unwrap();
    Prospect::default().insert(&service.database).await.unwrap();
    for reason in BlockReason::VARIANTS {
        let decision =
            "insert into admission_decisions (conversation_id, user_id, prospect_id, decision,
                reason, detail, decided_at)
            values ('p1-id-1', 'user1-id', 'p1-id', 'denied', $1, $2, '2025-02-25 13:00Z')";
        let decision = sqlx::query(decision).bind(reason.into_str()).bind(reason.sentence());
        decision.execute(&service.database).await.unwrap();
        let lines = explained(&service, false).await;
        assert!(lines.iter().any(|line| line.contains(reason.sentence())), "{lines:?}");
    }
}

#[tokio::test]
async fn history_is_in_order_and_the_next_step_is_last() {
    let service = Service::start().await;
    User::default().insert(&service.database).await.unwrap();
    Prospect::default().insert(&service.database).await.unwrap();
    service
        .execute(
            "update prospects set status = 'NOT_RESPONDED', last_contacted = '2025-02-25 14:00Z',
                next_call_at = '2025-02-25 14:15Z';
            insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run, status,
                outcome, reason, recorded_at)
            values ('p1-id-1', 'user1-id', 'p1-id', 1, '2025-02-25 14:00Z', 'run', 'COMPLETED',
                'NO_RESPONSE', 'busy', '2025-02-25 14:00Z');
            insert into admission_decisions (conversation_id, user_id, prospect_id, decision, decided_at)
            values ('p1-id-1', 'user1-id', 'p1-id', 'admitted', '2025-02-25 14:00Z')",
        )
        .await;
    let lines = explained(&service, false).await;
    assert!(lines[0].ends_with("is NOT_RESPONDED."), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("COMPLETED: NO_RESPONSE, busy")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("Admission of") && line.contains("admitted")));
    let next = lines.last().unwrap();
    assert!(next.contains("Until 2025-02-25 14:15:"), "{next}");
    let planning = planning(&service, false);
    let (id, interval) = (ProspectId::new("unknown"), TimeDelta::minutes(30));
    let unknown = explain(&service.store, &planning, &id, at(NOW), interval);
    assert_eq!(unknown.await.unwrap(), None);
}
