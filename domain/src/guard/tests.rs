use std::sync::LazyLock;

use super::*;

static WINDOW: LazyLock<DailyWindow> = LazyLock::new(|| {
    let (start, end) = ("09:00:00".parse().unwrap(), "17:00:00".parse().unwrap());
    DailyWindow::new("America/New_York", start, end).unwrap()
});
static UNCALLED: NumberLog = NumberLog { lately: Vec::new(), in_all: 0 };

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn fine() -> Circumstances<'static> {
    Circumstances {
        now: at("2025-02-25T14:00:00Z"),
        slot: at("2025-02-25T14:00:00Z"),
        paused: false,
        window: &WINDOW,
        rules: &[],
        strict: false,
        status: ProspectStatus::Initial,
        phone: "+1234567890",
        zone: None,
        state: None,
        suppressed: false,
        attempts_left: 1,
        number: &UNCALLED,
        number_busy: false,
        number_rests_until: None,
        calls_left_today: 1,
        minutes_left: 600,
        longest_call_minutes: 10,
        lines_free: 1,
        waiting_before: 0,
    }
}

/// Until when, why, and nothing else.
fn told(verdict: Verdict) -> (Option<DateTime<Utc>>, Objection) {
    match verdict {
        Verdict::Later { until, why } => (Some(until), why.objection),
        Verdict::Refuse(why) => (None, why.objection),
        admitted @ Verdict::Admit { .. } => panic!("{admitted:?}"),
    }
}

fn later(until: DateTime<Utc>, objection: Objection) -> (Option<DateTime<Utc>>, Objection) {
    (Some(until), objection)
}

#[test]
fn a_call_at_its_slot_is_admitted_with_a_bounded_reservation() {
    assert_eq!(
        decide(&fine()),
        Verdict::Admit { reserve_minutes: 10, good_until: at("2025-02-25T14:15:00Z") }
    );
}

#[test]
fn a_request_may_not_leave_after_the_window_closed() {
    let c = Circumstances {
        now: at("2025-02-25T21:55:00Z"),
        slot: at("2025-02-25T21:55:00Z"),
        ..fine()
    };
    let Verdict::Admit { good_until, .. } = decide(&c) else { panic!("{:?}", decide(&c)) };
    assert_eq!(good_until, at("2025-02-25T22:00:00Z"));
}

#[test]
fn every_rule_refuses_on_its_own() {
    use Objection::*;
    type Change = fn(&mut Circumstances<'static>);
    let cases: [(Change, Objection); 14] = [
        (|c| c.now = at("2025-02-25T14:15:01Z"), TooLate),
        (|c| c.status = ProspectStatus::Booked, ProspectNotCallable),
        (|c| c.status = ProspectStatus::DoNotCall, ProspectNotCallable),
        (|c| c.phone = "911", PhoneInvalid),
        (|c| c.suppressed = true, Suppressed),
        (|c| c.attempts_left = 0, AttemptsUsedUp),
        (|c| c.calls_left_today = 0, DailyLimit),
        (|c| c.minutes_left = 0, NoMinutes),
        (|c| c.zone = Some("Nowhere/Else"), ProspectZoneUnknown),
        (|c| c.zone = Some("America/Los_Angeles"), OutsideHours),
        (|c| c.phone = "+13105550100", OutsideHours),
        (|c| (c.phone, c.strict) = ("+88355501001", true), ZoneUntold),
        (|c| c.number_rests_until = Some(at("2025-02-25T14:15:01Z")), NumberResting),
        (|c| c.rules = &*CLOSED, OutsideHours),
    ];
    for (change, objection) in cases {
        let mut c = fine();
        change(&mut c);
        assert_eq!(told(decide(&c)), (None, objection));
    }
}

#[test]
fn what_will_pass_soon_is_waited_for_and_what_will_not_is_refused() {
    let early = Circumstances { slot: at("2025-02-25T14:05:00Z"), ..fine() };
    assert_eq!(told(decide(&early)), later(at("2025-02-25T14:05:00Z"), Objection::TooEarly));
    let busy = Circumstances { lines_free: 0, ..fine() };
    assert_eq!(told(decide(&busy)), later(at("2025-02-25T14:00:15Z"), Objection::LinesBusy));
    let paused = Circumstances { paused: true, ..fine() };
    assert_eq!(told(decide(&paused)), later(at("2025-02-25T14:00:15Z"), Objection::Paused));
    let busy_to_the_end = Circumstances { now: at("2025-02-25T14:14:50Z"), ..busy };
    assert_eq!(told(decide(&busy_to_the_end)), (None, Objection::LinesBusy));
    let before_opening = Circumstances {
        now: at("2025-02-25T13:50:00Z"),
        slot: at("2025-02-25T13:50:00Z"),
        ..fine()
    };
    assert_eq!(
        told(decide(&before_opening)),
        later(at("2025-02-25T14:00:00Z"), Objection::OutsideHours)
    );
}

/// No call on the Tuesday of these tests.
static CLOSED: LazyLock<[Rule; 1]> = LazyLock::new(|| {
    [Rule {
        id: "closed".into(),
        jurisdiction: "*".into(),
        days: crate::hours::Weekdays::from_iso([2]),
        open: None,
        cap_per_day: None,
        cap_in_all: None,
        from: None,
        until: None,
    }]
});

#[test]
fn calls_wait_for_a_line_in_the_order_of_their_slots() {
    let third = Circumstances { lines_free: 2, waiting_before: 2, ..fine() };
    let Verdict::Later { why, .. } = decide(&third) else { panic!("{:?}", decide(&third)) };
    assert_eq!(why.detail, "Waiting for a line, 3rd in the queue.");
    let second = Circumstances { lines_free: 2, waiting_before: 1, ..fine() };
    assert!(matches!(decide(&second), Verdict::Admit { .. }));
    for (n, word) in
        [(1, "1st"), (2, "2nd"), (11, "11th"), (13, "13th"), (22, "22nd"), (103, "103rd")]
    {
        assert_eq!(ordinal(n), word);
    }
}
