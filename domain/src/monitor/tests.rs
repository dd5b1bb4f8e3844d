use super::*;
use crate::facts::{DialEvent, EndReason};
use crate::report::{Report, ReportSource, ReportedOutcome};
use crate::status::Outcome;

const TERMS: DialTerms =
    DialTerms { join_timeout: TimeDelta::seconds(60), max_duration: TimeDelta::seconds(600) };

fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_740_495_600 + secs, 0).unwrap()
}

fn placed() -> DialEvent {
    DialEvent::Placed { provider_call_id: "u1".into() }
}

fn leg_started() -> DialEvent {
    DialEvent::LegStarted { carrier_call_id: "v3:1".into() }
}

fn answered() -> DialEvent {
    DialEvent::Answered { at: Some(at(10)) }
}

fn completed() -> DialEvent {
    DialEvent::Completed { talk_secs: None }
}

fn ended() -> DialEvent {
    let (answered_at, ended_at) = (Some(at(10)), Some(at(70)));
    DialEvent::Ended { answered_at, ended_at, reason: EndReason::CalleeHungUp }
}

fn opt_out() -> DialEvent {
    let reported = ReportedOutcome { outcome: Outcome::DoNotCall, time: None, notes: None };
    DialEvent::Reported(Report::new(reported, ReportSource::Agent).unwrap())
}

/// A monitor and the facts of its dial.
struct Dial {
    monitor: Monitor,
    facts: DialFacts,
    cancelled: bool,
}

impl Dial {
    fn new(goal: Goal, events: impl IntoIterator<Item = DialEvent>) -> Self {
        let facts = DialFacts::of(events);
        let mut monitor = Monitor::new(goal, TERMS, &facts, at(0));
        monitor.observe(&facts, at(0));
        Self { monitor, facts, cancelled: false }
    }

    fn cancelled(events: impl IntoIterator<Item = DialEvent>) -> Self {
        Self { cancelled: true, ..Self::new(Goal::AwaitEnd, events) }
    }

    fn apply(&mut self, event: DialEvent, secs: i64) {
        self.facts.apply(event);
        self.monitor.observe(&self.facts, at(secs));
    }

    fn next(&self, secs: i64) -> NextAction {
        self.monitor.next_action(&self.facts, self.cancelled, at(secs))
    }
}

fn wait(secs: i64) -> NextAction {
    NextAction::WaitUntil(at(secs))
}

#[test]
fn lookups_start_when_an_event_is_overdue_and_grow_rarer() {
    let mut now = at(0);
    let mut lookups = LookupSchedule { terms: TERMS, stage: Stage::Unknown, since: now, count: 0 };
    for (stage, intervals) in [
        (Stage::Unknown, &[5, 10, 20, 40, 60, 60][..]),
        (Stage::Ringing, &[75, 30, 60, 120, 240, 480, 600, 600]),
        (Stage::Talking, &[615, 30, 60]),
    ] {
        lookups.observe(stage, now);
        for interval in intervals {
            let due = lookups.due(stage, now);
            assert_eq!((due - now).num_seconds(), *interval, "{stage:?}");
            now = due;
            lookups.count(now);
        }
    }
}

#[test]
fn first_action_of_each_stage() {
    use NextAction::*;
    let over = Done(MonitorEnd::Over);
    for (name, events, cancelled, expected) in [
        ("unknown", vec![], false, wait(5)),
        ("ringing", vec![placed()], false, wait(75)),
        ("talking", vec![placed(), answered()], false, MarkAnswered),
        ("opted out while ringing", vec![placed(), opt_out()], false, Suppress),
        ("ended by the provider", vec![placed(), ended()], false, over),
        ("ended by the user's system", vec![placed(), completed()], false, HangUp),
        ("cancelled while unknown", vec![], true, HangUp),
        ("cancelled while talking", vec![placed(), answered()], true, HangUp),
        ("cancelled after the end", vec![placed(), ended()], true, over),
    ] {
        let dial = Dial { cancelled, ..Dial::new(Goal::AwaitEnd, events) };
        assert_eq!(dial.next(0), expected, "{name}");
    }
}

#[test]
fn answered_call_is_marked_once_and_opt_out_suppresses_once() {
    let mut dial = Dial::new(Goal::AwaitEnd, [placed(), answered()]);
    dial.monitor.answered_marked();
    assert_eq!(dial.next(1), wait(615));
    dial.apply(opt_out(), 2);
    assert_eq!(dial.next(2), NextAction::Suppress);
    dial.monitor.suppression_done();
    assert_eq!(dial.next(2), wait(615));
}

#[test]
fn overdue_event_leads_to_a_lookup() {
    let mut dial = Dial::new(Goal::AwaitEnd, [placed()]);
    assert_eq!(dial.next(75), NextAction::FetchStatus);
    dial.monitor.lookup_done(Lookup::Found, at(76));
    assert_eq!(dial.next(76), wait(106));
}

#[test]
fn unlisted_dial_is_never_placed_only_after_the_join_timeout_and_an_answered_lookup() {
    for (secs, lookup, expected) in [
        (120, Lookup::NotFound, wait(125)),
        (121, Lookup::Failed, wait(126)),
        (121, Lookup::NotFound, NextAction::Done(MonitorEnd::NeverPlaced)),
    ] {
        let mut dial = Dial::new(Goal::AwaitEnd, []);
        dial.monitor.lookup_done(lookup, at(secs));
        let next = dial.next(secs);
        let expected = match expected {
            // The second interval of the stage is 10 s.
            NextAction::WaitUntil(_) => wait(secs + 10),
            other => other,
        };
        assert_eq!(next, expected, "{secs} {lookup:?}");
    }
}

#[test]
fn dial_with_events_that_is_not_listed_vanishes_an_hour_after_its_latest_end() {
    let mut dial = Dial::new(Goal::AwaitEnd, [placed()]);
    dial.monitor.lookup_done(Lookup::NotFound, at(660 + 3_600));
    assert!(matches!(dial.next(660 + 3_600), NextAction::WaitUntil(_)));
    dial.monitor.lookup_done(Lookup::NotFound, at(661 + 3_600));
    assert_eq!(dial.next(661 + 3_600), NextAction::DeclareVanished);
}

#[test]
fn event_after_an_empty_lookup_outweighs_it() {
    let mut dial = Dial::new(Goal::AwaitEnd, []);
    dial.monitor.lookup_done(Lookup::NotFound, at(100));
    dial.apply(placed(), 130);
    assert_eq!(dial.next(130), wait(205));
}

#[test]
fn cancelled_call_is_hung_up_again_when_there_are_better_means() {
    let mut dial = Dial::cancelled([placed()]);
    assert_eq!(dial.next(1), NextAction::HangUp);
    dial.monitor.hang_up_done(&dial.facts, true, at(1));
    assert_eq!(dial.next(1), wait(75));
    dial.apply(leg_started(), 2);
    assert_eq!(dial.next(2), NextAction::HangUp);
}

#[test]
fn failed_hang_up_is_followed_by_a_lookup_and_repeated_after_30_s() {
    let mut dial = Dial::cancelled([placed()]);
    dial.monitor.hang_up_done(&dial.facts, false, at(1));
    assert_eq!(dial.next(1), NextAction::FetchStatus);
    dial.monitor.lookup_done(Lookup::Failed, at(2));
    assert_eq!(dial.next(2), wait(31));
    assert_eq!(dial.next(31), NextAction::HangUp);
}

#[test]
fn end_by_the_users_system_is_hung_up_and_looked_up_once() {
    let mut dial = Dial::new(Goal::AwaitEnd, [placed(), completed()]);
    dial.monitor.hang_up_done(&dial.facts, false, at(1));
    assert_eq!(dial.next(1), NextAction::FetchStatus);
    dial.monitor.lookup_done(Lookup::Failed, at(2));
    assert_eq!(dial.next(2), NextAction::Done(MonitorEnd::Over));
}

#[test]
fn recorded_call_is_hung_up_until_the_provider_confirms_the_end() {
    let mut dial = Dial::new(Goal::EnsureHungUp, [placed(), completed()]);
    assert_eq!(dial.next(1), wait(5));
    dial.apply(leg_started(), 2);
    assert_eq!(dial.next(2), NextAction::HangUp);
    dial.monitor.hang_up_done(&dial.facts, true, at(2));
    assert_eq!(dial.next(2), NextAction::FetchStatus);
    dial.monitor.lookup_done(Lookup::Found, at(3));
    assert_eq!(dial.next(3), wait(13));
    dial.apply(ended(), 9);
    assert_eq!(dial.next(9), NextAction::Done(MonitorEnd::Over));
}

#[test]
fn recorded_call_that_is_not_listed_or_expired_is_done() {
    let mut dial = Dial::new(Goal::EnsureHungUp, [placed(), completed()]);
    dial.monitor.lookup_done(Lookup::NotFound, at(121));
    assert_eq!(dial.next(121), NextAction::Done(MonitorEnd::Over));
    let dial = Dial::new(Goal::EnsureHungUp, [placed(), completed()]);
    assert_eq!(dial.next(661 + 3_600), NextAction::Done(MonitorEnd::Over));
}
