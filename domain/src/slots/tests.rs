use chrono_tz::Tz;

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

/// A plan for the window of New York, without rules or other calls.
fn planned(span: Span, budget: Budget, candidates: Vec<Candidate>) -> Vec<Decision> {
    planned_at(span, budget, Pace::new(5, 600, []), candidates)
}

fn planned_at(span: Span, budget: Budget, pace: Pace, candidates: Vec<Candidate>) -> Vec<Decision> {
    let terms = Terms { span, window: &new_york(), budget, rules: &[], strict: false, pace };
    plan(terms, candidates)
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
        phone: format!(
            "+1212555{:04}",
            id.bytes().fold(7_u32, |sum, b| (sum * 31 + u32::from(b)) % 10_000)
        ),
        zone: None,
        state: None,
        due: None,
        rests_until: None,
        attempts_left: 5,
        suppressed: false,
        has_open_conversation: false,
        number_busy: false,
        number_rests_until: None,
        number: NumberLog::default(),
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
            Ok(slot) => format!("{}={}", d.prospect, slot.at.format("%H:%M:%S")),
            Err(skip) => format!("{}!{}", d.prospect, skip.reason),
        })
        .collect();
    words.join(" ")
}

#[test]
fn the_example_of_a_planned_day() {
    let candidates = vec![initial("p1"), rescheduled("p2", "2025-02-25T14:15:00Z")];
    assert_eq!(told(planned(span(), PLENTY, candidates)), "p2=14:15:00 p1=14:00:00");
}

#[test]
fn others_are_spread_evenly_over_the_interval() {
    let candidates = ["a", "b", "c"].map(initial).to_vec();
    assert_eq!(told(planned(span(), PLENTY, candidates)), "a=14:00:00 b=14:10:00 c=14:20:00");
}

#[test]
fn each_rule_has_its_reason() {
    type Change = fn(&mut Candidate);
    let with = |change: Change| {
        let mut candidate = initial("p");
        change(&mut candidate);
        told(planned(span(), PLENTY, vec![candidate]))
    };
    let cases: [(Change, &str); 11] = [
        (|c| c.phone = "555-0100".into(), "p!phone_invalid"),
        (|c| c.zone = Some("Nowhere".into()), "p!prospect_zone_unknown"),
        (|c| c.suppressed = true, "p!suppressed"),
        (|c| c.has_open_conversation = true, "p!open_conversation"),
        (|c| c.attempts_left = 0, "p!attempts_used_up"),
        (|c| c.rests_until = Some(at("2025-02-25T14:00:01Z")), "p!contacted_recently"),
        (|c| c.rests_until = Some(at("2025-02-25T14:00:00Z")), "p=14:00:00"),
        (|c| c.number_busy = true, "p!number_busy"),
        (|c| c.number_rests_until = Some(at("2025-02-25T14:00:01Z")), "p!number_resting"),
        (|c| c.phone = "+13105550100".into(), "p!outside_hours"),
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
        let decisions = planned(span(), PLENTY, vec![rescheduled("p", due)]);
        assert_eq!(told(decisions), expected, "{due}");
    }
}

#[test]
fn the_budget_bounds_the_plan_and_says_which_part_of_it() {
    let candidates = || ["a", "b", "c"].map(initial).to_vec();
    let calls = Budget { calls: 1, minutes: 600 };
    assert_eq!(
        told(planned(span(), calls, candidates())),
        "a=14:00:00 b!daily_limit c!daily_limit"
    );
    let minutes = Budget { calls: 10, minutes: 2 };
    assert_eq!(told(planned(span(), minutes, candidates())), "a=14:00:00 b=14:15:00 c!no_minutes");
    let nothing = Budget { calls: -3, minutes: 5 };
    assert_eq!(
        told(planned(span(), nothing, candidates())),
        "a!daily_limit b!daily_limit c!daily_limit"
    );
}

#[test]
fn a_window_that_opens_or_closes_within_the_span_bounds_the_slots() {
    let early = Span { from: at("2025-02-25T13:40:00Z"), until: at("2025-02-25T14:10:00Z") };
    let candidates = || ["a", "b"].map(initial).to_vec();
    assert_eq!(told(planned(early, PLENTY, candidates())), "a=14:00:00 b=14:05:00");
    let late = Span { from: at("2025-02-25T21:50:00Z"), until: at("2025-02-25T22:20:00Z") };
    assert_eq!(told(planned(late, PLENTY, candidates())), "a=21:50:00 b=21:55:00");
    let night = Span { from: at("2025-02-25T23:00:00Z"), until: at("2025-02-25T23:30:00Z") };
    let decisions = planned(night, PLENTY, candidates());
    assert_eq!(
        decisions[0].verdict,
        Err(Skip {
            reason: SkipReason::OutsideHours,
            detail: "It is outside the client's hours, 09:00 to 17:00 in America/New_York.".into(),
            next: Some(at("2025-02-26T14:00:00Z")),
        })
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
        for decision in planned(span, PLENTY, candidates) {
            let Ok(slot) = decision.verdict else { continue };
            let i: usize = decision.prospect.as_str()[1..].parse().unwrap();
            let zone: Tz = zones[i % zones.len()].parse().unwrap();
            assert!(
                Hours::of_call(new_york(), [zone], &Law::default()).allowed(slot.at).is_ok(),
                "{slot:?} in {zone}"
            );
            assert!((span.from..span.until).contains(&slot.at));
        }
    }
}

#[test]
fn of_prospects_with_one_number_one_is_called() {
    let twin = |id: &str| Candidate { phone: "+12125550177".into(), ..initial(id) };
    let decisions = planned(span(), PLENTY, vec![twin("a"), twin("b"), initial("c")]);
    assert_eq!(told(decisions), "a=14:00:00 b!number_busy c=14:15:00");
}

#[test]
fn calls_of_other_users_are_kept_clear_of() {
    let taken = [at("2025-02-25T14:00:00Z"), at("2025-02-25T14:00:07Z")];
    let pace = Pace::new(5, 600, taken);
    let decisions = planned_at(span(), PLENTY, pace, vec![initial("a"), initial("b")]);
    assert_eq!(told(decisions), "a=14:00:13 b=14:15:00");
}

#[test]
fn a_moved_promise_says_so() {
    let late = planned(span(), PLENTY, vec![rescheduled("p", "2025-02-25T12:00:00Z")]);
    let detail = late[0].verdict.as_ref().unwrap().detail.as_deref().unwrap();
    assert!(detail.contains("which was missed"), "{detail}");
    let early = Span { from: at("2025-02-25T13:30:00Z"), until: at("2025-02-25T14:30:00Z") };
    let moved = planned(early, PLENTY, vec![rescheduled("p", "2025-02-25T13:45:00Z")]);
    let slot = moved[0].verdict.as_ref().unwrap();
    assert_eq!(slot.at, at("2025-02-25T14:00:00Z"));
    let detail = slot.detail.as_deref().unwrap();
    assert!(detail.contains("moved to the next allowed moment: It is outside"), "{detail}");
}
