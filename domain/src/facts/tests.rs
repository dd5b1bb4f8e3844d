use std::io::Write as _;

use super::*;
use crate::report::Source;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn placed() -> Event {
    Event::Placed { provider_call_id: "u1".into() }
}

fn joined() -> Event {
    Event::Joined { at: Some(at("2025-02-25T14:00:10Z")) }
}

fn ended(reason: EndReason) -> Event {
    let talked = reason != EndReason::Unjoined;
    Event::Ended {
        joined: talked.then(|| at("2025-02-25T14:00:10Z")),
        ended: Some(at("2025-02-25T14:04:10Z")),
        reason,
    }
}

/// The carrier tells why nobody was reached; the provider only knows that nobody joined.
fn carrier(why: Unreached) -> Vec<Event> {
    let carried = Event::Carried { carrier_call_id: "v3:abc".into() };
    vec![placed(), carried, Event::Unreached(why), ended(EndReason::Unjoined)]
}

fn report(outcome: Outcome) -> Event {
    let time = Some(at("2025-02-26T15:00:00Z"));
    Event::Reported(Report::new(outcome, time, None, Source::Agent).unwrap())
}

fn facts(events: impl IntoIterator<Item = Event>) -> Facts {
    let mut facts = Facts::default();
    for event in events {
        facts.learn(event);
    }
    facts
}

/// A name, the events, and the outcome, reason and seconds of talk that they come to.
type Scenario = (&'static str, Vec<Event>, Option<Outcome>, Option<Reason>, i64);

/// The events of each kind of call, and what they come to.
fn scenarios() -> Vec<Scenario> {
    use Outcome::*;
    let carried = Event::Carried { carrier_call_id: "v3:abc".into() };
    let talk = |report: Option<Event>| -> Vec<Event> {
        let told = [placed(), carried.clone(), joined(), ended(EndReason::AgentHangup)];
        told.into_iter().chain(report).collect()
    };
    let unjoined = vec![placed(), ended(EndReason::Unjoined)];
    let completed = Event::Completed { talk_secs: Some(240) };
    let failed = Event::Failed { reason: Some("Unreachable".into()) };
    let mut changed_mind = talk(Some(report(CallbackRequested)));
    changed_mind.push(report(DoNotCall));
    let client =
        Report::new(CallbackRequested, Some(at("2025-02-27T15:00:00Z")), None, Source::Client);
    let mut contradicted = talk(Some(report(CallbackRequested)));
    contradicted.remove(1);
    contradicted.extend([completed.clone(), Event::Reported(client.unwrap())]);
    vec![
        ("books", talk(Some(report(AppointmentSet))), Some(AppointmentSet), None, 240),
        ("callback", talk(Some(report(CallbackRequested))), Some(CallbackRequested), None, 240),
        ("declines", talk(Some(report(NotInterested))), Some(NotInterested), None, 240),
        ("refuses", talk(Some(report(DoNotCall))), Some(DoNotCall), None, 240),
        ("changes its mind", changed_mind, Some(DoNotCall), None, 240),
        ("is contradicted", contradicted, Some(CallbackRequested), None, 240),
        ("says nothing", talk(None), None, Some(Reason::NoReport), 240),
        ("machine", talk(Some(Event::Voicemail)), Some(NoResponse), Some(Reason::Voicemail), 240),
        ("rings out", unjoined, Some(NoResponse), Some(Reason::NoAnswer), 0),
        ("plain", vec![report(AppointmentSet), completed], Some(AppointmentSet), None, 240),
        ("plain failure", vec![failed], Some(Failed), Some(Reason::ReportedFailure), 0),
        ("busy", carrier(Unreached::Busy), Some(NoResponse), Some(Reason::Busy), 0),
        ("rejected", carrier(Unreached::Rejected), Some(NoResponse), Some(Reason::Rejected), 0),
        (
            "no such number",
            carrier(Unreached::InvalidNumber),
            Some(Failed),
            Some(Reason::InvalidNumber),
            0,
        ),
        ("vanished", vec![placed(), Event::Vanished], Some(Failed), Some(Reason::Vanished), 0),
        (
            "provider fails",
            vec![
                placed(),
                Event::Ended { joined: None, ended: None, reason: EndReason::SystemError },
            ],
            Some(Failed),
            Some(Reason::ReportedFailure),
            0,
        ),
    ]
}

#[test]
fn each_kind_of_call_comes_to_its_outcome() {
    for (name, events, outcome, reason, talk_secs) in scenarios() {
        let facts = facts(events);
        assert!(facts.is_over(), "{name}");
        let conclusion = facts.conclusion();
        assert_eq!((conclusion.outcome, conclusion.reason), (outcome, reason), "{name}");
        assert_eq!(conclusion.talk_secs, talk_secs, "{name}");
    }
}

/// Every subset of a call's events, since any webhook may be lost; each in every order, as it is, with any one of
/// its events a second time at any place, and as a whole twice.
#[test]
fn the_order_and_the_number_of_events_do_not_matter() {
    let mut tried = 0_usize;
    for (name, events, ..) in scenarios() {
        for subset in subsets(&events) {
            let expected = facts(subset.clone());
            let expected = (expected.conclusion(), expected);
            let mut same = |order: &[&Event]| {
                tried += 1;
                let facts = facts(order.iter().copied().cloned());
                assert_eq!((facts.conclusion(), facts), expected, "{name}: {order:?}");
            };
            let known: Vec<&Event> = subset.iter().collect();
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
    // Past the capture of output by the test harness: the number belongs into every run's report.
    let line = format!("{tried} sequences of events, of {} kinds of calls\n", scenarios().len());
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    assert!(tried > 100_000, "{tried}");
}

#[test]
fn a_known_event_says_nothing_new() {
    for (name, events, ..) in scenarios() {
        let mut known = facts(events.clone());
        for event in events {
            assert!(!known.learn(event), "{name}");
        }
    }
}

#[test]
fn a_report_that_loses_is_named() {
    let both = facts([report(Outcome::CallbackRequested), report(Outcome::DoNotCall)]);
    assert_eq!(both.conclusion().overruled, [Outcome::CallbackRequested]);
}

#[test]
fn a_started_second_counts_whole() {
    let facts = facts([Event::Ended {
        joined: Some(at("2025-02-25T14:00:00Z")),
        ended: Some(at("2025-02-25T14:01:00.001Z")),
        reason: EndReason::Hangup,
    }]);
    assert_eq!(facts.conclusion().talk_secs, 61);
}

fn subsets(events: &[Event]) -> Vec<Vec<Event>> {
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
