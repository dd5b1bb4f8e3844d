//! The cases of calls.

/// A call to one prospect of a user of its own.
#[derive(Debug)]
pub struct CallCase {
    /// Names the history: `call-<name>.json`.
    pub name: &'static str,
    /// Area code and last two digits of the prospect's number. The digits select the simulator's scenario.
    pub phone: (u32, u32),
    pub start: Start,
    pub action: Action,
    /// Status, outcome and reason of the recorded call.
    pub end: (&'static str, Option<&'static str>, Option<&'static str>),
}

/// How the call starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It is dialled at once.
    AtOnce,
    /// It is a callback for later, so it waits.
    Waiting,
    /// It is dialled at once, and this fault occurs, a fault of the simulator as JSON.
    WithFault(&'static str),
}

/// What an operator or the user's system does meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    None,
    /// Nothing; the workflow stays open for minutes after the record, because the provider may have the call.
    LeaveOpen,
    /// Cancels the call in this state.
    CancelWhile(&'static str),
    /// Moves the slot of the waiting call to a few seconds from now.
    Reschedule,
    /// The same, then books the prospect, so that the call is denied.
    RescheduleAndBook,
    /// Moves the slot of the waiting call to now.
    CallNow,
    /// The user's system reports an appointment while the call talks.
    Complete,
    /// The user's system reports a failure while the call talks.
    Fail,
    /// The user's system reports an appointment after the call was recorded.
    CompleteLate,
    /// Corrects the prospect's number after the call failed, then resets the workflow.
    CorrectPhoneAndReset,
    /// Terminates the workflow while the call talks, then sweeps.
    TerminateAndSweep,
}

const fn call(
    name: &'static str,
    phone: (u32, u32),
    start: Start,
    action: Action,
    end: (&'static str, Option<&'static str>, Option<&'static str>),
) -> CallCase {
    CallCase { name, phone, start, action, end }
}

const fn outcome(
    name: &'static str,
    phone: (u32, u32),
    end: (&'static str, Option<&'static str>, Option<&'static str>),
) -> CallCase {
    call(name, phone, Start::AtOnce, Action::None, end)
}

const BOOKED: (&str, Option<&str>, Option<&str>) = ("COMPLETED", Some("APPOINTMENT_SET"), None);
const NOT_INTERESTED: (&str, Option<&str>, Option<&str>) =
    ("COMPLETED", Some("NOT_INTERESTED"), None);
const CANCELLED: (&str, Option<&str>, Option<&str>) =
    ("CANCELLED", None, Some("cancelled_by_operator"));

const fn no_response(
    reason: &'static str,
) -> (&'static str, Option<&'static str>, Option<&'static str>) {
    ("COMPLETED", Some("NO_RESPONSE"), Some(reason))
}

/// Calls dialled one after the other: faults apply to the next dial request, and a phone does not ring for long. The
/// case that takes longest is the first.
pub const ONE_BY_ONE: &[CallCase] = &[
    call(
        "dial-never-placed",
        (646, 20),
        Start::WithFault(r#"{"create_call": [{"drop_before_accept": true}]}"#),
        Action::LeaveOpen,
        ("CANCELLED", None, Some("never_placed")),
    ),
    call(
        "dial-answer-lost",
        (718, 20),
        Start::WithFault(r#"{"create_call": [{"drop_after_accept": true}]}"#),
        Action::None,
        NOT_INTERESTED,
    ),
    call(
        "provider-busy",
        (347, 20),
        Start::WithFault(r#"{"create_call": [{"refuse_429": {"retry_after": 3}}]}"#),
        Action::None,
        NOT_INTERESTED,
    ),
    call(
        "cancelled-while-dialing",
        (929, 93),
        Start::WithFault(r#"{"create_call": [{"slow_ms": 8000}]}"#),
        Action::CancelWhile("dialing"),
        CANCELLED,
    ),
    call(
        "cancelled-while-ringing",
        (917, 50),
        Start::AtOnce,
        Action::CancelWhile("ringing"),
        CANCELLED,
    ),
];

/// Calls planned by one plan run.
pub const TOGETHER: &[CallCase] = &[
    outcome("appointment-set", (212, 0), BOOKED),
    outcome("callback-requested", (212, 10), ("COMPLETED", Some("CALLBACK_REQUESTED"), None)),
    outcome("not-interested", (212, 20), NOT_INTERESTED),
    outcome("do-not-call", (212, 30), ("COMPLETED", Some("DO_NOT_CALL"), None)),
    outcome("voicemail", (212, 40), no_response("voicemail")),
    outcome("no-answer", (212, 50), no_response("no_answer")),
    outcome("busy", (212, 60), no_response("busy")),
    outcome("declined", (212, 99), no_response("rejected")),
    outcome(
        "rejected-by-provider",
        (212, 70),
        ("FAILED", Some("FAILED"), Some("rejected_by_provider")),
    ),
    outcome("answered-without-report", (212, 80), ("COMPLETED", None, Some("no_report"))),
    outcome("report-in-transcript-only", (212, 90), BOOKED),
    outcome("reported-twice", (212, 97), ("COMPLETED", Some("DO_NOT_CALL"), None)),
    outcome("webhooks-lost", (212, 94), NOT_INTERESTED),
    outcome("webhooks-lost-without-answer", (212, 98), no_response("no_answer")),
    call("rescheduled", (917, 20), Start::Waiting, Action::Reschedule, NOT_INTERESTED),
    call("called-now", (332, 20), Start::Waiting, Action::CallNow, NOT_INTERESTED),
    call(
        "denied",
        (646, 50),
        Start::Waiting,
        Action::RescheduleAndBook,
        ("CANCELLED", None, Some("denied")),
    ),
    call(
        "cancelled-while-waiting",
        (646, 93),
        Start::Waiting,
        Action::CancelWhile("waiting"),
        CANCELLED,
    ),
    call(
        "cancelled-while-talking",
        (917, 93),
        Start::AtOnce,
        Action::CancelWhile("talking"),
        CANCELLED,
    ),
    call("completed-by-user-webhook", (718, 93), Start::AtOnce, Action::Complete, BOOKED),
    call(
        "failed-by-user-webhook",
        (929, 95),
        Start::AtOnce,
        Action::Fail,
        ("FAILED", Some("FAILED"), Some("reported_failure")),
    ),
    call("completed-late", (646, 80), Start::AtOnce, Action::CompleteLate, BOOKED),
    call(
        "failed-and-reset",
        (646, 70),
        Start::AtOnce,
        Action::CorrectPhoneAndReset,
        NOT_INTERESTED,
    ),
    call(
        "terminated-while-talking",
        (347, 93),
        Start::AtOnce,
        Action::TerminateAndSweep,
        ("COMPLETED", None, Some("no_report")),
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn cases_have_distinct_names_and_numbers() {
        let cases = || ONE_BY_ONE.iter().chain(TOGETHER);
        let names: BTreeSet<&str> = cases().map(|case| case.name).collect();
        let numbers: BTreeSet<(u32, u32)> = cases().map(|case| case.phone).collect();
        assert_eq!((names.len(), numbers.len()), (cases().count(), cases().count()));
    }
}
