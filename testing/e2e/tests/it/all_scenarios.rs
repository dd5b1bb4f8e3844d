//! Calls of all scenarios at once; then all rows are compared with the simulator's ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use devstack::StackOptions;
use serde_json::Value;

use crate::support::{
    Plan, Prospect, TestSystem, User, clock_offset_to, env, eventually, read_conversations,
    read_prospect_status, run_plan, wait_until_all_recorded,
};

/// Calls without webhooks are looked up when their ring timeout is over, in real seconds.
const RECORD_TIMEOUT: Duration = Duration::from_secs(150);
const LATE_EVENT_TIMEOUT: Duration = Duration::from_secs(30);

/// The digits that select a scenario, and the expected records.
struct Case {
    ending: u32,
    conversation: (&'static str, Option<&'static str>, Option<&'static str>),
    prospect: &'static str,
}

const fn case(
    ending: u32,
    outcome: &'static str,
    reason: &'static str,
    prospect: &'static str,
) -> Case {
    let outcome = if outcome.is_empty() { None } else { Some(outcome) };
    let reason = if reason.is_empty() { None } else { Some(reason) };
    Case { ending, conversation: ("COMPLETED", outcome, reason), prospect }
}

const CASES: [Case; 20] = [
    // The agent reports.
    case(0, "APPOINTMENT_SET", "", "BOOKED"),
    case(1, "APPOINTMENT_SET", "", "BOOKED"),
    case(10, "CALLBACK_REQUESTED", "", "RESCHEDULED"),
    case(20, "NOT_INTERESTED", "", "NOT_INTERESTED"),
    case(30, "DO_NOT_CALL", "", "DO_NOT_CALL"),
    // No person answers.
    case(40, "NO_RESPONSE", "voicemail", "NOT_RESPONDED"),
    case(50, "NO_RESPONSE", "no_answer", "NOT_RESPONDED"),
    case(60, "NO_RESPONSE", "busy", "NOT_RESPONDED"),
    case(96, "NO_RESPONSE", "no_answer", "NOT_RESPONDED"),
    case(99, "NO_RESPONSE", "rejected", "NOT_RESPONDED"),
    Case {
        ending: 70,
        conversation: ("FAILED", Some("FAILED"), Some("rejected_by_provider")),
        prospect: "FAILED",
    },
    // The callee answers, without an outcome.
    case(80, "", "no_report", "NOT_RESPONDED"),
    case(93, "", "no_report", "NOT_RESPONDED"),
    case(95, "", "no_report", "NOT_RESPONDED"),
    // The report is lost, repeated, late or changed.
    case(90, "APPOINTMENT_SET", "", "BOOKED"),
    case(91, "APPOINTMENT_SET", "", "BOOKED"),
    case(92, "APPOINTMENT_SET", "", "BOOKED"),
    case(97, "DO_NOT_CALL", "", "DO_NOT_CALL"),
    // The webhooks are lost.
    case(94, "NOT_INTERESTED", "", "NOT_INTERESTED"),
    case(98, "NO_RESPONSE", "no_answer", "NOT_RESPONDED"),
];

const USERS: [(&str, &str); 3] =
    [("user0-id", "America/New_York"), ("user1-id", "America/Chicago"), ("user2-id", "UTC")];

/// Makes a call of each scenario, with faults in the simulator, and waits until all workflows are closed.
pub async fn run_all_scenarios(faults: &str) -> Result<TestSystem> {
    let system = TestSystem::start(StackOptions {
        clock_offset_secs: clock_offset_to("2025-02-25T16:00:00Z"),
        speed: 60.0,
        worker_env: env(&[
            ("MAX_CONCURRENT_CALLS", "200"),
            ("ULTRAVOX_CALLS_PER_MINUTE", "1000"),
            ("RING_TIMEOUT", "16"),
        ]),
        simulator_args: vec!["--max-concurrent".to_owned(), "200".to_owned()],
        ..StackOptions::default()
    })
    .await?;
    system.inject_faults(faults).await?;
    for (id, zone) in USERS {
        User { time_zone: zone.to_owned(), ..User::new(id) }.insert(&system.database).await?;
    }
    for case in &CASES {
        prospect(case).insert(&system.database).await?;
    }
    // The slots of this run share its last quarter of a minute.
    let from = system.now() - TimeDelta::seconds(45);
    let planned = run_plan(&system, Plan::at(from).for_minutes(1)).await?;
    assert_eq!(planned["planned"], CASES.len(), "{planned}");
    wait_until_all_recorded(&system, RECORD_TIMEOUT).await;
    // Each late event has its own workflow.
    eventually(LATE_EVENT_TIMEOUT, "no workflow is running", async || {
        Ok((system.workflows(r#"ExecutionStatus="Running""#).await?.is_empty()).then_some(()))
    })
    .await;
    Ok(system)
}

fn prospect(case: &Case) -> Prospect {
    let (user, _) = USERS[case.ending as usize % USERS.len()];
    Prospect::new(format!("p{:02}-id", case.ending)).of_user(user).phone_ending(212, case.ending)
}

#[tokio::test]
async fn calls_of_all_scenarios_are_recorded_as_they_went() -> Result<()> {
    check_all_rows("{}").await
}

#[tokio::test]
async fn lost_responses_and_reordered_webhooks_change_no_row() -> Result<()> {
    let faults = r#"{
        "create_call": [
            {"drop_after_accept": true, "times": 4},
            {"status_after_accept": 502, "times": 3},
            {"refuse_429": {"retry_after": 2}, "times": 3}
        ],
        "webhooks": {"duplicate": 2, "reorder": 0.5, "hold_ms": 700},
        "seed": 7
    }"#;
    check_all_rows(faults).await
}

async fn check_all_rows(faults: &str) -> Result<()> {
    let system = run_all_scenarios(faults).await?;
    let ledger = system.stack.ledger().await?;
    assert_eq!(ledger["violations"], Value::Array(Vec::new()));
    let placed = PlacedCalls::from_ledger(&ledger);

    check_outcomes(&system).await?;
    check_phones_rang_once(&placed)?;
    check_minutes(&system, &placed).await?;
    check_transcripts(&system, &placed).await?;
    check_appointments_and_suppressions(&system, &placed).await
}

/// The calls of the simulator's ledger by conversation.
struct PlacedCalls(BTreeMap<String, Vec<Value>>);

impl PlacedCalls {
    fn from_ledger(ledger: &Value) -> Self {
        let mut calls: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for call in ledger["calls"].as_array().into_iter().flatten() {
            let conversation = call["metadata"]["conversation_id"].as_str().unwrap();
            calls.entry(conversation.to_owned()).or_default().push(call.clone());
        }
        Self(calls)
    }

    /// Seconds of talk in a conversation.
    fn talk_secs(&self, conversation: &str) -> f64 {
        let calls = self.0.get(conversation).into_iter().flatten();
        calls.filter_map(|call| call["talkSeconds"].as_f64()).sum()
    }

    /// The time that the agent reported in a conversation.
    fn reported_time(&self, conversation: &str) -> Option<DateTime<Utc>> {
        let mut calls = self.0.get(conversation).into_iter().flatten();
        let time = calls.find_map(|call| call["reportedOutcomes"][0]["time"].as_str())?;
        Some(time.parse().unwrap())
    }
}

async fn check_outcomes(system: &TestSystem) -> Result<()> {
    let recorded = read_conversations(&system.database).await?;
    assert_eq!(recorded.len(), CASES.len());
    for case in &CASES {
        let prospect = prospect(case);
        let call = recorded.iter().find(|call| call.id == prospect.first_call_id()).unwrap();
        assert_eq!(call.summary(), case.conversation, "{}", call.id);
        assert_eq!(
            read_prospect_status(&system.database, &prospect.id).await?,
            case.prospect,
            "{}",
            call.id
        );
    }
    Ok(())
}

fn check_phones_rang_once(placed: &PlacedCalls) -> Result<()> {
    let expected = CASES.iter().filter(|case| case.conversation.0 != "FAILED");
    let expected: BTreeSet<String> = expected.map(|case| prospect(case).first_call_id()).collect();
    let called: BTreeSet<String> = placed.0.keys().cloned().collect();
    assert_eq!(called, expected);
    let mut numbers = BTreeSet::new();
    for call in placed.0.values().flatten() {
        assert!(numbers.insert(call["number"].as_str().unwrap()), "placed twice: {call}");
    }
    Ok(())
}

async fn check_minutes(system: &TestSystem, placed: &PlacedCalls) -> Result<()> {
    let database = &system.database;
    let charges: Vec<(String, i64)> = sqlx::query_as(
        "select c.id, coalesce(-sum(l.minutes) filter (where l.kind = 'charge'), 0)
        from conversations c left join minute_ledger l on l.conversation_id = c.id group by c.id",
    )
    .fetch_all(database)
    .await?;
    for (conversation, minutes) in &charges {
        let talked = (placed.talk_secs(conversation) / 60.0).ceil() as i64;
        assert_eq!(*minutes, talked, "{conversation}");
    }
    // The calls include a talk to the limit.
    assert!(charges.iter().any(|(_, minutes)| *minutes == 10));

    let subscriptions: Vec<(String, i64, i64)> = sqlx::query_as(
        "select s.user_id, s.minutes_left::bigint, sum(l.minutes)
        from subscriptions s join minute_ledger l on l.subscription_id = s.id
        group by s.id",
    )
    .fetch_all(database)
    .await?;
    assert_eq!(subscriptions.len(), USERS.len());
    for (user, left, entered) in subscriptions {
        let calls = CASES.iter().map(prospect).filter(|prospect| prospect.user_id == user);
        let calls: Vec<String> = calls.map(|prospect| prospect.first_call_id()).collect();
        let charged =
            charges.iter().filter(|(id, _)| calls.contains(id)).map(|(_, minutes)| minutes);
        assert_eq!(left, 600 - charged.sum::<i64>(), "{user}");
        assert_eq!(left, entered, "{user}");
    }

    let unclosed: Vec<String> = sqlx::query_scalar(
        "select id from dials d where closed_at is null or 0 <> (select sum(minutes)
            from minute_ledger where dial_id = d.id and kind in ('reserve', 'release'))",
    )
    .fetch_all(database)
    .await?;
    assert_eq!(unclosed, [""; 0], "dials that still use a line or minutes");
    Ok(())
}

async fn check_transcripts(system: &TestSystem, placed: &PlacedCalls) -> Result<()> {
    for call in read_conversations(&system.database).await? {
        let talked = placed.talk_secs(&call.id) > 0.0;
        let transcript = call.transcript.unwrap_or_default();
        assert_eq!(transcript.contains("Callee: "), talked, "{}: {transcript}", call.id);
        if call.id == "p97-id-1" {
            assert!(call.notes.unwrap_or_default().contains("CALLBACK_REQUESTED"));
        }
    }
    Ok(())
}

async fn check_appointments_and_suppressions(
    system: &TestSystem,
    placed: &PlacedCalls,
) -> Result<()> {
    let database = &system.database;
    let appointments: Vec<(String, DateTime<Utc>)> =
        sqlx::query_as(r#"SELECT conversationId, appointmentTime FROM "Appointment" ORDER BY 1"#)
            .fetch_all(database)
            .await?;
    let booked = ["p00-id-1", "p01-id-1", "p90-id-1", "p91-id-1", "p92-id-1"];
    let expected = booked.map(|id| (id.to_owned(), placed.reported_time(id).unwrap()));
    assert_eq!(appointments, expected);

    let callbacks: Vec<(String, Option<DateTime<Utc>>)> = sqlx::query_as(
        r#"SELECT id, rescheduledFor FROM "Prospect" WHERE rescheduledFor IS NOT NULL"#,
    )
    .fetch_all(database)
    .await?;
    let time = callbacks.first().and_then(|(_, time)| *time).unwrap();
    assert_eq!((callbacks.len(), callbacks[0].0.as_str()), (1, "p10-id"));
    assert!((time - placed.reported_time("p10-id-1").unwrap()).num_milliseconds().abs() < 1);

    let suppressed: Vec<(Option<String>, String)> =
        sqlx::query_as("select user_id, phone from suppressions order by phone")
            .fetch_all(database)
            .await?;
    let expected = CASES.iter().filter(|case| case.prospect == "DO_NOT_CALL").map(prospect);
    let expected: Vec<_> = expected.map(|p| (Some(p.user_id), p.phone)).collect();
    assert_eq!(suppressed, expected);
    Ok(())
}
