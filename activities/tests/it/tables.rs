//! The users' tables, and what the database enforces.

use serde_json::json;

use crate::support::{Prospect, Service, User};

/// As in the users' documents.
const STATEMENTS: [&str; 8] = [
    r#"INSERT INTO "User" (id, name, email, clerkId, createdAt, updatedAt) VALUES ('user1-id', 'User1', 'user1@example.com', 'clerk1', NOW(), NOW());"#,
    r#"INSERT INTO "Prospect" (id, name, phone, userId, status, lastContacted, rescheduledFor) VALUES ('p1-id', 'Prospect1', '+1234567890', 'user1-id', 'INITIAL', NULL, NULL);"#,
    r#"INSERT INTO "Setting" (id, userId, theme) VALUES ('setting1-id', 'user1-id', 'LIGHT');"#,
    r#"INSERT INTO "AdvancedSetting" (id, settingId, timeZone, startAt, endAt) VALUES ('adv1-id', 'setting1-id', 'America/New_York', '2025-02-25 09:00:00', '2025-02-25 17:00:00');"#,
    r#"INSERT INTO "ScriptSetting" (id, settingId, initial, followUp) VALUES ('script1-id', 'setting1-id', 'Hello...', 'Hi, calling back...');"#,
    r#"INSERT INTO "AgentSetting" (id, settingId, language, voice, firstMessage) VALUES ('agent1-id', 'setting1-id', 'en', 'female', 'Hi {prospectName}');"#,
    r#"INSERT INTO "Plan" (id, name, price, minutes, duration, perDay) VALUES ('plan1-id', 'Basic', 10.0, 600, 30, 10);"#,
    r#"INSERT INTO "Subscription" (id, userId, planId, minutesLeft, status) VALUES ('sub1-id', 'user1-id', 'plan1-id', 600, 'ACTIVE');"#,
];

async fn filled_by_hand() -> Service {
    let service = Service::start().await;
    for statement in STATEMENTS {
        assert_eq!(service.execute(statement).await, 1, "{statement}");
    }
    service
}

#[tokio::test]
async fn users_statements_work_word_for_word() {
    let service = filled_by_hand().await;
    let planned = service.plan("run", "user1-id", crate::support::at(crate::support::NOW)).await;
    assert_eq!(planned.calls.len(), 1, "a user filled in so is complete");
    for (query, row) in [
        (
            r#"select id, name, email, clerkId, createdAt is not null as dated from "User""#,
            json!({"id": "user1-id", "name": "User1", "email": "user1@example.com",
                "clerkid": "clerk1", "dated": true}),
        ),
        (
            r#"select * from "Prospect""#,
            json!({"id": "p1-id", "name": "Prospect1", "phone": "+1234567890",
                "userid": "user1-id", "status": "INITIAL", "lastcontacted": null,
                "rescheduledfor": null, "timezone": null, "state": null, "notes": null,
                "nextcallat": null, "custom": {}}),
        ),
        (
            r#"select * from "Setting""#,
            json!({"id": "setting1-id", "userid": "user1-id", "theme": "LIGHT"}),
        ),
        (
            r#"select * from "AdvancedSetting""#,
            json!({"id": "adv1-id", "settingid": "setting1-id", "timezone": "America/New_York",
                "startat": "09:00:00", "endat": "17:00:00", "maxattempts": 5,
                "callingdays": [1, 2, 3, 4, 5, 6, 7], "daysoff": [],
                "maxconcurrentcalls": null}),
        ),
        (
            r#"select * from "ScriptSetting""#,
            json!({"id": "script1-id", "settingid": "setting1-id", "initial": "Hello...",
                "followup": "Hi, calling back..."}),
        ),
        (
            r#"select * from "AgentSetting""#,
            json!({"id": "agent1-id", "settingid": "setting1-id", "language": "en",
                "voice": "female", "firstmessage": "Hi {prospectName}"}),
        ),
        (
            r#"select * from "Plan""#,
            json!({"id": "plan1-id", "name": "Basic", "price": 10.0, "minutes": 600,
                "duration": 30, "perday": 10}),
        ),
        (
            r#"select id, userId, planId, minutesLeft, status from "Subscription""#,
            json!({"id": "sub1-id", "userid": "user1-id", "planid": "plan1-id",
                "minutesleft": 600, "status": "ACTIVE"}),
        ),
    ] {
        assert_eq!(service.row(query).await, row, "{query}");
    }
}

#[tokio::test]
async fn users_can_change_and_empty_every_table() {
    let service = filled_by_hand().await;
    service
        .execute(
            "insert into conversations
            (id, user_id, prospect_id, sequence, slot, plan_run, status, recorded_at)
            values ('p1-id-1', 'user1-id', 'p1-id', 1, now(), 'run', 'COMPLETED', now())",
        )
        .await;
    let appointment = r#"INSERT INTO "Appointment"
        (id, userId, prospectId, conversationId, appointmentTime, notes)
        VALUES ('a1-id', 'user1-id', 'p1-id', 'p1-id-1', NOW(), 'By hand')"#;
    assert_eq!(service.execute(appointment).await, 1);
    for (change, check) in [
        (
            r#"UPDATE "Prospect" SET status = 'RESCHEDULED', rescheduledFor = NOW()"#,
            "select 1 as found from prospects
            where status = 'RESCHEDULED' and rescheduled_for is not null",
        ),
        (
            r#"UPDATE "AdvancedSetting" SET startAt = '2025-02-25 10:30:00'"#,
            "select 1 as found from advanced_settings where start_at = '10:30'",
        ),
        (
            r#"UPDATE "ScriptSetting" SET followUp = 'Again'"#,
            "select 1 as found from script_settings where follow_up = 'Again'",
        ),
        (
            r#"UPDATE "AgentSetting" SET firstMessage = 'Yes?'"#,
            "select 1 as found from agent_settings where first_message = 'Yes?'",
        ),
        (
            r#"UPDATE "Setting" SET theme = 'DARK'"#,
            "select 1 as found from settings where theme = 'DARK'",
        ),
        (
            r#"UPDATE "Plan" SET perDay = 3, price = 12.5"#,
            "select 1 as found from plans where per_day = 3 and price = 12.5",
        ),
        (
            r#"UPDATE "Subscription" SET status = 'PAUSED', minutesLeft = 10"#,
            "select 1 as found from subscriptions where status = 'PAUSED' and minutes_left = 10",
        ),
        (
            r#"UPDATE "User" SET clerkId = 'clerk2', companyName = 'Bo Ltd.'"#,
            "select 1 as found from users where clerk_id = 'clerk2' and company_name = 'Bo Ltd.'",
        ),
        (
            r#"UPDATE "Conversation" SET notes = 'Nice', transcript = 'Hello'"#,
            "select 1 as found from conversations where notes = 'Nice' and transcript = 'Hello'",
        ),
        (
            r#"UPDATE "Appointment" SET appointmentTime = '2025-02-26T15:00:00Z'"#,
            "select 1 as found from appointments where appointment_time = '2025-02-26T15:00:00Z'",
        ),
    ] {
        assert_eq!(service.execute(change).await, 1, "{change}");
        service.row(check).await;
    }
    for table in [
        "Appointment",
        "Conversation",
        "Subscription",
        "Plan",
        "AgentSetting",
        "ScriptSetting",
        "AdvancedSetting",
        "Setting",
        "Prospect",
        "User",
    ] {
        assert_eq!(service.execute(format!(r#"DELETE FROM "{table}""#)).await, 1, "{table}");
    }
}

#[tokio::test]
async fn omitted_columns_get_their_defaults() {
    let service = Service::start().await;
    for statement in [
        r#"INSERT INTO "User" (id, name, email) VALUES ('user1-id', 'User1', 'u@example.com')"#,
        r#"INSERT INTO "Prospect" (id, name, phone, userId)
            VALUES ('p1-id', 'Prospect1', '+1234567890', 'user1-id')"#,
        r#"INSERT INTO "Setting" (id, userId) VALUES ('setting1-id', 'user1-id')"#,
        r#"INSERT INTO "AdvancedSetting" (id, settingId, timeZone, startAt, endAt)
            VALUES ('adv1-id', 'setting1-id', 'UTC', '09:00', '17:00')"#,
    ] {
        assert_eq!(service.execute(statement).await, 1, "{statement}");
    }
    for (query, row) in [
        (
            "select created_at is not null as made, updated_at is not null as changed, planned_at,
                paused_at from users",
            json!({"made": true, "changed": true, "planned_at": null, "paused_at": null}),
        ),
        (
            "select status, times_rescheduled, time_zone, created_at is not null as made
            from prospects",
            json!({"status": "INITIAL", "times_rescheduled": 0, "time_zone": null, "made": true}),
        ),
        ("select theme from settings", json!({"theme": "LIGHT"})),
        ("select max_attempts from advanced_settings", json!({"max_attempts": 5})),
    ] {
        assert_eq!(service.row(query).await, row, "{query}");
    }
}

#[tokio::test]
async fn balance_is_the_sum_of_the_ledger_on_every_write() {
    let service = filled_by_hand().await;
    for (statement, left) in [
        (r#"UPDATE "Subscription" SET minutesLeft = 90"#, 90),
        (
            "insert into minute_ledger (subscription_id, conversation_id, dial_id, kind, minutes)
            values ('sub1-id', 'c', 'd1', 'reserve', -10)",
            80,
        ),
        (r#"UPDATE "Subscription" SET minutesLeft = minutesLeft + 100"#, 180),
        (
            "insert into minute_ledger (subscription_id, conversation_id, dial_id, kind, minutes)
            values ('sub1-id', 'c', 'd1', 'release', 10), ('sub1-id', 'c', 'd1', 'charge', -4)",
            186,
        ),
        (r#"UPDATE "Subscription" SET status = 'PAUSED'"#, 186),
        (r#"UPDATE "Subscription" SET minutesLeft = 186"#, 186),
        (
            "insert into minute_ledger (subscription_id, dial_id, kind, minutes)
            values ('sub1-id', 'd1', 'correct', 1), ('sub1-id', null, 'grant', 3)",
            190,
        ),
        (r#"UPDATE "Subscription" SET minutesLeft = 0"#, 0),
    ] {
        service.execute(statement).await;
        assert_eq!(service.minutes_left("sub1-id").await, left, "{statement}");
    }
}

#[tokio::test]
async fn reinserted_subscription_agrees_with_its_ledger() {
    let service = filled_by_hand().await;
    service.execute(r#"DELETE FROM "Subscription""#).await;
    service.execute(STATEMENTS[7]).await;
    assert_eq!(service.minutes_left("sub1-id").await, 600);
}

#[tokio::test]
async fn charge_never_makes_the_balance_negative() {
    let service = filled_by_hand().await;
    for statement in [
        r#"UPDATE "Subscription" SET minutesLeft = -1"#,
        "insert into minute_ledger (subscription_id, dial_id, kind, minutes)
            values ('sub1-id', 'd1', 'reserve', -601)",
        "insert into minute_ledger (subscription_id, dial_id, kind, minutes)
            values ('sub1-id', 'd1', 'correct', -601)",
    ] {
        let error = service.try_execute(statement).await.unwrap_err().to_string();
        assert!(error.contains("subscriptions_minutes_left_not_negative"), "{error}");
        assert_eq!(service.minutes_left("sub1-id").await, 600);
    }
}

#[tokio::test]
async fn ledger_accepts_each_entry_of_a_dial_once_with_its_sign() {
    let service = filled_by_hand().await;
    service
        .execute(
            "insert into minute_ledger (subscription_id, dial_id, kind, minutes)
            values ('sub1-id', 'd1', 'reserve', -5)",
        )
        .await;
    for (values, constraint) in [
        ("'d1', 'reserve', -5", "minute_ledger_once_per_dial"),
        ("'d2', 'reserve', 5", "minute_ledger_signs"),
        ("'d2', 'charge', 5", "minute_ledger_signs"),
        ("'d2', 'release', -5", "minute_ledger_signs"),
        ("null, 'charge', -5", "minute_ledger_only_grants_without_dial"),
    ] {
        let entry = format!(
            "insert into minute_ledger (subscription_id, dial_id, kind, minutes)
            values ('sub1-id', {values})"
        );
        let error = service.try_execute(entry).await.unwrap_err().to_string();
        assert!(error.contains(constraint), "{values}: {error}");
    }
    assert_eq!(service.minutes_left("sub1-id").await, 595);
}

#[tokio::test]
async fn prospect_has_one_open_conversation_and_conversation_one_live_dial() {
    let service = Service::start().await;
    service.due_call(User::default(), Prospect::default()).await;
    service.admit("p1-id-1").await;
    for (statement, constraint) in [
        (
            "insert into conversations (id, user_id, prospect_id, sequence, slot, plan_run)
            values ('p1-id-2', 'user1-id', 'p1-id', 2, now(), 'run')",
            "conversations_one_open_per_prospect",
        ),
        (
            "insert into dials (id, conversation_id, user_id, prospect_id, sequence, phone,
                subscription_id, reserved_minutes, dial_deadline, join_timeout_secs,
                max_duration_secs, intended_at)
            select 'p1-id-1.2', conversation_id, user_id, prospect_id, 2, phone, subscription_id,
                reserved_minutes, dial_deadline, 45, 600, intended_at from dials",
            "dials_one_live_per_conversation",
        ),
        (
            "insert into subscriptions (id, user_id, plan_id, minutes_left, status)
            select 'another', user_id, plan_id, 0, 'ACTIVE' from subscriptions",
            "subscriptions_one_active_per_user",
        ),
        ("update dials set state = 'SENT'", "dials_sent_when_placed"),
        ("update conversations set status = 'COMPLETED'", "conversations_recorded_when_closed"),
    ] {
        let error = service.try_execute(statement).await.unwrap_err().to_string();
        assert!(error.contains(constraint), "{statement}: {error}");
    }
}

#[tokio::test]
async fn records_of_calls_outlive_user_and_prospect() {
    let service = Service::start().await;
    service.due_call(User::default(), Prospect::default()).await;
    service.admit("p1-id-1").await;
    service.execute(r#"DELETE FROM "User""#).await;
    for (table, count) in
        [("prospects", 0), ("subscriptions", 0), ("conversations", 1), ("dials", 1)]
    {
        let found = service.rows(format!("select * from {table}")).await;
        assert_eq!(found.len(), count, "{table}");
    }
    assert_eq!(service.entries().await, ["reserve -10"]);
}
