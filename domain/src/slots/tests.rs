use chrono_tz::Tz;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn interval() -> PlanInterval {
    PlanInterval { from: at("2025-02-25T14:00:00Z"), until: at("2025-02-25T14:30:00Z") }
}

fn new_york() -> DailyWindow {
    DailyWindow::new("America/New_York", "09:00:00".parse().unwrap(), "17:00:00".parse().unwrap())
        .unwrap()
}

/// A plan for the window of New York, without rules or other calls.
fn planned(interval: PlanInterval, budget: Budget, candidates: Vec<Candidate>) -> Vec<Decision> {
    planned_at(interval, budget, Pacing::new(5, 600, []), candidates)
}

fn planned_at(
    interval: PlanInterval,
    budget: Budget,
    pacing: Pacing,
    candidates: Vec<Candidate>,
) -> Vec<Decision> {
    let (window, rules, share) = (&new_york(), &[], None);
    let context =
        PlanContext { interval, window, budget, rules, strict: false, trial: false, pacing, share };
    plan(context, candidates)
}

const AMPLE: Budget = Budget { calls: 10, minutes: 600 };

fn initial(id: &str) -> Candidate {
    Candidate {
        script_error: None,
        priority: PriorityInput {
            prospect: ProspectId::new(id),
            callback: false,
            waiting_since: interval().from,
            times_rescheduled: 0,
        },
        phone: format!(
            "+1212555{:04}",
            id.bytes().fold(7_u32, |sum, b| (sum * 31 + u32::from(b)) % 10_000)
        ),
        zone: None,
        state: None,
        callback_due: None,
        next_call_at: None,
        attempts_left: 5,
        suppressed: false,
        has_open_conversation: false,
        phone_closed_by: None,
        phone_busy: false,
        phone_cool_down_until: None,
        phone_usage: PhoneUsage::default(),
    }
}

fn rescheduled(id: &str, callback_due: &str) -> Candidate {
    let mut candidate = initial(id);
    candidate.priority.callback = true;
    candidate.callback_due = Some(at(callback_due));
    candidate
}

/// `id=HH:MM:SS` for each planned, `id!reason` for each skipped prospect, in order.
fn describe(decisions: Vec<Decision>) -> String {
    let parts: Vec<String> = decisions
        .iter()
        .map(|d| match &d.slot {
            Ok(slot) => format!("{}={}", d.prospect, slot.at.format("%H:%M:%S")),
            Err(block) => format!("{}!{}", d.prospect, block.reason),
        })
        .collect();
    parts.join(" ")
}

#[test]
fn example_plan_of_a_day() {
    let candidates = vec![initial("p1"), rescheduled("p2", "2025-02-25T14:15:00Z")];
    assert_eq!(describe(planned(interval(), AMPLE, candidates)), "p2=14:15:00 p1=14:00:00");
}

#[test]
fn prospects_without_callback_are_spread_evenly() {
    let candidates = ["a", "b", "c"].map(initial).to_vec();
    assert_eq!(
        describe(planned(interval(), AMPLE, candidates)),
        "a=14:00:00 b=14:10:00 c=14:20:00"
    );
}

#[test]
fn each_rule_has_its_reason() {
    type Change = fn(&mut Candidate);
    let with = |change: Change| {
        let mut candidate = initial("p");
        change(&mut candidate);
        describe(planned(interval(), AMPLE, vec![candidate]))
    };
    let cases: [(Change, &str); 12] = [
        (|c| c.phone = "555-0100".into(), "p!phone_invalid"),
        (|c| c.zone = Some("Nowhere".into()), "p!prospect_zone_unknown"),
        (|c| c.suppressed = true, "p!suppressed"),
        (|c| c.has_open_conversation = true, "p!open_conversation"),
        (|c| c.attempts_left = 0, "p!attempts_used_up"),
        (|c| c.next_call_at = Some(at("2025-02-25T14:00:01Z")), "p!cooling_down"),
        (|c| c.next_call_at = Some(at("2025-02-25T14:00:00Z")), "p=14:00:00"),
        (|c| c.phone_closed_by = Some("other".into()), "p!phone_closed"),
        (|c| c.phone_busy = true, "p!phone_busy"),
        (|c| c.phone_cool_down_until = Some(at("2025-02-25T14:00:01Z")), "p!phone_cooling_down"),
        (|c| c.phone = "+13105550100".into(), "p!outside_hours"),
        (|c| c.zone = Some("America/Los_Angeles".into()), "p!outside_hours"),
    ];
    for (change, expected) in cases {
        assert_eq!(with(change), expected);
    }
}

#[test]
fn callback_is_planned_at_its_time_or_at_the_next_allowed_one() {
    for (due, expected) in [
        ("2025-02-25T14:15:00Z", "p=14:15:00"),
        ("2025-02-25T12:00:00Z", "p=14:00:00"),
        ("2025-02-25T14:30:00Z", "p!not_due"),
    ] {
        let decisions = planned(interval(), AMPLE, vec![rescheduled("p", due)]);
        assert_eq!(describe(decisions), expected, "{due}");
    }
}

#[test]
fn budget_limits_the_plan_and_names_the_limit() {
    let candidates = || ["a", "b", "c"].map(initial).to_vec();
    let calls = Budget { calls: 1, minutes: 600 };
    assert_eq!(
        describe(planned(interval(), calls, candidates())),
        "a=14:00:00 b!daily_limit c!daily_limit"
    );
    let minutes = Budget { calls: 10, minutes: 2 };
    assert_eq!(
        describe(planned(interval(), minutes, candidates())),
        "a=14:00:00 b=14:15:00 c!no_minutes"
    );
    let nothing = Budget { calls: -3, minutes: 5 };
    assert_eq!(
        describe(planned(interval(), nothing, candidates())),
        "a!daily_limit b!daily_limit c!daily_limit"
    );
}

#[test]
fn window_that_opens_or_closes_within_the_interval_limits_the_slots() {
    let early =
        PlanInterval { from: at("2025-02-25T13:40:00Z"), until: at("2025-02-25T14:10:00Z") };
    let candidates = || ["a", "b"].map(initial).to_vec();
    assert_eq!(describe(planned(early, AMPLE, candidates())), "a=14:00:00 b=14:05:00");
    let late = PlanInterval { from: at("2025-02-25T21:50:00Z"), until: at("2025-02-25T22:20:00Z") };
    assert_eq!(describe(planned(late, AMPLE, candidates())), "a=21:50:00 b=21:54:33");
    let night =
        PlanInterval { from: at("2025-02-25T23:00:00Z"), until: at("2025-02-25T23:30:00Z") };
    let decisions = planned(night, AMPLE, candidates());
    assert_eq!(
        decisions[0].slot,
        Err(Block {
            reason: BlockReason::OutsideHours,
            detail: "It is outside the user's window, 09:00 to 17:00 in America/New_York.".into(),
            until: Some(at("2025-02-26T14:00:00Z")),
        })
    );
}

#[test]
fn no_slot_is_outside_the_hours_of_user_or_callee() {
    let zones = ["America/New_York", "America/Chicago", "America/Los_Angeles", "Asia/Tokyo"];
    for hour in 0..48 {
        let from = at("2025-03-08T18:00:00Z") + TimeDelta::hours(hour);
        let interval = PlanInterval { from, until: from + TimeDelta::minutes(45) };
        let candidates = (0..12)
            .map(|i| {
                let mut c = initial(&format!("p{i}"));
                c.zone = Some(zones[i % zones.len()].into());
                c
            })
            .collect();
        for decision in planned(interval, AMPLE, candidates) {
            let Ok(slot) = decision.slot else { continue };
            let i: usize = decision.prospect.as_str()[1..].parse().unwrap();
            let zone: Tz = zones[i % zones.len()].parse().unwrap();
            assert!(
                Hours::of_call(new_york(), [zone], &Law::default()).check(slot.at).is_ok(),
                "{slot:?} in {zone}"
            );
            assert!((interval.from..interval.until).contains(&slot.at));
        }
    }
}

#[test]
fn one_prospect_per_number_is_planned() {
    let twin = |id: &str| Candidate { phone: "+12125550177".into(), ..initial(id) };
    let decisions = planned(interval(), AMPLE, vec![twin("a"), twin("b"), initial("c")]);
    assert_eq!(describe(decisions), "a=14:00:00 b!phone_busy c=14:15:00");
}

#[test]
fn slots_keep_their_distance_from_other_users_slots() {
    let taken = [at("2025-02-25T14:00:00Z"), at("2025-02-25T14:00:07Z")];
    let pacing = Pacing::new(5, 600, taken);
    let decisions = planned_at(interval(), AMPLE, pacing, vec![initial("a"), initial("b")]);
    assert_eq!(describe(decisions), "a=14:00:13 b=14:15:00");
}

#[test]
fn moved_callback_says_why() {
    let late = planned(interval(), AMPLE, vec![rescheduled("p", "2025-02-25T12:00:00Z")]);
    let detail = late[0].slot.as_ref().unwrap().detail.as_deref().unwrap();
    assert!(detail.contains("missed"), "{detail}");
    let early =
        PlanInterval { from: at("2025-02-25T13:30:00Z"), until: at("2025-02-25T14:30:00Z") };
    let moved = planned(early, AMPLE, vec![rescheduled("p", "2025-02-25T13:45:00Z")]);
    let slot = moved[0].slot.as_ref().unwrap();
    assert_eq!(slot.at, at("2025-02-25T14:00:00Z"));
    let detail = slot.detail.as_deref().unwrap();
    assert!(detail.contains("moved to the next allowed time: It is outside"), "{detail}");
}

#[test]
fn share_limits_the_spread_calls_and_leaves_callbacks() {
    let mut candidates = ["a", "b", "c"].map(initial).to_vec();
    candidates.push(rescheduled("p", "2025-02-25T14:15:00Z"));
    let (window, pacing) = (&new_york(), Pacing::new(5, 600, []));
    let context = PlanContext {
        interval: interval(),
        window,
        budget: AMPLE,
        rules: &[],
        strict: false,
        trial: false,
        pacing,
        share: Some(2),
    };
    let decisions = describe(plan(context, candidates));
    assert_eq!(decisions, "p=14:15:00 a=14:00:00 b=14:15:06 c!no_room");
}

/// Users are planned one after the other; the later ones find the slots of the earlier ones.
#[test]
fn users_with_equal_shares_get_all_slots_however_many_they_are() {
    for users in 1..=9 {
        let lines = Pacing::new(5, 600, []);
        let room = lines.room(interval().from, interval().until, usize::MAX);
        assert_eq!(room, 300);
        let (mut taken, mut planned) = (Vec::new(), Vec::new());
        for (user, share) in
            crate::pacing::share(room, &vec![500; users], 0).into_iter().enumerate()
        {
            let context = PlanContext {
                interval: interval(),
                window: &new_york(),
                budget: Budget { calls: 500, minutes: 500 },
                rules: &[],
                strict: false,
                trial: false,
                pacing: Pacing::new(5, 600, taken.clone()),
                share: Some(share),
            };
            let candidates = (0..500).map(|n| {
                let phone = format!("+1212{:07}", 5_000_000 + user * 1_000 + n);
                Candidate { phone, ..initial(&format!("{user}-{n}")) }
            });
            let before = taken.len();
            taken.extend(
                plan(context, candidates.collect())
                    .into_iter()
                    .filter_map(|d| d.slot.ok())
                    .map(|s| s.at),
            );
            planned.push(taken.len() - before);
        }
        let (least, most) = (planned.iter().min().unwrap(), planned.iter().max().unwrap());
        assert!(most - least <= 1 && taken.len() == room, "{users} users: {planned:?}");
    }
}
