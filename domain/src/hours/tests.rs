use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn window(zone: &str, start: &str, end: &str) -> DailyWindow {
    DailyWindow::new(zone, start.parse().unwrap(), end.parse().unwrap()).unwrap()
}

#[test]
fn a_window_holds_its_start_and_not_its_end() {
    let day = window("America/New_York", "09:00:00", "17:00:00");
    for (moment, inside) in [
        ("2025-02-25T13:59:59Z", false),
        ("2025-02-25T14:00:00Z", true),
        ("2025-02-25T21:59:59Z", true),
        ("2025-02-25T22:00:00Z", false),
        ("2025-07-01T13:00:00Z", true),
    ] {
        assert_eq!(day.contains(at(moment)), inside, "{moment}");
    }
}

#[test]
fn a_window_may_go_across_midnight() {
    let night = window("Asia/Kolkata", "20:00:00", "02:00:00");
    for (moment, inside) in [
        ("2025-02-25T14:29:59Z", false),
        ("2025-02-25T14:30:00Z", true),
        ("2025-02-25T20:29:59Z", true),
        ("2025-02-25T20:30:00Z", false),
    ] {
        assert_eq!(night.contains(at(moment)), inside, "{moment}");
    }
}

#[test]
fn an_unknown_zone_and_an_empty_window_are_refused() {
    let nine = "09:00:00".parse().unwrap();
    assert_eq!(
        DailyWindow::new("Mars/Olympus", nine, LEGAL_END),
        Err(WindowError::UnknownZone("Mars/Olympus".into()))
    );
    assert_eq!(DailyWindow::new("UTC", nine, nine), Err(WindowError::Empty(nine)));
}

#[test]
fn the_next_allowed_moment_satisfies_every_window() {
    let hours = Hours::of_call(
        window("America/New_York", "09:00:00", "17:00:00"),
        [chrono_tz::America::Los_Angeles],
    );
    for (from, next) in [
        ("2025-02-25T14:00:00Z", "2025-02-25T16:00:00Z"),
        ("2025-02-25T18:00:00Z", "2025-02-25T18:00:00Z"),
        ("2025-02-25T22:00:00Z", "2025-02-26T16:00:00Z"),
    ] {
        assert_eq!(hours.next_allowed(at(from)), Some(at(next)), "{from}");
        assert!(hours.allow(at(next)));
    }
    assert_eq!(hours.allowed_until(at("2025-02-25T18:00:00Z")), Some(at("2025-02-25T22:00:00Z")));
}

#[test]
fn windows_that_never_meet_allow_nothing() {
    let hours = Hours::of_call(
        window("America/New_York", "03:00:00", "05:00:00"),
        [chrono_tz::America::New_York],
    );
    assert_eq!(hours.next_allowed(at("2025-02-25T14:00:00Z")), None);
}

#[test]
fn a_start_that_the_clock_skips_opens_at_the_end_of_the_gap() {
    // On 2025-03-09 New York's clocks went from 02:00 to 03:00 at 07:00Z.
    let early = window("America/New_York", "02:30:00", "05:00:00");
    let hours = Hours(vec![early]);
    assert_eq!(hours.next_allowed(at("2025-03-09T05:30:00Z")), Some(at("2025-03-09T07:00:00Z")));
}

#[test]
fn a_start_that_the_clock_shows_twice_opens_the_first_time() {
    // On 2025-11-02 New York's clocks showed 01:30 at 05:30Z and again at 06:30Z.
    let early = window("America/New_York", "01:30:00", "05:00:00");
    let hours = Hours(vec![early]);
    assert_eq!(hours.next_allowed(at("2025-11-02T04:00:00Z")), Some(at("2025-11-02T05:30:00Z")));
    // Between 06:00Z and 06:30Z the clock shows 01:00 to 01:30 again: closed once more.
    assert!(!early.contains(at("2025-11-02T06:10:00Z")));
    assert_eq!(hours.next_allowed(at("2025-11-02T06:10:00Z")), Some(at("2025-11-02T06:30:00Z")));
}

#[test]
fn a_day_starts_at_local_midnight_or_at_the_end_of_the_gap_over_it() {
    let new_york = window("America/New_York", "09:00:00", "17:00:00");
    assert_eq!(new_york.day_start(at("2025-02-25T14:00:00Z")), at("2025-02-25T05:00:00Z"));
    // On 2025-09-07 Santiago's clocks went from 00:00 to 01:00.
    let santiago = window("America/Santiago", "09:00:00", "17:00:00");
    assert_eq!(santiago.day_start(at("2025-09-07T15:00:00Z")), at("2025-09-07T04:00:00Z"));
}
