//! What is said of a call, in any order, in any portions, some of them at once and some again, gives the same rows.
//!
//! `ORDERS=100000 cargo xtask test -p activities -- any_order` sets the number of cases; the default is smaller.

use activities::calls::{admit, apply_late_event, record_outcome};
use domain::call_log::RunEnd;
use domain::facts::{DialEvent, EndReason, HangupCause};
use domain::report::{Report, ReportSource, ReportedOutcome};
use domain::status::{Outcome, Reason};
use fastrand::Rng;
use futures::future::join_all;
use serde_json::Value;
use sqlx::AssertSqlSafe;
use workflows::activities::calls::{EndedRun, LateEventInput, ReceivedEvent, RecordInput};
use workflows::events::{CallEvent, EventMessage};

use crate::support::{
    Prospect, RUN, Service, User, admit_input, admitted, at, minutes_after, rejected, requeued,
    said_of, talk, unanswered,
};

const CALL: &str = "p1-id-1";
const DIAL: &str = "p1-id-1.1";
const SECOND_DIAL: &str = "p1-id-1.2";
/// The run after a reset, which makes the second dial.
const SECOND_RUN: &str = "run-2";
const DEFAULT_CASES: u64 = 200;
const RUNS: u64 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn any_order_overlap_and_repetition_gives_the_rows_of_the_fold() {
    let wanted = std::env::var("ORDERS").ok().map(|text| text.parse().unwrap());
    let each = wanted.unwrap_or(DEFAULT_CASES).div_ceil(RUNS);
    let runs = join_all((0..RUNS).map(|seed| tokio::spawn(try_cases(seed, each)))).await;
    let tried: u64 = runs.into_iter().map(|run| run.unwrap()).sum();
    println!("{tried} cases of messages in any order");
}

async fn try_cases(seed: u64, cases: u64) -> u64 {
    let (service, mut rng) = (Service::start().await, Rng::with_seed(seed));
    keep_admitted_calls(&service).await;
    for case in 0..cases {
        let state = *rng.choice(STATES).unwrap();
        let reopened = rng.bool();
        let dials: &[&str] = if reopened { &[DIAL, SECOND_DIAL] } else { &[DIAL] };
        let mut messages = choose_messages(&mut rng, dials);
        set_up(&service, state, reopened).await;
        record_outcome::run(&service.calls, &all_in_one(&messages)).await.unwrap();
        let expected = rows_at_rest(&service).await;
        set_up(&service, state, reopened).await;
        // A run records its own end first: messages reach no other writer while it runs.
        let ends = messages.iter().take_while(|message| message.ended_run.is_some()).count();
        for end in messages.drain(..ends) {
            record_outcome::run(&service.calls, &end).await.unwrap();
        }
        rng.shuffle(&mut messages);
        let repeated: Vec<RecordInput> = messages.iter().filter(|_| rng.bool()).cloned().collect();
        messages.extend(repeated);
        while !messages.is_empty() {
            let together = messages.drain(..messages.len().min(rng.usize(1..4)));
            let writes = together.map(|message| write(&service, message, rng.bool()));
            join_all(writes.collect::<Vec<_>>()).await;
        }
        let given = rows_at_rest(&service).await;
        assert_eq!(given, expected, "seed {seed}, case {case}, dial {state}, reopened {reopened}");
        if (case + 1).is_multiple_of(1_000) {
            println!("seed {seed}: {} of {cases} cases", case + 1);
        }
    }
    cases
}

/// Writes as a workflow does, or as a late event where the message is one.
async fn write(service: &Service, message: RecordInput, late: bool) {
    if let ([event], true) = (message.events.as_slice(), late)
        && let Some(message) = late_message(event)
    {
        let message = serde_json::to_value(message).unwrap();
        let input = LateEventInput { conversation_id: CALL.into(), message };
        apply_late_event::run(&service.calls, &input).await.unwrap();
        return;
    }
    record_outcome::run(&service.calls, &message).await.unwrap();
}

/// The message of the webhook server that gives this event alone.
fn late_message(received: &ReceivedEvent) -> Option<EventMessage> {
    let event = match received.event.clone() {
        DialEvent::Failed { reason } => CallEvent::Failed { reason },
        DialEvent::Completed { talk_secs } => {
            CallEvent::Completed { talk_secs, transcript: None, report: None }
        }
        DialEvent::Connected { at } => CallEvent::Answered { provider_call_id: None, at },
        DialEvent::Unreached { cause } => {
            CallEvent::Carrier { carrier_call_id: None, unreached: Some(cause), machine: false }
        }
        DialEvent::Placed { provider_call_id } => {
            CallEvent::Started { provider_call_id: Some(provider_call_id) }
        }
        _ => return None,
    };
    Some(EventMessage { dial_id: received.dial_id.clone(), user_id: None, event })
}

const STATES: &[&str] = &["INTENDED", "SENT", "PLACED", "NOT_PLACED"];

/// The tables that a case changes.
const CHANGED: &[&str] = &[
    "prospects",
    "subscriptions",
    "conversations",
    "dials",
    "appointments",
    "minute_ledger",
    "suppressions",
    "call_events",
];

/// Admits a call, makes it again after its record, and keeps both for [`set_up`].
async fn keep_admitted_calls(service: &Service) {
    service.due_call(User::default(), Prospect::default()).await;
    assert_eq!(service.admit(CALL).await, DIAL);
    keep_rows(service, "admitted").await;
    service.execute("update dials set state = 'SENT', sent_at = intended_at").await;
    record_outcome::run(&service.calls, &unanswered(CALL)).await.unwrap();
    let again = admit::run(&service.calls, &admit_input(CALL, SECOND_RUN)).await.unwrap();
    assert_eq!(admitted(again).dial_id, SECOND_DIAL);
    keep_rows(service, "reopened").await;
}

async fn keep_rows(service: &Service, name: &str) {
    for table in CHANGED {
        service.execute(format!("create table {name}_{table} as table {table}")).await;
    }
}

/// An admitted call, with its last dial in this state; the second one of a call that was made again, if wanted.
async fn set_up(service: &Service, state: &str, reopened: bool) {
    let name = if reopened { "reopened" } else { "admitted" };
    let restore = CHANGED.iter().map(|table| {
        format!(
            "delete from {table}; insert into {table} overriding system value table {name}_{table};"
        )
    });
    let restore: String = restore.collect();
    let sent = if state == "INTENDED" { "null" } else { "intended_at" };
    // Without triggers and foreign keys: the rows are as they were.
    let script = format!(
        "begin; set local session_replication_role = replica; {restore}
        update dials set state = '{state}', sent_at = {sent} where closed_at is null; commit"
    );
    sqlx::raw_sql(AssertSqlSafe(script)).execute(&service.database).await.unwrap();
}

/// Up to eight messages of all senders; the ends of runs come first.
fn choose_messages(rng: &mut Rng, dials: &[&str]) -> Vec<RecordInput> {
    let mut chosen = Vec::new();
    if rng.u8(..3) == 0 {
        let ends =
            [RunEnd::Cancelled, requeued(Reason::Denied), requeued(Reason::TooLate), rejected()];
        let dial = *rng.choice(dials).unwrap();
        let run = if dial == DIAL { RUN } else { SECOND_RUN };
        chosen.push(RecordInput {
            ended_run: Some(EndedRun {
                run_id: Some(run.to_owned()),
                dial_id: Some(dial.into()),
                end: rng.choice(ends).unwrap(),
            }),
            ..RecordInput::new(CALL.into())
        });
    }
    for _ in 0..rng.usize(1..8) {
        chosen.push(message(rng, dials));
    }
    chosen
}

fn message(rng: &mut Rng, dials: &[&str]) -> RecordInput {
    let dial = rng.choice(dials).copied();
    let report = |outcome, source, days: i64, notes: &str| {
        let time = Some(minutes_after(days * 24 * 60));
        let reported = ReportedOutcome { outcome, time, notes: Some(notes.to_owned()) };
        DialEvent::Reported(Report::new(reported, source).unwrap())
    };
    let (agent, user) = (ReportSource::Agent, ReportSource::User);
    let completed = |talk_secs| DialEvent::Completed { talk_secs };
    let unanswered =
        DialEvent::Ended { answered_at: None, ended_at: None, reason: EndReason::Unanswered };
    let of_dial = |event: DialEvent| said_of(dial, CALL, [event]);
    let of_user = |events: Vec<DialEvent>| said_of(None, CALL, events);
    match rng.u8(..20) {
        0 => of_dial(DialEvent::Placed { provider_call_id: format!("id of {dial:?}") }),
        1 => of_dial(DialEvent::Answered { at: Some(at("2025-02-25T14:00:30Z")) }),
        2 => of_dial(talk(240)),
        3 => of_dial(unanswered),
        4 => of_dial(DialEvent::LegStarted { carrier_call_id: "v3:1".to_owned() }),
        5 => of_dial(DialEvent::Unreached { cause: HangupCause::Busy }),
        6 => of_dial(DialEvent::Unreached { cause: HangupCause::InvalidNumber }),
        7 => of_dial(DialEvent::Voicemail),
        8 => of_dial(DialEvent::Vanished),
        9 => of_dial(DialEvent::NeverPlaced),
        10 => of_dial(report(Outcome::AppointmentSet, agent, 1, "first")),
        11 => of_dial(report(Outcome::AppointmentSet, agent, 2, "second")),
        12 => of_dial(report(Outcome::CallbackRequested, agent, 1, "later")),
        13 => of_dial(report(Outcome::NotInterested, agent, 1, "no")),
        14 => of_dial(report(Outcome::DoNotCall, agent, 1, "never")),
        15 => {
            of_user(vec![completed(Some(60)), report(Outcome::AppointmentSet, user, 3, "theirs")])
        }
        16 => of_user(vec![completed(Some(300))]),
        17 => of_user(vec![completed(None), report(Outcome::DoNotCall, user, 3, "theirs")]),
        18 => of_user(vec![DialEvent::Failed { reason: Some("unreachable".to_owned()) }]),
        _ => of_user(vec![DialEvent::Connected { at: Some(at("2025-02-25T13:50:00Z")) }]),
    }
}

fn all_in_one(messages: &[RecordInput]) -> RecordInput {
    RecordInput {
        events: messages.iter().flat_map(|message| message.events.clone()).collect(),
        ended_run: messages.iter().find_map(|message| message.ended_run.clone()),
        ..RecordInput::new(CALL.into())
    }
}

/// The rows that follow from what was said, after the longest possible end of the dial: until then a dial that counted as
/// never placed may be live again without its reservation.
async fn rows_at_rest(service: &Service) -> Value {
    let later = service.calls_at(minutes_after(60));
    record_outcome::run(&later, &RecordInput::new(CALL.into())).await.unwrap();
    let tables = [
        "select status, outcome, outcome_time, reason, notes, answered_at, ended_at, talk_secs
            from conversations",
        "select state, provider_call_id, carrier_call_id, closed_at is null as open from dials",
        "select status, rescheduled_for, times_rescheduled from prospects",
        "select appointment_time, notes from appointments",
        "select user_id, phone from suppressions",
        "select dial_id, run_id, source, event from call_events",
        "select dial_id, -sum(minutes) as charged from minute_ledger
            where kind in ('charge', 'correct') group by 1 having sum(minutes) <> 0",
        "select minutes_left from subscriptions",
    ];
    let rows = tables.map(|query| {
        format!("(select jsonb_agg(to_jsonb(t) order by to_jsonb(t)) from ({query}) t)")
    });
    service.row(format!("select jsonb_build_array({}) as tables", rows.join(", "))).await
}
