use super::*;

fn rule(id: &str, jurisdiction: &str, days: &[i32], open: Option<(&str, &str)>) -> Rule {
    Rule {
        id: id.into(),
        jurisdiction: jurisdiction.into(),
        days: Weekdays::from_iso(days.iter().copied()),
        open: open.map(|(opens, closes)| (opens.parse().unwrap(), closes.parse().unwrap())),
        cap_per_day: None,
        cap_total: None,
        from: None,
        until: None,
    }
}

const WEEK: &[i32] = &[1, 2, 3, 4, 5, 6, 7];

fn rules() -> Vec<Rule> {
    vec![
        rule("any", "*", WEEK, Some(("08:00:00", "21:00:00"))),
        Rule {
            cap_per_day: Some(3),
            ..rule("us-fl", "US-FL", WEEK, Some(("08:00:00", "20:00:00")))
        },
        rule("us-tx", "US-TX", &[1, 2, 3, 4, 5, 6], Some(("09:00:00", "21:00:00"))),
        rule("us-tx-sunday", "US-TX", &[7], Some(("12:00:00", "21:00:00"))),
        Rule { from: Some(day("2026-10-18")), ..rule("us-pa-sunday", "US-PA", &[7], None) },
    ]
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// The hours of a day as `opens-closes`.
fn hours(phone: &str, state: Option<&str>, date: &str) -> String {
    match Law::for_phone(&rules(), phone, state).span(day(date)) {
        Some((opens, closes)) => format!("{}-{}", opens.format("%H:%M"), closes.format("%H:%M")),
        None => "closed".to_owned(),
    }
}

#[test]
fn strictest_rule_of_number_and_state_wins() {
    // 2026-11-22 is a Sunday.
    for (phone, state, date, expected) in [
        ("+12125550100", None, "2026-11-23", "08:00-21:00"),
        ("+13055550100", None, "2026-11-23", "08:00-20:00"),
        ("+12125550100", Some("US-FL"), "2026-11-23", "08:00-20:00"),
        ("+13055550100", Some("US-TX"), "2026-11-22", "12:00-20:00"),
        ("+12145550100", None, "2026-11-23", "09:00-21:00"),
        ("+12155550100", None, "2026-10-11", "08:00-21:00"),
        ("+12155550100", None, "2026-10-18", "closed"),
        ("+442079460100", None, "2026-11-22", "08:00-21:00"),
    ] {
        assert_eq!(hours(phone, state, date), expected, "{phone} {state:?} {date}");
    }
}

#[test]
fn federal_hours_apply_without_a_rule() {
    let law = Law::for_phone(&[], "+12125550100", None);
    assert_eq!(law.span(day("2026-11-22")), Some(DEFAULT_HOURS));
}

#[test]
fn caps_follow_number_and_state() {
    let cap = |phone, state| Law::for_phone(&rules(), phone, state).cap_per_day(day("2026-11-22"));
    assert_eq!(cap("+13055550100", None), Some(3));
    assert_eq!(cap("+12125550100", Some("US-FL")), Some(3));
    assert_eq!(cap("+12125550100", None), None);
}
