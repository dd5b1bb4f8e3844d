use std::sync::LazyLock;

use super::*;

static WINDOW: LazyLock<DailyWindow> = LazyLock::new(|| {
    let (start, end) = ("09:00:00".parse().unwrap(), "17:00:00".parse().unwrap());
    DailyWindow::new("America/New_York", start, end).unwrap()
});
static OTHER: LazyLock<ProspectId> = LazyLock::new(|| ProspectId::new("other"));
static NO_USAGE: PhoneUsage = PhoneUsage { recent: Vec::new(), total: 0 };

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn admissible() -> AdmissionContext<'static> {
    AdmissionContext {
        now: at("2025-02-25T14:00:00Z"),
        slot: at("2025-02-25T14:00:00Z"),
        paused: false,
        window: &WINDOW,
        rules: &[],
        strict: false,
        callee: Callee {
            status: ProspectStatus::Initial,
            phone: "+1234567890",
            zone: None,
            state: None,
            suppressed: false,
            phone_closed_by: None,
        },
        attempts_left: 1,
        phone_usage: &NO_USAGE,
        phone_busy: false,
        phone_cool_down_until: None,
        provider_block: None,
        next_call_at: None,
        calls_left_today: 1,
        minutes_left: 600,
        max_call_minutes: 10,
        lines_free: 1,
        waiting_before: 0,
    }
}

/// Until when the call is deferred, `None` if it is denied; and the reason.
fn blocked(decision: Decision) -> (Option<DateTime<Utc>>, BlockReason) {
    match decision {
        Decision::Defer { until, block } => (Some(until), block.reason),
        Decision::Deny(block) => (None, block.reason),
        admitted @ Decision::Admit { .. } => panic!("{admitted:?}"),
    }
}

fn deferred(until: &str, reason: BlockReason) -> (Option<DateTime<Utc>>, BlockReason) {
    (Some(at(until)), reason)
}

#[test]
fn call_at_its_slot_is_admitted_with_a_bounded_reservation() {
    assert_eq!(
        decide(&admissible()),
        Decision::Admit { reserve_minutes: 10, dial_deadline: at("2025-02-25T14:15:00Z") }
    );
}

#[test]
fn dial_deadline_is_before_the_end_of_the_window() {
    let (now, slot) = (at("2025-02-25T21:55:00Z"), at("2025-02-25T21:55:00Z"));
    let c = AdmissionContext { now, slot, ..admissible() };
    let Decision::Admit { dial_deadline, .. } = decide(&c) else { panic!("{:?}", decide(&c)) };
    assert_eq!(dial_deadline, at("2025-02-25T21:59:15Z"));
    let last = AdmissionContext { now: dial_deadline - TimeDelta::milliseconds(1), ..c.clone() };
    assert!(matches!(decide(&last), Decision::Admit { .. }));
    let late = AdmissionContext { now: dial_deadline, ..c };
    assert_eq!(blocked(decide(&late)), (None, BlockReason::OutsideHours));
}

#[test]
fn every_rule_denies_on_its_own() {
    use BlockReason::*;
    type Change = fn(&mut AdmissionContext<'static>);
    let cases: [(Change, BlockReason); 17] = [
        (|c| c.now = at("2025-02-25T14:15:00Z"), TooLate),
        (|c| c.callee.status = ProspectStatus::Booked, ProspectNotCallable),
        (|c| c.callee.status = ProspectStatus::DoNotCall, ProspectNotCallable),
        (|c| c.callee.phone = "911", PhoneInvalid),
        (|c| c.callee.suppressed = true, Suppressed),
        (|c| c.attempts_left = 0, AttemptsUsedUp),
        (|c| c.calls_left_today = 0, DailyLimit),
        (|c| c.minutes_left = 0, NoMinutes),
        (|c| c.callee.zone = Some("Nowhere/Else"), ProspectZoneUnknown),
        (|c| c.callee.zone = Some("America/Los_Angeles"), OutsideHours),
        (|c| c.callee.phone = "+13105550100", OutsideHours),
        (|c| (c.callee.phone, c.strict) = ("+88355501001", true), ZoneUndetermined),
        (|c| c.phone_cool_down_until = Some(at("2025-02-25T14:15:01Z")), PhoneCoolingDown),
        (
            |c| c.provider_block = Some(Block::until(ProviderRejects, at("2025-02-25T14:15:01Z"))),
            ProviderRejects,
        ),
        (|c| c.next_call_at = Some(at("2025-02-25T14:15:01Z")), CoolingDown),
        (|c| c.callee.phone_closed_by = Some(&OTHER), PhoneClosed),
        (|c| c.rules = &*CLOSED, OutsideHours),
    ];
    for (change, reason) in cases {
        let mut c = admissible();
        change(&mut c);
        assert_eq!(blocked(decide(&c)), (None, reason));
    }
}

#[test]
fn block_that_ends_in_time_defers_and_any_other_denies() {
    let early = AdmissionContext { slot: at("2025-02-25T14:05:00Z"), ..admissible() };
    assert_eq!(blocked(decide(&early)), deferred("2025-02-25T14:05:00Z", BlockReason::TooEarly));
    let busy = AdmissionContext { lines_free: 0, ..admissible() };
    assert_eq!(blocked(decide(&busy)), deferred("2025-02-25T14:00:15Z", BlockReason::LinesBusy));
    let paused = AdmissionContext { paused: true, ..admissible() };
    assert_eq!(blocked(decide(&paused)), deferred("2025-02-25T14:00:15Z", BlockReason::Paused));
    let busy_to_the_end = AdmissionContext { now: at("2025-02-25T14:14:50Z"), ..busy };
    assert_eq!(blocked(decide(&busy_to_the_end)), (None, BlockReason::LinesBusy));
    let before_opening = AdmissionContext {
        now: at("2025-02-25T13:50:00Z"),
        slot: at("2025-02-25T13:50:00Z"),
        ..admissible()
    };
    assert_eq!(
        blocked(decide(&before_opening)),
        deferred("2025-02-25T14:00:00Z", BlockReason::OutsideHours)
    );
}

/// A rule that forbids calls on the Tuesday of these tests.
static CLOSED: LazyLock<[Rule; 1]> = LazyLock::new(|| {
    [Rule {
        id: "closed".into(),
        jurisdiction: "*".into(),
        days: crate::weekdays::Weekdays::from_iso([2]),
        open: None,
        cap_per_day: None,
        cap_total: None,
        from: None,
        until: None,
    }]
});

#[test]
fn calls_wait_for_a_line_in_order_of_their_slots() {
    let third = AdmissionContext { lines_free: 2, waiting_before: 2, ..admissible() };
    let Decision::Defer { block, .. } = decide(&third) else { panic!("{:?}", decide(&third)) };
    assert_eq!(block.detail, "Waiting for a line, position 3 in the queue.");
    let second = AdmissionContext { lines_free: 2, waiting_before: 1, ..admissible() };
    assert!(matches!(decide(&second), Decision::Admit { .. }));
}

fn sendable() -> SendContext<'static> {
    let AdmissionContext { now, paused, window, strict, callee, .. } = admissible();
    let dial_deadline = at("2025-02-25T14:15:00Z");
    SendContext { now, dial_deadline, admitted_phone: callee.phone, paused, window, strict, callee }
}

#[test]
fn every_change_since_admission_stops_the_request() {
    use BlockReason::*;
    assert_eq!(check_before_sending(&sendable()), Ok(vec![chrono_tz::America::New_York]));
    type Change = fn(&mut SendContext<'static>);
    let cases: [(Change, BlockReason); 9] = [
        (|c| c.now = at("2025-02-25T14:15:00Z"), TooLate),
        (|c| (c.strict, c.callee.phone) = (true, "+88355501001"), ZoneUndetermined),
        (|c| c.paused = true, Paused),
        (|c| c.callee.status = ProspectStatus::Booked, ProspectNotCallable),
        (|c| c.callee.suppressed = true, Suppressed),
        (|c| c.callee.phone_closed_by = Some(&OTHER), PhoneClosed),
        (|c| c.callee.phone = "+12125550100", PhoneChanged),
        (|c| c.callee.zone = Some("Nowhere/Else"), ProspectZoneUnknown),
        (|c| c.callee.phone = "911", PhoneInvalid),
    ];
    for (change, reason) in cases {
        let mut c = sendable();
        change(&mut c);
        assert_eq!(check_before_sending(&c).unwrap_err().reason, reason);
    }
}
