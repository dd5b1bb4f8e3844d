use super::*;
use crate::facts::{DialEvent, EndReason};
use crate::report::{Report, ReportSource, ReportedOutcome};
use crate::status::Outcome;

const TERMS: DialTerms = DialTerms {
    join_timeout: TimeDelta::seconds(60),
    max_duration: TimeDelta::seconds(600),
    never_placed_after: TimeDelta::seconds(120),
};
/// When a call with these terms counts as over, whatever is known of it.
const LATEST_END: i64 = 60 + 600 + 600;

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
        let mut monitor = Monitor::new(goal, TERMS, at(0), at(0));
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
    let connected = || DialEvent::Connected { at: None };
    for (name, events, cancelled, expected) in [
        ("unknown", vec![], false, wait(5)),
        ("unknown, and the user's system says it talks", vec![connected()], false, wait(5)),
        ("ringing", vec![placed()], false, wait(75)),
        ("talking", vec![placed(), answered()], false, MarkAnswered),
        ("talking by the user's system", vec![placed(), connected()], false, MarkAnswered),
        ("opted out while ringing", vec![placed(), opt_out()], false, RecordOptOut),
        ("ended by the provider", vec![placed(), ended()], false, Done),
        ("ended by the user's system", vec![placed(), completed()], false, Done),
        ("cancelled while unknown", vec![], true, HangUp),
        ("cancelled while talking", vec![placed(), answered()], true, HangUp),
        ("cancelled after the end", vec![placed(), ended()], true, Done),
    ] {
        let dial = Dial { cancelled, ..Dial::new(Goal::AwaitEnd, events) };
        assert_eq!(dial.next(0), expected, "{name}");
    }
}

#[test]
fn answered_call_is_marked_once_and_opt_out_is_recorded_once() {
    let mut dial = Dial::new(Goal::AwaitEnd, [placed(), answered()]);
    dial.monitor.answered_marked();
    assert_eq!(dial.next(1), wait(615));
    dial.apply(opt_out(), 2);
    assert_eq!(dial.next(2), NextAction::RecordOptOut);
    dial.monitor.opt_out_recorded();
    assert_eq!(dial.next(2), wait(615));
}

#[test]
fn overdue_event_leads_to_a_lookup() {
    let mut dial = Dial::new(Goal::AwaitEnd, [placed(), answered()]);
    dial.monitor.answered_marked();
    assert_eq!(dial.next(615), NextAction::FetchStatus);
    dial.monitor.lookup_done(Lookup::Found, at(616));
    assert_eq!(dial.next(616), wait(646));
}

/// Looks the dial up at these times; returns what is done after the last one.
fn after_lookups(events: Vec<DialEvent>, lookups: &[(i64, Lookup)]) -> NextAction {
    let mut dial = Dial::new(Goal::AwaitEnd, events);
    for (secs, lookup) in lookups {
        dial.monitor.lookup_done(*lookup, at(*secs));
    }
    dial.next(lookups.last().unwrap().0)
}

#[test]
fn dial_is_never_placed_only_after_two_empty_lookups_two_minutes_apart() {
    use Lookup::*;
    for (lookups, never_placed) in [
        (vec![(61, NotFound)], false),
        (vec![(61, NotFound), (180, NotFound)], false),
        (vec![(60, NotFound), (180, NotFound)], false),
        (vec![(61, NotFound), (181, NotFound)], true),
        (vec![(61, NotFound), (90, Failed), (181, NotFound)], true),
        (vec![(61, NotFound), (181, Failed)], false),
        (vec![(61, NotFound), (90, Found), (181, NotFound)], false),
    ] {
        let next = after_lookups(vec![], &lookups);
        assert_eq!(next == NextAction::DeclareNeverPlaced, never_placed, "{lookups:?}: {next:?}");
    }
}

#[test]
fn second_empty_lookup_comes_as_soon_as_it_counts() {
    let mut dial = Dial::new(Goal::AwaitEnd, []);
    for secs in [61, 120, 170] {
        dial.monitor.lookup_done(Lookup::NotFound, at(secs));
    }
    assert_eq!(dial.next(170), wait(181));
}

#[test]
fn placed_call_that_is_not_listed_is_over_only_after_its_latest_end() {
    use Lookup::NotFound;
    let next = after_lookups(vec![placed()], &[(100, NotFound), (1000, NotFound)]);
    assert_ne!(next, NextAction::DeclareNeverPlaced);
    assert_ne!(next, NextAction::DeclareVanished);
}

#[test]
fn every_live_call_is_hung_up_and_vanishes_at_its_latest_end() {
    for (name, goal, events) in [
        ("unknown", Goal::AwaitEnd, vec![]),
        ("ringing", Goal::AwaitEnd, vec![placed()]),
        ("talking", Goal::AwaitEnd, vec![placed(), answered()]),
        ("completed by the user's system", Goal::EnsureHungUp, vec![placed(), completed()]),
    ] {
        let mut dial = Dial::new(goal, events);
        dial.monitor.lookup_done(Lookup::Failed, at(LATEST_END - 1));
        assert!(!matches!(dial.next(LATEST_END - 1), NextAction::DeclareVanished), "{name}");
        assert_eq!(dial.next(LATEST_END), NextAction::HangUp, "{name}");
        dial.monitor.hang_up_done(&dial.facts, false, at(LATEST_END));
        assert_eq!(dial.next(LATEST_END), NextAction::DeclareVanished, "{name}");
        dial.apply(DialEvent::Vanished, LATEST_END);
        assert_eq!(dial.next(LATEST_END), NextAction::Done, "{name}");
    }
}

#[test]
fn call_that_rings_longer_than_the_join_timeout_is_hung_up() {
    let mut dial = Dial::new(Goal::AwaitEnd, [placed()]);
    assert_eq!(dial.next(75), NextAction::FetchStatus);
    dial.monitor.lookup_done(Lookup::Found, at(76));
    assert_eq!(dial.next(76), NextAction::HangUp);
    dial.monitor.hang_up_done(&dial.facts, true, at(77));
    assert_eq!(dial.next(77), wait(106));
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
fn recorded_call_is_hung_up_until_the_provider_confirms_the_end() {
    let mut dial = Dial::new(Goal::EnsureHungUp, [placed(), completed()]);
    assert_eq!(dial.next(1), NextAction::HangUp);
    dial.monitor.hang_up_done(&dial.facts, true, at(1));
    assert_eq!(dial.next(1), NextAction::FetchStatus);
    dial.monitor.lookup_done(Lookup::Found, at(2));
    assert_eq!(dial.next(2), wait(12));
    assert_eq!(dial.next(12), NextAction::HangUp);
    dial.apply(ended(), 9);
    assert_eq!(dial.next(9), NextAction::Done);
}

#[test]
fn recorded_dial_without_an_answer_is_never_placed_after_the_same_lookups() {
    let mut dial = Dial::new(Goal::EnsureHungUp, [completed()]);
    dial.monitor.lookup_done(Lookup::NotFound, at(61));
    dial.monitor.lookup_done(Lookup::NotFound, at(181));
    assert_eq!(dial.next(181), NextAction::DeclareNeverPlaced);
    dial.apply(DialEvent::NeverPlaced, 181);
    assert_eq!(dial.next(181), NextAction::Done);
}
