use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn window(zone: &str, start: &str, end: &str) -> DailyWindow {
    DailyWindow::new(zone, start.parse().unwrap(), end.parse().unwrap()).unwrap()
}

fn is_open(window: &DailyWindow, instant: DateTime<Utc>) -> bool {
    Hours::of_window(window.clone()).check(instant).is_ok()
}

#[test]
fn call_may_start_from_the_start_of_a_window_until_shortly_before_its_end() {
    let day = window("America/New_York", "09:00:00", "17:00:00");
    for (instant, inside) in [
        ("2025-02-25T13:59:59Z", false),
        ("2025-02-25T14:00:00Z", true),
        ("2025-02-25T21:59:14Z", true),
        ("2025-02-25T21:59:15Z", false),
        ("2025-02-25T22:00:00Z", false),
        ("2025-07-01T13:00:00Z", true),
    ] {
        assert_eq!(is_open(&day, at(instant)), inside, "{instant}");
    }
}

#[test]
fn window_may_cross_midnight() {
    let night = window("Asia/Kolkata", "20:00:00", "02:00:00");
    for (instant, inside) in [
        ("2025-02-25T14:29:59Z", false),
        ("2025-02-25T14:30:00Z", true),
        ("2025-02-25T20:29:14Z", true),
        ("2025-02-25T20:30:00Z", false),
    ] {
        assert_eq!(is_open(&night, at(instant)), inside, "{instant}");
    }
}

#[test]
fn unknown_zone_and_empty_window_are_rejected() {
    let nine = "09:00:00".parse().unwrap();
    assert_eq!(
        DailyWindow::new("Mars/Olympus", nine, "10:00:00".parse().unwrap()),
        Err(WindowError::UnknownZone("Mars/Olympus".into()))
    );
    assert_eq!(DailyWindow::new("UTC", nine, nine), Err(WindowError::Empty(nine)));
}

#[test]
fn next_allowed_time_is_open_in_every_window() {
    let hours = Hours::of_call(
        window("America/New_York", "09:00:00", "17:00:00"),
        [chrono_tz::America::Los_Angeles],
        &Law::default(),
    );
    for (from, next) in [
        ("2025-02-25T14:00:00Z", "2025-02-25T16:00:00Z"),
        ("2025-02-25T18:00:00Z", "2025-02-25T18:00:00Z"),
        ("2025-02-25T22:00:00Z", "2025-02-26T16:00:00Z"),
    ] {
        assert_eq!(hours.next_allowed(at(from)), Some(at(next)), "{from}");
        assert!(hours.check(at(next)).is_ok());
    }
    assert_eq!(hours.allowed_until(at("2025-02-25T18:00:00Z")), Some(at("2025-02-25T21:59:15Z")));
}

#[test]
fn disjoint_windows_allow_no_call() {
    let hours = Hours::of_call(
        window("America/New_York", "03:00:00", "05:00:00"),
        [chrono_tz::America::New_York],
        &Law::default(),
    );
    assert_eq!(hours.next_allowed(at("2025-02-25T14:00:00Z")), None);
}

#[test]
fn skipped_start_opens_at_the_end_of_the_gap() {
    // On 2025-03-09 New York's clocks went from 02:00 to 03:00 at 07:00Z.
    let early = window("America/New_York", "02:30:00", "05:00:00");
    let hours = Hours::of_window(early.clone());
    assert_eq!(hours.next_allowed(at("2025-03-09T05:30:00Z")), Some(at("2025-03-09T07:00:00Z")));
}

#[test]
fn ambiguous_start_opens_at_the_earlier_instant() {
    // On 2025-11-02 New York's clocks showed 01:30 at 05:30Z and again at 06:30Z.
    let early = window("America/New_York", "01:30:00", "05:00:00");
    let hours = Hours::of_window(early.clone());
    assert_eq!(hours.next_allowed(at("2025-11-02T04:00:00Z")), Some(at("2025-11-02T05:30:00Z")));
    // Between 06:00Z and 06:30Z the clock shows 01:00 to 01:30 again: closed once more.
    assert!(!is_open(&early, at("2025-11-02T06:10:00Z")));
    assert_eq!(hours.next_allowed(at("2025-11-02T06:10:00Z")), Some(at("2025-11-02T06:30:00Z")));
    assert_eq!(hours.allowed_until(at("2025-11-02T05:40:00Z")), Some(at("2025-11-02T05:59:15Z")));
}

#[test]
fn phone_that_is_dialled_before_the_deadline_rings_within_the_hours() {
    let mut rng = fastrand::Rng::with_seed(11);
    let zones = ["America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata"];
    let clock = |rng: &mut fastrand::Rng| {
        NaiveTime::from_num_seconds_from_midnight_opt(rng.u32(..24 * 60) * 60, 0).unwrap()
    };
    let mut deadlines = 0;
    for _ in 0..20_000 {
        let (zone, start, end) = (*rng.choice(&zones).unwrap(), clock(&mut rng), clock(&mut rng));
        let Ok(window) = DailyWindow::new(zone, start, end) else { continue };
        let callee: Tz = rng.choice(&zones).unwrap().parse().unwrap();
        let hours = Hours::of_call(window, [callee], &Law::default());
        let from = at("2026-01-01T00:00:00Z") + TimeDelta::seconds(rng.i64(0..365 * 86_400));
        let Some(until) = hours.check(from).ok().and_then(|()| hours.allowed_until(from)) else {
            continue;
        };
        deadlines += 1;
        assert!(hours.check(until).is_err(), "{hours:?} {from} {until}");
        let last = (until - from).num_seconds();
        for secs in [0, rng.i64(0..last.max(1)), last - 1] {
            let rings = from + TimeDelta::seconds(secs.max(0)) + DIAL_MARGIN;
            let is_open = hours.0.iter().all(|hours| hours.is_open(rings));
            assert!(is_open, "{hours:?} {from} {until} {rings}");
        }
    }
    assert!(deadlines > 1_000, "{deadlines}");
}

#[test]
fn day_starts_at_local_midnight_or_at_the_end_of_a_gap() {
    let new_york = window("America/New_York", "09:00:00", "17:00:00");
    assert_eq!(new_york.day_start(at("2025-02-25T14:00:00Z")), at("2025-02-25T05:00:00Z"));
    // On 2025-09-07 Santiago's clocks went from 00:00 to 01:00.
    let santiago = window("America/Santiago", "09:00:00", "17:00:00");
    assert_eq!(santiago.day_start(at("2025-09-07T15:00:00Z")), at("2025-09-07T04:00:00Z"));
}

#[test]
fn window_across_midnight_belongs_to_its_start_day() {
    let friday = Weekdays::from_iso([5]);
    let night = window("America/New_York", "20:00:00", "02:00:00").on(friday).unwrap();
    // 2025-02-28 is a Friday; New York is five hours behind.
    for (instant, open) in [
        ("2025-02-28T06:00:00Z", false),
        ("2025-03-01T00:59:59Z", false),
        ("2025-03-01T01:00:00Z", true),
        ("2025-03-01T06:59:14Z", true),
        ("2025-03-01T07:00:00Z", false),
        ("2025-03-02T01:00:00Z", false),
    ] {
        assert_eq!(is_open(&night, at(instant)), open, "{instant}");
    }
    let hours = Hours::of_window(night);
    assert_eq!(hours.allowed_until(at("2025-03-01T05:30:00Z")), Some(at("2025-03-01T06:59:15Z")));
    assert_eq!(hours.next_allowed(at("2025-03-01T07:00:00Z")), Some(at("2025-03-08T01:00:00Z")));
}

#[test]
fn weekdays_and_days_off_are_closed_and_named() {
    let week = window("America/New_York", "09:00:00", "17:00:00")
        .on(Weekdays::from_iso([1, 2, 3, 4, 5]))
        .unwrap()
        .without(["2025-02-24".parse().unwrap()]);
    let hours = Hours::of_window(week);
    // From Friday's evening over the weekend and the day off to Tuesday.
    let tuesday = Some(at("2025-02-25T14:00:00Z"));
    for (instant, word) in [
        ("2025-02-21T22:00:00Z", "09:00 to 17:00 in America/New_York"),
        ("2025-02-22T15:00:00Z", "closed on Saturdays"),
        ("2025-02-24T15:00:00Z", "2025-02-24 is a day off"),
    ] {
        let closed = hours.check(at(instant)).unwrap_err();
        assert!(closed.detail.contains(word), "{instant}: {closed:?}");
        assert_eq!(closed.next_open, tuesday, "{instant}");
    }
    let every_day = window("UTC", "09:00:00", "17:00:00");
    assert_eq!(every_day.on(Weekdays::from_iso([])), Err(WindowError::NoDays));
}

#[test]
fn skipped_window_stays_closed_and_ambiguous_window_opens_twice() {
    let hours = Hours::of_window(window("America/New_York", "02:10:00", "02:50:00"));
    assert_eq!(hours.next_allowed(at("2025-03-09T00:00:00Z")), Some(at("2025-03-10T06:10:00Z")));
    let hours = Hours::of_window(window("America/New_York", "01:10:00", "01:50:00"));
    for (from, next) in [
        ("2025-11-02T05:00:00Z", "2025-11-02T05:10:00Z"),
        ("2025-11-02T05:50:00Z", "2025-11-02T06:10:00Z"),
        ("2025-11-02T06:50:00Z", "2025-11-03T06:10:00Z"),
    ] {
        assert_eq!(hours.next_allowed(at(from)), Some(at(next)), "{from}");
    }
}

/// Every minute of a year around each clock change, compared with the local clock itself.
#[test]
fn hours_agree_with_local_time_in_many_zones() {
    for (zone, change) in [
        ("America/New_York", "2025-03-09T00:00:00Z"),
        ("America/New_York", "2025-11-02T00:00:00Z"),
        ("Australia/Lord_Howe", "2025-04-05T00:00:00Z"),
        ("Australia/Adelaide", "2025-10-04T00:00:00Z"),
        ("Asia/Kathmandu", "2025-04-05T00:00:00Z"),
        ("America/St_Johns", "2025-03-09T00:00:00Z"),
        ("Pacific/Chatham", "2025-04-05T00:00:00Z"),
        ("Africa/Casablanca", "2025-02-22T00:00:00Z"),
    ] {
        let window = window(zone, "01:45:00", "09:15:00");
        let hours = Hours::of_window(window.clone());
        let mut next = None;
        for minute in (0..3 * 24 * 60).rev() {
            let instant = at(change) + TimeDelta::minutes(minute);
            let time = instant.with_timezone(&window.zone()).time();
            let open = time >= "01:45:00".parse().unwrap() && time < "09:15:00".parse().unwrap();
            assert_eq!(hours.check(instant).is_ok(), open, "{zone} {instant}");
            if open {
                next = Some(instant);
            }
            if next.is_some() {
                assert_eq!(hours.next_allowed(instant), next, "{zone} {instant}");
            }
        }
    }
}

#[test]
fn time_without_offset_is_local() {
    let zone = Some(chrono_tz::America::New_York);
    for (text, instant) in [
        ("2025-02-26T15:00:00-08:00", "2025-02-26T23:00:00Z"),
        ("2025-02-26T15:00:00", "2025-02-26T20:00:00Z"),
        (" 2025-02-26 15:00 ", "2025-02-26T20:00:00Z"),
        ("2025-07-26T15:00", "2025-07-26T19:00:00Z"),
        ("2025-03-09T02:30:00", "2025-03-09T07:00:00Z"),
        ("2025-11-02T01:30:00", "2025-11-02T05:30:00Z"),
    ] {
        assert_eq!(parse_local_time(text, zone), Some(at(instant)), "{text}");
    }
    assert_eq!(parse_local_time("2025-02-26T15:00:00", None), None);
    assert_eq!(parse_local_time("tomorrow at 3", zone), None);
}
