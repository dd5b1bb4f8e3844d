use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn span() -> Span {
    Span { from: at("2025-02-25T14:00:00Z"), until: at("2025-02-25T14:30:00Z") }
}

fn new_york() -> DailyWindow {
    DailyWindow::new("America/New_York", "09:00:00".parse().unwrap(), "17:00:00".parse().unwrap())
        .unwrap()
}

const PLENTY: Budget = Budget { calls: 10, minutes: 600 };

fn initial(id: &str) -> Candidate {
    Candidate {
        standing: Standing {
            prospect: ProspectId::new(id),
            promised: false,
            waiting_since: span().from,
            times_rescheduled: 0,
        },
        phone: "+1234567890".into(),
        zone: None,
        due: None,
        last_contacted: None,
        attempts_left: 5,
        suppressed: false,
        has_open_conversation: false,
    }
}

fn rescheduled(id: &str, due: &str) -> Candidate {
    let mut candidate = initial(id);
    candidate.standing.promised = true;
    candidate.due = Some(at(due));
    candidate
}

/// `id=HH:MM:SS` for each planned, `id!reason` for each skipped prospect, in order.
fn told(decisions: Vec<Decision>) -> String {
    let words: Vec<String> = decisions
        .iter()
        .map(|d| match &d.verdict {
            Ok(slot) => format!("{}={}", d.prospect, slot.format("%H:%M:%S")),
            Err(skip) => format!("{}!{}", d.prospect, skip.reason),
        })
        .collect();
    words.join(" ")
}

#[test]
fn the_example_of_a_planned_day() {
    let candidates = vec![initial("p1"), rescheduled("p2", "2025-02-25T14:15:00Z")];
    assert_eq!(told(plan(span(), new_york(), PLENTY, candidates)), "p2=14:15:00 p1=14:00:00");
}

#[test]
fn others_are_spread_evenly_over_the_interval() {
    let candidates = ["a", "b", "c"].map(initial).to_vec();
    assert_eq!(
        told(plan(span(), new_york(), PLENTY, candidates)),
        "a=14:00:00 b=14:10:00 c=14:20:00"
    );
}

#[test]
fn each_rule_has_its_reason() {
    type Change = fn(&mut Candidate);
    let with = |change: Change| {
        let mut candidate = initial("p");
        change(&mut candidate);
        told(plan(span(), new_york(), PLENTY, vec![candidate]))
    };
    let cases: [(Change, &str); 8] = [
        (|c| c.phone = "555-0100".into(), "p!phone_invalid"),
        (|c| c.zone = Some("Nowhere".into()), "p!prospect_zone_unknown"),
        (|c| c.suppressed = true, "p!suppressed"),
        (|c| c.has_open_conversation = true, "p!open_conversation"),
        (|c| c.attempts_left = 0, "p!attempts_used_up"),
        (|c| c.last_contacted = Some(at("2025-02-24T14:00:01Z")), "p!contacted_recently"),
        (|c| c.last_contacted = Some(at("2025-02-24T14:00:00Z")), "p=14:00:00"),
        (|c| c.zone = Some("America/Los_Angeles".into()), "p!outside_hours"),
    ];
    for (change, expected) in cases {
        assert_eq!(with(change), expected);
    }
}

#[test]
fn a_promise_is_kept_at_its_time_or_at_the_next_allowed_one() {
    for (due, expected) in [
        ("2025-02-25T14:15:00Z", "p=14:15:00"),
        ("2025-02-25T12:00:00Z", "p=14:00:00"),
        ("2025-02-25T14:30:00Z", "p!not_due"),
    ] {
        let decisions = plan(span(), new_york(), PLENTY, vec![rescheduled("p", due)]);
        assert_eq!(told(decisions), expected, "{due}");
    }
}

#[test]
fn the_budget_bounds_the_plan_and_says_which_part_of_it() {
    let candidates = || ["a", "b", "c"].map(initial).to_vec();
    let calls = Budget { calls: 1, minutes: 600 };
    assert_eq!(
        told(plan(span(), new_york(), calls, candidates())),
        "a=14:00:00 b!daily_limit c!daily_limit"
    );
    let minutes = Budget { calls: 10, minutes: 2 };
    assert_eq!(
        told(plan(span(), new_york(), minutes, candidates())),
        "a=14:00:00 b=14:15:00 c!no_minutes"
    );
    let nothing = Budget { calls: -3, minutes: 5 };
    assert_eq!(
        told(plan(span(), new_york(), nothing, candidates())),
        "a!daily_limit b!daily_limit c!daily_limit"
    );
}

#[test]
fn a_window_that_opens_or_closes_within_the_span_bounds_the_slots() {
    let early = Span { from: at("2025-02-25T13:40:00Z"), until: at("2025-02-25T14:10:00Z") };
    let candidates = || ["a", "b"].map(initial).to_vec();
    assert_eq!(told(plan(early, new_york(), PLENTY, candidates())), "a=14:00:00 b=14:05:00");
    let late = Span { from: at("2025-02-25T21:50:00Z"), until: at("2025-02-25T22:20:00Z") };
    assert_eq!(told(plan(late, new_york(), PLENTY, candidates())), "a=21:50:00 b=21:55:00");
    let night = Span { from: at("2025-02-25T23:00:00Z"), until: at("2025-02-25T23:30:00Z") };
    let decisions = plan(night, new_york(), PLENTY, candidates());
    assert_eq!(
        decisions[0].verdict,
        Err(Skip { reason: SkipReason::OutsideHours, next: Some(at("2025-02-26T14:00:00Z")) })
    );
}

#[test]
fn no_slot_lies_outside_the_hours_of_anybody() {
    let zones = ["America/New_York", "America/Chicago", "America/Los_Angeles", "Asia/Tokyo"];
    for hour in 0..48 {
        let from = at("2025-03-08T18:00:00Z") + TimeDelta::hours(hour);
        let span = Span { from, until: from + TimeDelta::minutes(45) };
        let candidates = (0..12)
            .map(|i| {
                let mut c = initial(&format!("p{i}"));
                c.zone = Some(zones[i % zones.len()].into());
                c
            })
            .collect();
        for decision in plan(span, new_york(), PLENTY, candidates) {
            let Ok(slot) = decision.verdict else { continue };
            let i: usize = decision.prospect.as_str()[1..].parse().unwrap();
            let zone: Tz = zones[i % zones.len()].parse().unwrap();
            assert!(Hours::of_call(new_york(), [zone]).allow(slot), "{slot} in {zone}");
            assert!((span.from..span.until).contains(&slot));
        }
    }
}
