//! Plans, admissions and records of one user in many orders, some of them concurrent, over several periods of its plan.
//!
//! `INTERLEAVINGS=10000 cargo xtask test -p activities -- interleavings` sets the number; the default is smaller.

use activities::calls::{admit, record_outcome};

use chrono::{DateTime, TimeDelta, Utc};
use domain::call_log::RunEnd;
use domain::facts::DialEvent;
use domain::status::Outcome;
use fastrand::Rng;
use futures::future::join_all;
use store::dials;
use workflows::activities::calls::{Admission, RecordInput};

use crate::support::{
    NOW, Prospect, RUN, Service, User, admit_input, at, cancelled, failed_by_user, reported,
    run_ended, said, said_of, talked, unanswered,
};

const MINUTES: i32 = 35;
const PER_DAY: i32 = 3;
const PROSPECTS: usize = 6;
/// Sets of concurrent steps in all; this many runs share them.
const DEFAULT_SETS: u64 = 600;
const RUNS: u64 = 4;

/// A step of the service.
#[derive(Clone, Debug)]
enum Step {
    Plan(DateTime<Utc>),
    Admit(String, DateTime<Utc>),
    Record(RecordInput),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_interleaving_overspends_or_dials_twice() {
    let wanted = std::env::var("INTERLEAVINGS").ok().map(|text| text.parse().unwrap());
    let each = wanted.unwrap_or(DEFAULT_SETS).div_ceil(RUNS);
    let runs = join_all((0..RUNS).map(|seed| tokio::spawn(run_sets(seed, each)))).await;
    let tried: u64 = runs.into_iter().map(|run| run.unwrap()).sum();
    println!("{tried} interleavings of plans, admissions and records");
}

/// Executes sets of steps; returns their number.
async fn run_sets(seed: u64, sets: u64) -> u64 {
    let (service, mut rng) = (Service::start().await, Rng::with_seed(seed));
    let user = User { minutes: MINUTES, per_day: PER_DAY, ..User::default() };
    user.insert(&service.database).await.unwrap();
    for number in 0..PROSPECTS {
        Prospect::new(format!("p{number}"))
            .phone_ending(212, number as u32)
            .insert(&service.database)
            .await
            .unwrap();
    }
    service.execute("update advanced_settings set max_attempts = 1000000").await;
    let period = format!("update subscriptions set period_started_at = '{NOW}'");
    service.execute(period).await;
    let (mut admissions, mut tried) = (0, 0);
    for round in 0.. {
        if tried >= sets {
            break;
        }
        // From 9:00 to 16:00, in steps of an hour, day after day.
        let now = at(NOW) + TimeDelta::hours(round % 8) + TimeDelta::days(round / 8);
        let mut steps = Vec::new();
        for _ in 0..rng.u64(..3) + 1 {
            steps.push(Step::Plan(now));
        }
        take(&service, steps).await;
        tried += 1;
        for _ in 0..3 {
            let steps = choose(&service, &mut rng).await;
            admissions += take(&service, steps).await;
            check(&service, seed).await;
            tried += 1;
        }
        // Reset prospects without attempts left, so that a long run keeps going.
        let anew = "update prospects set status = 'INITIAL', next_call_at = null
            where status not in ('RESCHEDULED', 'DO_NOT_CALL')";
        service.execute(anew).await;
    }
    assert!(admissions > 5, "seed {seed}: {admissions} calls were admitted");
    tried
}

/// Up to four steps for existing conversations, sometimes the same one twice.
async fn choose(service: &Service, rng: &mut Rng) -> Vec<Step> {
    // Nobody talks about a call whose request never left: that it was made would count it in hindsight.
    let query = "select c.id, c.status::text, c.slot from conversations c
        where c.status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS') or not exists (
            select 1 from dials d where d.conversation_id = c.id and d.sent_at is null)
        order by c.sequence desc, c.id limit 24";
    let all: Vec<(String, String, DateTime<Utc>)> =
        sqlx::query_as(query).fetch_all(&service.database).await.unwrap();
    let mut steps = Vec::new();
    for _ in 0..4 {
        if all.is_empty() {
            break;
        }
        let (id, status, slot) = &all[rng.u64(..all.len() as u64) as usize];
        match (status.as_str(), rng.u64(..3)) {
            ("SCHEDULED", 0 | 1) => steps.push(Step::Admit(id.clone(), *slot)),
            ("SCHEDULED" | "DIALING", _) => steps.push(Step::Record(record(id, rng))),
            (_, 0) => steps.push(Step::Record(record(id, rng))),
            _ => {}
        }
    }
    steps
}

/// Anything that may be said of a call.
fn record(id: &str, rng: &mut Rng) -> RecordInput {
    let secs = rng.u64(..700) as i64;
    match rng.u64(..9) {
        0 => reported(id, Outcome::CallbackRequested),
        1 => talked(id, secs),
        2 => said(id, [DialEvent::NeverPlaced]),
        3 => cancelled(id, secs),
        4 => run_ended(id, true, RunEnd::Cancelled),
        5 => failed_by_user(id),
        6 => said_of(None, id, [DialEvent::Completed { talk_secs: Some(secs) }]),
        _ => unanswered(id),
    }
}

/// Executes all steps at once; returns how many calls were admitted.
async fn take(service: &Service, steps: Vec<Step>) -> usize {
    let taken = join_all(steps.into_iter().map(|step| take_one(service, step))).await;
    taken.into_iter().filter(|admitted| *admitted).count()
}

async fn take_one(service: &Service, step: Step) -> bool {
    match step {
        Step::Plan(from) => {
            service.plan(&format!("run {from}"), "user1-id", from).await;
            false
        }
        Step::Record(record) => {
            record_outcome(service, &record).await;
            false
        }
        Step::Admit(id, slot) => {
            let calls = service.calls_at(slot);
            let admission = admit::run(&calls, &admit_input(&id, RUN)).await.unwrap();
            let Admission::Admitted(admitted) = admission else { return false };
            // The request is sent.
            let mut tx = service.store.begin().await.unwrap();
            let dial = dials::lock(&mut tx, &admitted.dial_id).await.unwrap();
            if dial.is_some_and(|dial| dial.closed_at.is_none() && dial.sent_at.is_none()) {
                dials::mark_sent(&mut tx, &admitted.dial_id, slot).await.unwrap();
            }
            tx.commit().await.unwrap();
            true
        }
    }
}

/// Records a call; repeated if the database rejects it, as the activity is.
async fn record_outcome(service: &Service, record: &RecordInput) {
    for _ in 0..5 {
        match record_outcome::run(&service.calls, record).await {
            Ok(_) => return,
            Err(error) => assert!(error.to_string().contains("minutes_left"), "{error}"),
        }
    }
    panic!("not recorded: {record:?}");
}

async fn check(service: &Service, seed: u64) {
    let left = service.minutes_left("sub-user1-id").await;
    let granted = "select sum(minutes) as minutes from minute_ledger where kind = 'grant'";
    let granted = service.row(granted).await["minutes"].as_i64().unwrap();
    assert!((0..=granted).contains(&left), "seed {seed}: {left} minutes left");
    let per_day = "select (sent_at at time zone 'America/New_York')::date as day,
            count(distinct conversation_id) as calls
        from dials where sent_at is not null group by 1";
    for day in service.rows(per_day).await {
        assert!(day["calls"].as_i64().unwrap() <= PER_DAY.into(), "seed {seed}: {day}");
    }
    let twice = "select prospect_id from conversations
        where status in ('SCHEDULED', 'DIALING', 'IN_PROGRESS')
        group by 1 having count(*) > 1";
    assert!(service.rows(twice).await.is_empty(), "seed {seed}");
    let held = "select coalesce(sum(reserved_minutes), 0) as minutes from dials
        where closed_at is null";
    let held = service.row(held).await["minutes"].as_i64().unwrap();
    let charged = "select coalesce(-sum(minutes), 0) as minutes from minute_ledger
        where kind in ('charge', 'correct')";
    let charged = service.row(charged).await["minutes"].as_i64().unwrap();
    assert_eq!(left + held + charged, granted, "seed {seed}");
}
