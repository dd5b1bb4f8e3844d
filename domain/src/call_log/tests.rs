use chrono::{DateTime, Utc};

use super::*;
use crate::facts::EndReason;
use crate::report::{Report, ReportSource, ReportedOutcome};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn reported(outcome: Outcome) -> DialEvent {
    let time = Some(at("2025-02-26T15:00:00Z"));
    let reported = ReportedOutcome { outcome, time, notes: None };
    DialEvent::Reported(Report::new(reported, ReportSource::Agent).unwrap())
}

fn ended(talked: bool) -> DialEvent {
    DialEvent::Ended {
        answered_at: talked.then(|| at("2025-02-25T14:00:10Z")),
        ended_at: Some(at("2025-02-25T14:04:10Z")),
        reason: if talked { EndReason::CalleeHungUp } else { EndReason::Unanswered },
    }
}

/// An entry of the first generation.
fn event(dial: Option<&str>, event: DialEvent) -> LogEntry {
    LogEntry {
        dial_id: dial.map(DialId::new),
        run_id: None,
        generation: 0,
        statement: Statement::Event(event),
    }
}

fn run_end(dial: Option<&str>, run: &str, end: RunEnd) -> LogEntry {
    LogEntry {
        dial_id: dial.map(DialId::new),
        run_id: Some(run.to_owned()),
        generation: 0,
        statement: Statement::RunEnd(end),
    }
}

fn reopened(entry: LogEntry) -> LogEntry {
    LogEntry { generation: 1, ..entry }
}

fn denied() -> RunEnd {
    RunEnd::Requeued { reason: Reason::Denied, detail: "The user is paused.".to_owned() }
}

fn dial(id: &str, generation: i32, is_live: bool) -> LoggedDial {
    LoggedDial { id: DialId::new(id), generation, is_sent: true, is_expired: !is_live }
}

fn fold_of(generation: i32, dials: &[LoggedDial], entries: &[LogEntry]) -> FoldedCall {
    let earlier_runs: &[String] = if generation > 0 { &["run-1".to_owned()] } else { &[] };
    fold(&CallLog { generation, earlier_runs, dials, entries })
}

fn outcome(folded: &FoldedCall) -> (bool, Disposition, Option<Outcome>, Option<Reason>) {
    let FoldedCall { closed, disposition, summary, .. } = folded;
    (*closed, *disposition, summary.outcome, summary.reason)
}

#[test]
fn weightiest_statement_decides() {
    use Disposition::*;
    let live = || vec![dial("c.1", 0, true)];
    let over = || vec![dial("c.1", 0, false)];
    let rejected = || RunEnd::RejectedByProvider { detail: "no credit".to_owned() };
    let failed = || event(None, DialEvent::Failed { reason: None });
    let of_dial = |said: DialEvent| event(Some("c.1"), said);
    let end = |end: RunEnd| run_end(Some("c.1"), "run-1", end);
    let booked = || of_dial(reported(Outcome::AppointmentSet));
    let some = Some(Outcome::AppointmentSet);
    for (name, dials, entries, expected) in [
        (
            "nothing",
            vec![],
            vec![],
            (false, Over, Some(Outcome::NoResponse), Some(Reason::NoAnswer)),
        ),
        ("report of a live dial", live(), vec![booked()], (false, Over, some, None)),
        ("report without a live dial", over(), vec![booked()], (true, Over, some, None)),
        ("report before any dial", vec![], vec![booked()], (true, Over, some, None)),
        (
            "denied",
            vec![],
            vec![run_end(None, "run-1", denied())],
            (true, Requeued, None, Some(Reason::Denied)),
        ),
        (
            "denied, yet the user's system reports",
            vec![],
            vec![run_end(None, "run-1", denied()), failed()],
            (true, Over, Some(Outcome::Failed), Some(Reason::ReportedFailure)),
        ),
        (
            "denied run without the live dial",
            live(),
            vec![run_end(None, "run-0", denied())],
            (false, Over, Some(Outcome::NoResponse), Some(Reason::NoAnswer)),
        ),
        (
            "cancelled",
            live(),
            vec![end(RunEnd::Cancelled)],
            (true, Cancelled, None, Some(Reason::CancelledByOperator)),
        ),
        (
            "cancelled and ended",
            over(),
            vec![end(RunEnd::Cancelled), of_dial(ended(true))],
            (true, Cancelled, None, Some(Reason::CancelledByOperator)),
        ),
        (
            "cancelled and booked",
            over(),
            vec![end(RunEnd::Cancelled), booked()],
            (true, Over, some, None),
        ),
        (
            "rejected",
            over(),
            vec![end(rejected())],
            (true, Over, Some(Outcome::Failed), Some(Reason::RejectedByProvider)),
        ),
        (
            "rejected, yet it talked",
            over(),
            vec![end(rejected()), of_dial(ended(true))],
            (true, Over, None, Some(Reason::NoReport)),
        ),
        (
            "never placed",
            over(),
            vec![of_dial(DialEvent::NeverPlaced)],
            (true, Requeued, None, Some(Reason::NeverPlaced)),
        ),
        (
            "never placed, yet it talked",
            over(),
            vec![of_dial(DialEvent::NeverPlaced), of_dial(ended(true))],
            (true, Over, None, Some(Reason::NoReport)),
        ),
        (
            "ended by the user's system while live",
            live(),
            vec![failed()],
            (true, Over, Some(Outcome::Failed), Some(Reason::ReportedFailure)),
        ),
    ] {
        assert_eq!(outcome(&fold_of(0, &dials, &entries)), expected, "{name}");
    }
}

#[test]
fn reopened_call_keeps_decisions_and_forgets_how_earlier_dials_went() {
    let dials = [dial("c.1", 0, false), dial("c.2", 1, true)];
    let no_answer = event(Some("c.1"), ended(false));
    let cancelled = run_end(Some("c.1"), "run-1", RunEnd::Cancelled);
    let word = event(None, DialEvent::Failed { reason: None });
    let earlier = [no_answer, cancelled, word];
    assert!(!fold_of(1, &dials, &earlier).closed);
    // The held-up record of the first run arrives in the second generation.
    let late = reopened(run_end(None, "run-1", RunEnd::Cancelled));
    assert!(!fold_of(1, &dials[..1], &[late]).closed);
    // A decision on the first dial counts, and ends the call once no dial is live.
    let decided = [reopened(event(Some("c.1"), reported(Outcome::NotInterested)))];
    assert!(!fold_of(1, &dials, &decided).closed);
    let waiting = fold_of(1, &dials[..1], &decided);
    assert_eq!(outcome(&waiting), (true, Disposition::Over, Some(Outcome::NotInterested), None));
    // The talk of the first dial belongs to it alone.
    let folded = fold_of(1, &dials, &[reopened(event(Some("c.1"), ended(true)))]);
    let talk = |id: &str| folded.dial(&DialId::new(id)).talk_secs();
    assert_eq!((talk("c.1"), talk("c.2"), folded.summary.talk_secs), (240, 0, 0));
}

#[test]
fn order_and_repetition_of_entries_do_not_matter() {
    let dials = [dial("c.1", 0, false), dial("c.2", 1, false)];
    let of = |id: &'static str, said: DialEvent| event(Some(id), said);
    let entries = [
        of("c.1", DialEvent::NeverPlaced),
        of("c.1", ended(true)),
        of("c.2", DialEvent::Placed { provider_call_id: "u2".to_owned() }),
        of("c.2", ended(false)),
        of("c.1", reported(Outcome::CallbackRequested)),
        reopened(event(None, DialEvent::Completed { talk_secs: Some(60) })),
        reopened(run_end(Some("c.2"), "run-2", RunEnd::Cancelled)),
        run_end(Some("c.1"), "run-1", denied()),
    ];
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..20_000 {
        let mut chosen: Vec<LogEntry> = entries.iter().filter(|_| rng.bool()).cloned().collect();
        let expected = fold_of(1, &dials, &chosen);
        let repeated: Vec<LogEntry> = chosen.iter().filter(|_| rng.bool()).cloned().collect();
        chosen.extend(repeated);
        rng.shuffle(&mut chosen);
        assert_eq!(fold_of(1, &dials, &chosen), expected);
    }
}

#[test]
fn statement_round_trips_through_json_and_unknown_words_are_errors() {
    for statement in [
        Statement::Event(reported(Outcome::AppointmentSet)),
        Statement::Event(ended(true)),
        Statement::Event(DialEvent::Voicemail),
        Statement::RunEnd(RunEnd::Cancelled),
        Statement::RunEnd(denied()),
    ] {
        let json = serde_json::to_value(&statement).unwrap();
        assert_eq!(serde_json::from_value::<Statement>(json.clone()).unwrap(), statement, "{json}");
    }
    let unknown = serde_json::json!({"kind": "reported", "source": "agent", "outcome": "MOVED"});
    assert!(serde_json::from_value::<Statement>(unknown).is_err());
}
