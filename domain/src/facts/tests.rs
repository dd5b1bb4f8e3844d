use super::*;
use crate::report::{ReportSource, ReportedOutcome};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn placed() -> DialEvent {
    DialEvent::Placed { provider_call_id: "u1".into() }
}

fn answered() -> DialEvent {
    DialEvent::Answered { at: Some(at("2025-02-25T14:00:10Z")) }
}

fn ended(reason: EndReason) -> DialEvent {
    let talked = reason != EndReason::Unanswered;
    DialEvent::Ended {
        answered_at: talked.then(|| at("2025-02-25T14:00:10Z")),
        ended_at: Some(at("2025-02-25T14:04:10Z")),
        reason,
    }
}

/// The carrier knows the cause; the provider only knows that the call was not answered.
fn unreached(cause: HangupCause) -> Vec<DialEvent> {
    let leg_started = DialEvent::LegStarted { carrier_call_id: "v3:abc".into() };
    vec![placed(), leg_started, DialEvent::Unreached { cause }, ended(EndReason::Unanswered)]
}

fn report(outcome: Outcome) -> DialEvent {
    reported_by(ReportSource::Agent, outcome, "2025-02-26T15:00:00Z")
}

fn reported_by(source: ReportSource, outcome: Outcome, time: &str) -> DialEvent {
    let reported = ReportedOutcome { outcome, time: Some(at(time)), notes: None };
    DialEvent::Reported(Report::new(reported, source).unwrap())
}

/// A name, the events, and their outcome, reason and seconds of talk.
type Scenario = (&'static str, Vec<DialEvent>, Option<Outcome>, Option<Reason>, i64);

fn scenarios() -> Vec<Scenario> {
    use Outcome::*;
    let leg_started = DialEvent::LegStarted { carrier_call_id: "v3:abc".into() };
    let talk = |report: Option<DialEvent>| -> Vec<DialEvent> {
        let events = [placed(), leg_started.clone(), answered(), ended(EndReason::AgentHungUp)];
        events.into_iter().chain(report).collect()
    };
    let unanswered = vec![placed(), ended(EndReason::Unanswered)];
    let completed = DialEvent::Completed { talk_secs: Some(240) };
    let failed = DialEvent::Failed { reason: Some("Unreachable".into()) };
    let mut changed_mind = talk(Some(report(CallbackRequested)));
    changed_mind.push(report(DoNotCall));
    let by_user = reported_by(ReportSource::User, CallbackRequested, "2025-02-27T15:00:00Z");
    let mut contradicting = talk(Some(report(CallbackRequested)));
    contradicting.remove(1);
    contradicting.extend([completed.clone(), by_user]);
    vec![
        ("appointment", talk(Some(report(AppointmentSet))), Some(AppointmentSet), None, 240),
        ("callback", talk(Some(report(CallbackRequested))), Some(CallbackRequested), None, 240),
        ("not interested", talk(Some(report(NotInterested))), Some(NotInterested), None, 240),
        ("opt-out", talk(Some(report(DoNotCall))), Some(DoNotCall), None, 240),
        ("changed mind", changed_mind, Some(DoNotCall), None, 240),
        ("contradicting reports", contradicting, Some(CallbackRequested), None, 240),
        ("no report", talk(None), None, Some(Reason::NoReport), 240),
        (
            "machine",
            talk(Some(DialEvent::Voicemail)),
            Some(NoResponse),
            Some(Reason::Voicemail),
            240,
        ),
        ("not answered", unanswered, Some(NoResponse), Some(Reason::NoAnswer), 0),
        ("user webhook", vec![report(AppointmentSet), completed], Some(AppointmentSet), None, 240),
        ("failure by user webhook", vec![failed], Some(Failed), Some(Reason::ReportedFailure), 0),
        ("busy", unreached(HangupCause::Busy), Some(NoResponse), Some(Reason::Busy), 0),
        ("rejected", unreached(HangupCause::Rejected), Some(NoResponse), Some(Reason::Rejected), 0),
        (
            "invalid number",
            unreached(HangupCause::InvalidNumber),
            Some(Failed),
            Some(Reason::InvalidNumber),
            0,
        ),
        ("vanished", vec![placed(), DialEvent::Vanished], Some(Failed), Some(Reason::Vanished), 0),
        (
            "provider fails",
            vec![
                placed(),
                DialEvent::Ended {
                    answered_at: None,
                    ended_at: None,
                    reason: EndReason::ProviderFailed,
                },
            ],
            Some(Failed),
            Some(Reason::ReportedFailure),
            0,
        ),
    ]
}

#[test]
fn each_kind_of_call_has_its_outcome() {
    for (name, events, outcome, reason, talk_secs) in scenarios() {
        let facts = DialFacts::of(events);
        assert!(facts.is_over(), "{name}");
        let summary = facts.summary();
        assert_eq!((summary.outcome, summary.reason), (outcome, reason), "{name}");
        assert_eq!(summary.talk_secs, talk_secs, "{name}");
    }
}

/// Every subset of a call's events, since any webhook may be lost; each in every order, once, with one event
/// repeated at any place, and twice as a whole.
#[test]
fn order_and_repetition_of_events_do_not_matter() {
    let mut tried = 0_usize;
    for (name, events, ..) in scenarios() {
        for subset in subsets(&events) {
            let expected = DialFacts::of(subset.clone());
            let expected = (expected.summary(), expected);
            let mut same = |order: &[&DialEvent]| {
                tried += 1;
                let facts = DialFacts::of(order.iter().copied().cloned());
                assert_eq!((facts.summary(), facts), expected, "{name}: {order:?}");
            };
            let known: Vec<&DialEvent> = subset.iter().collect();
            for order in permutations(&known) {
                same(&order);
                same(&[order.as_slice(), &order].concat());
            }
            for event in &subset {
                let mut doubled = known.clone();
                doubled.push(event);
                permutations(&doubled).iter().for_each(|order| same(order));
            }
        }
    }
    assert!(tried > 100_000, "{tried}");
}

#[test]
fn repeated_event_changes_nothing() {
    for (name, events, ..) in scenarios() {
        let mut known = DialFacts::of(events.clone());
        for event in events {
            assert!(!known.apply(event), "{name}");
        }
    }
}

#[test]
fn report_that_can_not_be_taken_is_in_the_notes() {
    let now: DateTime<Utc> = "2025-02-25T14:00:00Z".parse().unwrap();
    for (time, words) in [
        ("+10000-01-01T23:58:59Z", "for +10000-01-01 23:58 UTC, which can't be meant: at the café"),
        ("-0002-12-31T10:00:00Z", "for -0002-12-31"),
        ("2026-02-27T14:00:00Z", "for 2026-02-27 14:00 UTC"),
    ] {
        for outcome in [Outcome::AppointmentSet, Outcome::CallbackRequested] {
            let reported = ReportedOutcome {
                outcome,
                time: Some(time.parse().unwrap()),
                notes: Some("at the café".to_owned()),
            };
            let event = DialEvent::of_report(reported.checked_at(now), ReportSource::User);
            let summary =
                DialFacts::of([event, DialEvent::Completed { talk_secs: Some(60) }]).summary();
            assert_eq!((summary.outcome, summary.reason), (None, Some(Reason::NoReport)));
            let notes = summary.full_notes().unwrap();
            assert!(notes.starts_with(&format!("not taken: {outcome} ")), "{notes}");
            assert!(notes.contains(words) && notes.contains("at the café"), "{notes}");
        }
    }
    let within = ReportedOutcome {
        outcome: Outcome::AppointmentSet,
        time: Some(now + chrono::TimeDelta::days(366)),
        notes: None,
    };
    assert!(matches!(
        DialEvent::of_report(within.checked_at(now), ReportSource::Agent),
        DialEvent::Reported(_)
    ));
}

#[test]
fn losing_report_is_listed_as_superseded() {
    let both = DialFacts::of([report(Outcome::CallbackRequested), report(Outcome::DoNotCall)]);
    let notes = both.summary().full_notes();
    let noted = "also reported: CALLBACK_REQUESTED for 2025-02-26 15:00 UTC by the agent";
    assert_eq!(notes.as_deref(), Some(noted));
}

#[test]
fn every_report_is_noted_with_its_time_and_notes() {
    let appointment = |time: &str, notes: &str| {
        let (time, notes) = (Some(at(time)), Some(notes.to_owned()));
        let reported = ReportedOutcome { outcome: Outcome::AppointmentSet, time, notes };
        DialEvent::Reported(Report::new(reported, ReportSource::Agent).unwrap())
    };
    let summary = DialFacts::of([
        appointment("2025-02-26T16:04:00Z", "second"),
        appointment("2025-02-26T15:04:00Z", "first"),
    ])
    .summary();
    assert_eq!(summary.time, Some(at("2025-02-26T15:04:00Z")));
    let noted =
        "first\nalso reported: APPOINTMENT_SET for 2025-02-26 16:04 UTC by the agent: second";
    assert_eq!(summary.full_notes().as_deref(), Some(noted));
}

#[test]
fn times_of_the_provider_win_over_the_word_of_the_users_system() {
    let early = DialEvent::Connected { at: Some(at("2025-02-25T13:50:00Z")) };
    let long = DialEvent::Completed { talk_secs: Some(3_600) };
    let by_user = DialFacts::of([early.clone(), long.clone()]);
    assert_eq!(by_user.talk_secs(), 3_600);
    assert!(!by_user.is_placed(), "what the user's system says does not prove a call");
    let both = DialFacts::of([early, long, ended(EndReason::CalleeHungUp)]);
    let summary = both.summary();
    assert_eq!((summary.talk_secs, summary.answered_at), (240, Some(at("2025-02-25T14:00:10Z"))));
}

#[test]
fn event_that_proves_the_call_outweighs_that_it_was_never_placed() {
    let lost = DialFacts::of([DialEvent::NeverPlaced]);
    assert!(lost.is_over() && lost.is_never_placed() && !lost.may_still_be_live());
    let found = DialFacts::of([DialEvent::NeverPlaced, placed()]);
    assert!(found.is_over() && !found.is_never_placed() && found.may_still_be_live());
}

#[test]
fn talk_is_rounded_up_to_whole_seconds() {
    let facts = DialFacts::of([DialEvent::Ended {
        answered_at: Some(at("2025-02-25T14:00:00Z")),
        ended_at: Some(at("2025-02-25T14:01:00.001Z")),
        reason: EndReason::CalleeHungUp,
    }]);
    assert_eq!(facts.summary().talk_secs, 61);
}

fn subsets(events: &[DialEvent]) -> Vec<Vec<DialEvent>> {
    let chosen = |set: usize| {
        let events = events.iter().enumerate().filter(|(n, _)| set & (1 << n) != 0);
        events.map(|(_, event)| event.clone()).collect()
    };
    (0..1 << events.len()).map(chosen).collect()
}

fn permutations<T: Copy>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![vec![]];
    }
    let mut all = vec![];
    for i in 0..items.len() {
        let mut rest = items.to_vec();
        let first = rest.remove(i);
        for mut tail in permutations(&rest) {
            tail.insert(0, first);
            all.push(tail);
        }
    }
    all
}
